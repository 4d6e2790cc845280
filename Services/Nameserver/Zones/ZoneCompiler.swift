import DNSWire

/// Turns an administered zone into what is served.
struct ZoneCompiler {
  private let zone: Zone
  private let hash: NameHash
  private let limit: Int
  private var nodes: [ZoneTree.Node] = []
  private var parents: [Int32] = []
  private var sets: [ZoneTree.EncodedSet] = []
  private var records: [ZoneTree.EncodedRecord] = []
  private var additionals: [ZoneTree.Additional] = []
  private var octets: [UInt8] = []
  private var indices: [Name: Int] = [:]

  private init(_ zone: Zone, _ hash: NameHash, limit: Int) {
    self.zone = zone
    self.hash = hash
    self.limit = limit
  }

  /// - Parameters:
  ///   - hash: the same for all zones that are served together.
  ///   - limit: octets of the largest zone. All that is counted in `ZoneTree` is counted in less than its 31 bits then.
  /// - Throws: what `Zone.validate` says, and that the zone is too large.
  static func compile(
    _ zone: Zone, by hash: NameHash, limit: Int = Zone.maximumLength
  ) throws(ZoneViolation) -> ZoneTree {
    let sorted = zone.sortedRRsets
    try zone.validate(sorted)
    guard let soa = zone.soa, let authority = zone.rrsets[RRsetKey(name: zone.name, type: .soa)] else {
      throw ZoneViolation(zone.name, .soa, "a zone has exactly one SOA record, at its apex")
    }
    var compiler = ZoneCompiler(zone, hash, limit: limit)
    compiler.addNode(zone.name)
    let served = sorted.filter(\.isServed)
    for set in served {
      compiler.addNode(set.name)
      try compiler.checkLength(with: set)
    }
    try compiler.encode(served)
    let negative = compiler.encode(
      RRset(
        name: zone.name, type: .soa, ttl: min(authority.ttl, soa.minimum), records: [.init(data: .soa(soa))]))
    compiler.findCuts()
    try compiler.linkAddresses(served)
    return ZoneTree(
      name: zone.name, nodes: compiler.nodes, sets: compiler.sets, records: compiler.records,
      additionals: compiler.additionals, octets: compiler.octets, negativeSOA: negative)
  }

  /// An RRset and its names add little at a time, so it is enough to look after each.
  private func checkLength(with set: RRset) throws(ZoneViolation) {
    guard octets.count <= limit else {
      throw ZoneViolation(set.name, set.type, "with it the zone is larger than the \(limit) octets that are served")
    }
  }

  /// A node for a name and for each between it and the apex, ancestors first.
  private mutating func addNode(_ name: Name) {
    guard indices[name] == nil else { return }
    var parent = -1
    if name != zone.name, let above = name.parent {
      addNode(above)
      parent = indices[above] ?? 0
    }
    let wire = name.lowercased.wire
    let index = nodes.count
    indices[name] = index
    parents.append(Int32(parent))
    nodes.append(
      ZoneTree.Node(hash: hash.of(name), nameOffset: Int32(octets.count), nameLength: Int16(wire.count)))
    octets += wire
    if name.isWildcard, parent >= 0 { nodes[parent].wildcard = Int32(index) }
  }

  /// Encodes all RRsets, those of a node side by side.
  private mutating func encode(_ served: [RRset]) throws(ZoneViolation) {
    for set in served {
      guard let node = indices[set.name] else { continue }
      let index = encode(set)
      if nodes[node].setCount == 0 { nodes[node].firstSet = Int32(index) }
      nodes[node].setCount += 1
      try checkLength(with: set)
    }
  }

  private mutating func encode(_ set: RRset) -> Int {
    var encoded = ZoneTree.EncodedSet(
      type: set.type, recordCount: 0, firstRecord: Int32(records.count), length: 0)
    let active = set.active
    for data in active {
      switch data {
      case .cname(let target), .dname(let target):
        encoded.targetOffset = Int32(octets.count)
        encoded.targetLength = Int32(target.wire.count)
        octets += target.wire
      default: break
      }
      let record = encode(data, of: set)
      records.append(record)
      encoded.recordCount += 1
      encoded.length += record.length
    }
    if let suffix = sharedSuffix(of: active, owner: set.name) {
      encoded.firstFollower = Int32(records.count)
      encoded.length = 0
      for (index, data) in active.enumerated() {
        let lead = Int(encoded.firstRecord) + index
        let follower = encode(data, of: set, sharing: suffix)
        // Up to the pointer both are the same.
        records[lead].suffix = Int16(follower.length - 2)
        encoded.length += index == 0 ? records[lead].length : follower.length
        records.append(follower)
      }
    }
    sets.append(encoded)
    return sets.count - 1
  }

  /// The longest end that the names in a set's data have in common, where to point at it saves more than to point at the
  /// owner or the apex: name servers of one provider, outside the zone.
  private func sharedSuffix(of data: [RData], owner: Name) -> Name? {
    let names = data.compactMap { datum -> Name? in
      switch datum {
      case .ns(let name), .ptr(let name), .mx(_, let name): name
      default: nil
      }
    }
    guard data.count > 1, names.count == data.count, var suffix = names.first else { return nil }
    for name in names {
      while !name.isAtOrBelow(suffix) { suffix = suffix.parent ?? .root }
    }
    return suffix.isRoot || owner.isAtOrBelow(suffix) ? nil : suffix
  }

  private mutating func encode(
    _ data: RData, of set: RRset, sharing suffix: Name? = nil
  ) -> ZoneTree.EncodedRecord {
    let start = octets.count
    var record = ZoneTree.EncodedRecord(offset: Int32(start), length: 0)
    append(UInt16(0))
    append(set.type.rawValue)
    append(RecordClass.internet.rawValue)
    append(UInt16(truncatingIfNeeded: set.ttl >> 16))
    append(UInt16(truncatingIfNeeded: set.ttl))
    append(UInt16(0))
    let dataStart = octets.count
    switch data {
    case .ns(let name), .ptr(let name):
      record.pointers.0 = append(name, owner: set.name, from: start, sharing: suffix)
    case .mx(let preference, let exchange):
      append(preference)
      record.pointers.0 = append(exchange, owner: set.name, from: start, sharing: suffix)
    case .soa(let soa):
      record.pointers.0 = append(soa.primary, owner: set.name, from: start)
      record.pointers.1 = append(soa.mailbox, owner: set.name, from: start)
      for number in [soa.serial, soa.refresh, soa.retry, soa.expire, soa.minimum] {
        append(UInt16(truncatingIfNeeded: number >> 16))
        append(UInt16(truncatingIfNeeded: number))
      }
    default:
      // A CNAME's target stays whole as well: the chain goes on from there, and what follows points at any of its
      // suffixes.
      octets += data.wire
    }
    let length = octets.count - dataStart
    octets[dataStart - 2] = UInt8(truncatingIfNeeded: length >> 8)
    octets[dataStart - 1] = UInt8(truncatingIfNeeded: length)
    record.length = Int32(octets.count - start)
    return record
  }

  private mutating func append(_ value: UInt16) {
    octets.append(UInt8(value >> 8))
    octets.append(UInt8(truncatingIfNeeded: value))
  }

  /// A name in RDATA; what `EncodedRecord.pointers` says of it.
  private mutating func append(_ name: Name, owner: Name, from start: Int, sharing suffix: Name? = nil) -> UInt16 {
    if let suffix {
      octets += name.wire.dropLast(suffix.wire.count)
      append(UInt16(0))
      return UInt16(octets.count - start - 2) | ZoneTree.EncodedRecord.toSuffix
    }
    // A wildcard's owner is the name that was asked for, which the data is not below.
    let base = !owner.isWildcard && name.isAtOrBelow(owner) ? owner : zone.name
    guard !base.isRoot, name.isAtOrBelow(base) else {
      octets += name.wire
      return 0
    }
    octets += name.wire.dropLast(base.wire.count)
    let offset = UInt16(octets.count - start)
    append(UInt16(0))
    return base == zone.name ? offset : offset | ZoneTree.EncodedRecord.toOwner
  }

  private mutating func findCuts() {
    for index in nodes.indices {
      let parent = Int(parents[index])
      if parent >= 0, nodes[parent].cut >= 0 {
        nodes[index].cut = nodes[parent].cut
      } else if has(.dname, index) || index > 0 && has(.ns, index) {
        nodes[index].cut = Int32(index)
      }
    }
  }

  private func set(_ type: RecordType, _ node: Int) -> Int? {
    let first = Int(nodes[node].firstSet)
    return (first..<(first + Int(nodes[node].setCount))).first { sets[$0].type == type }
  }

  private func has(_ type: RecordType, _ node: Int) -> Bool { set(type, node) != nil }

  /// Finds the addresses of the hosts that NS, MX and SRV records name.
  private mutating func linkAddresses(_ served: [RRset]) throws(ZoneViolation) {
    for (index, set) in served.enumerated() where [.ns, .mx, .srv].contains(set.type) {
      guard let node = indices[set.name] else { continue }
      var seen: Set<Name> = []
      var links: [ZoneTree.Additional] = []
      for (position, data) in set.active.enumerated() {
        let (host, offset): (Name, Int)
        switch data {
        case .ns(let name): (host, offset) = (name, 12)
        case .mx(_, let name): (host, offset) = (name, 14)
        case .srv(let srv): (host, offset) = (srv.target, 18)
        default: continue
        }
        // The root says that there is no host (RFC 2782, RFC 7505 §3); a host named twice has its addresses once.
        guard !host.isRoot, seen.insert(host).inserted else { continue }
        let record = records[Int(sets[index].firstRecord) + position]
        let isRequired = set.type == .ns && node != 0 && host.isAtOrBelow(set.name)
        links += addresses(of: host, at: Int(record.offset) + offset, in: record, isGlue: set.type == .ns).map {
          ZoneTree.Additional(
            record: Int32(position), nameOffset: Int32(offset), addresses: $0, isRequired: isRequired)
        }
      }
      sets[index].firstAdditional = Int32(additionals.count)
      sets[index].additionalCount = Int32(links.count)
      // What the delegation needs comes before what only helps (RFC 9471 §3).
      additionals += links.filter(\.isRequired) + links.filter { !$0.isRequired }
      try checkLength(with: set)
    }
  }

  /// - Parameters:
  ///   - place: where the name stands in `octets`, in `record`.
  ///   - isGlue: addresses that the zone has no authority over will do as well, as only name servers' may.
  private mutating func addresses(
    of host: Name, at place: Int, in record: ZoneTree.EncodedRecord, isGlue: Bool
  ) -> [ZoneTree.Addresses] {
    if let encloser = closestEncloser(host) {
      let hasAuthority = nodes[encloser].cut < 0
      let node = indices[host] ?? (hasAuthority && nodes[encloser].wildcard >= 0 ? Int(nodes[encloser].wildcard) : nil)
      if let node, isGlue || nodes[node].cut < 0 {
        let sets = [RecordType.a, .aaaa].compactMap { set($0, node) }
        if !sets.isEmpty { return sets.map { .set(Int32($0)) } }
      }
      // Nobody else can know of it.
      if hasAuthority { return [] }
    }
    // A name that is stored whole is not stored twice.
    if record.pointers.0 == 0 { return [.elsewhere(offset: Int32(place), length: Int32(host.wire.count))] }
    octets += host.wire
    return [.elsewhere(offset: Int32(octets.count - host.wire.count), length: Int32(host.wire.count))]
  }

  /// RFC 4592 §3.3.1; nil for a name outside the zone.
  private func closestEncloser(_ name: Name) -> Int? {
    var name = name
    while name.isAtOrBelow(zone.name) {
      if let node = indices[name] { return node }
      guard let parent = name.parent else { break }
      name = parent
    }
    return nil
  }
}
