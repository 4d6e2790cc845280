import DNSWire

/// Turns an administered zone into what is served.
struct ZoneCompiler {
  private let zone: Zone
  private var nodes: [ZoneTree.Node] = []
  private var parents: [Int32] = []
  private var sets: [ZoneTree.EncodedSet] = []
  private var records: [ZoneTree.EncodedRecord] = []
  private var additionals: [ZoneTree.Additional] = []
  private var octets: [UInt8] = []
  private var indices: [Name: Int] = [:]

  private init(_ zone: Zone) { self.zone = zone }

  /// - Throws: what `Zone.validate` says.
  static func compile(_ zone: Zone) throws(ZoneViolation) -> ZoneTree {
    try zone.validate()
    guard let soa = zone.soa, let authority = zone.rrsets[RRsetKey(name: zone.name, type: .soa)] else {
      throw ZoneViolation(zone.name, .soa, "a zone has exactly one SOA record, at its apex")
    }
    var compiler = ZoneCompiler(zone)
    compiler.addNode(zone.name)
    let served = zone.sortedRRsets.filter { !$0.active.isEmpty }
    for set in served { compiler.addNode(set.name) }
    compiler.encode(served)
    let negative = compiler.encode(
      RRset(
        name: zone.name, type: .soa, ttl: min(authority.ttl, soa.minimum), records: [.init(data: .soa(soa))]))
    compiler.findCuts()
    compiler.linkAddresses(served)
    return ZoneTree(
      name: zone.name, nodes: compiler.nodes, sets: compiler.sets, records: compiler.records,
      additionals: compiler.additionals, octets: compiler.octets, negativeSOA: negative)
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
      ZoneTree.Node(hash: NameHash.of(wire), nameOffset: Int32(octets.count), nameLength: Int16(wire.count)))
    octets += wire
    if name.isWildcard, parent >= 0 { nodes[parent].wildcard = Int32(index) }
  }

  /// Encodes all RRsets, those of a node side by side.
  private mutating func encode(_ served: [RRset]) {
    for set in served {
      guard let node = indices[set.name] else { continue }
      let index = encode(set)
      if nodes[node].setCount == 0 { nodes[node].firstSet = Int32(index) }
      nodes[node].setCount += 1
    }
  }

  private mutating func encode(_ set: RRset) -> Int {
    var encoded = ZoneTree.EncodedSet(
      type: set.type, recordCount: 0, firstRecord: Int32(records.count), length: 0)
    for data in set.active {
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
    sets.append(encoded)
    return sets.count - 1
  }

  private mutating func encode(_ data: RData, of set: RRset) -> ZoneTree.EncodedRecord {
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
      record.pointers.0 = append(name, owner: set.name, from: start)
    case .mx(let preference, let exchange):
      append(preference)
      record.pointers.0 = append(exchange, owner: set.name, from: start)
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
  private mutating func append(_ name: Name, owner: Name, from start: Int) -> UInt16 {
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

  /// Finds the addresses that the zone knows of the hosts that NS, MX and SRV records name.
  private mutating func linkAddresses(_ served: [RRset]) {
    for (index, set) in served.enumerated() {
      guard let node = indices[set.name] else { continue }
      let isDelegation = set.type == .ns && node != 0
      var links: [ZoneTree.Additional] = []
      for (position, data) in set.active.enumerated() {
        let (host, offset): (Name, Int32)
        switch data {
        case .ns(let name): (host, offset) = (name, 12)
        case .mx(_, let name): (host, offset) = (name, 14)
        case .srv(let srv): (host, offset) = (srv.target, 18)
        default: continue
        }
        // Only name servers may be named by addresses that the zone has no authority over: that is what glue is.
        guard let target = indices[host], set.type == .ns || nodes[target].cut < 0 else { continue }
        for type in [RecordType.a, .aaaa] {
          guard let addresses = self.set(type, target) else { continue }
          links.append(
            ZoneTree.Additional(
              record: Int32(position), nameOffset: offset, set: Int32(addresses),
              isRequired: isDelegation && host.isAtOrBelow(set.name)))
        }
      }
      sets[index].firstAdditional = Int32(additionals.count)
      sets[index].additionalCount = Int32(links.count)
      additionals += links.filter(\.isRequired) + links.filter { !$0.isRequired }
    }
  }
}
