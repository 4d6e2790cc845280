import DNSWire

/// Answers queries from the zones served. One belongs to each loop; after its start it allocates nothing.
struct Responder {
  enum Transport { case udp, tcp }

  /// The UDP payload offered and never exceeded (RFC 9715): octets.
  static let payloadSize = 1232
  /// Octets of an OPT record without options.
  static let optionLength = 11
  /// Links of a CNAME and DNAME chain that are followed.
  static let maximumLinks = 16

  var catalog: ZoneCatalog
  private(set) var writer = ResponseWriter()
  private var name: QueryName
  /// A host whose addresses are looked for in other zones.
  private var host: QueryName
  private var head = QueryHead()
  private(set) var counters = Counters()

  /// What `/metrics` tells of a loop.
  struct Counters {
    var udpQueries: UInt64 = 0
    var tcpQueries: UInt64 = 0
    var dropped: UInt64 = 0
    var truncated: UInt64 = 0
    /// By response code, the rarer ones together in the last.
    var responses: InlineArray<7, UInt64> = .init(repeating: 0)
  }

  /// - Parameter hash: that by which the zones were compiled.
  init(_ catalog: ZoneCatalog, by hash: NameHash) {
    self.catalog = catalog
    name = QueryName(hash)
    host = QueryName(hash)
  }

  /// Answers `query` into the writer.
  /// - Returns: octets of the response; 0 for none.
  mutating func respond(_ query: RawSpan, _ transport: Transport) -> Int {
    if transport == .udp { counters.udpQueries &+= 1 } else { counters.tcpQueries &+= 1 }
    let fault = head.read(query, &name)
    if case .silence? = fault {
      counters.dropped &+= 1
      return 0
    }
    let size = transport == .tcp ? Message.maximumLength : min(head.payloadSize, Self.payloadSize)
    writer.begin(query, questionEnd: head.questionEnd, limit: size - (head.hasEDNS ? Self.optionLength : 0))
    switch fault {
    case .formatError: writer.responseCode = .formatError
    case .notImplemented: writer.responseCode = .notImplemented
    default: answer()
    }
    writer.finish(head)
    if writer.isTruncated { counters.truncated &+= 1 }
    counters.responses[min(Int(writer.responseCode.rawValue), 6)] &+= 1
    return writer.count
  }

  /// Of what kind the answer in the writer is.
  var kind: ResponseRateLimit.Kind {
    switch writer.responseCode {
    case .noError: writer.isReferral ? .referral : writer.hasAnswers ? .data : .noData
    // It has the DNAME with it, and so is larger than its query (RFC 6672 §3.2).
    case .yxDomain: .data
    case .nameError: .nameError
    default: .error
    }
  }

  /// The answer in the writer is not sent after all.
  mutating func takeBack() {
    counters.responses[min(Int(writer.responseCode.rawValue), 6)] &-= 1
    if writer.isTruncated { counters.truncated &-= 1 }
  }

  /// Makes the answer in the writer one that says TC and nothing else.
  /// - Returns: its octets, no more than those of the query: that had a question, and an OPT record if this has one.
  mutating func truncate() -> Int {
    if !writer.isTruncated { counters.truncated &+= 1 }
    writer.isReferral = false
    writer.isTruncated = true
    writer.finish(head)
    return writer.count
  }

  private mutating func answer() {
    if head.version > 0 {
      writer.responseCode = .badVersion
    } else if head.class != .internet && head.class != .any || head.type == .axfr || head.type == .ixfr {
      writer.responseCode = .refused
    } else if head.type.isMeta, head.type != .any {
      writer.responseCode = .notImplemented
    } else {
      lookUp()
    }
  }
}

// The algorithm of RFC 1034 §4.3.2, as later RFCs have it. Step 1, recursion, is not offered here.
extension Responder {
  /// Where step 3 ended.
  private enum Match {
    /// 3.a: the whole of QNAME.
    case name(Int)
    /// 3.b: a cut takes us out of the authoritative data.
    case delegation(Int)
    /// RFC 6672 §3.2: a DNAME above QNAME.
    case redirection(Int)
    /// 3.c: the closest encloser has a wildcard child (RFC 4592 §3.3.1).
    case wildcard(Int)
    /// 3.c: it has none.
    case nothing
  }

  private mutating func lookUp() {
    // Where the name looked up stands in the message: first in the question.
    var position = Header.length
    var trail = Trail()
    for link in 0...Self.maximumLinks {
      // Going in a circle tells the client nothing new.
      guard trail.goOn(to: name) else { return }
      // Step 2: the nearest ancestor zone. A DS record belongs to the parent's side of the cut (RFC 4035 §3.1.4.1).
      guard let (zone, apexLabel) = nearestZone() else {
        if link == 0 { writer.responseCode = .refused }
        return
      }
      let tree = catalog.trees[zone]
      let apex = position + Int(name.starts[apexLabel])
      // Of all classes nobody knows all (RFC 1035 §6.2).
      if link == 0 { writer.isAuthoritative = head.class != .any }
      // Step 3: match down, label by label.
      switch match(tree, apexLabel, name) {
      case .delegation(let node):
        return refer(tree, node, apex: apex, position: position, isFirst: link == 0)
      case .redirection(let node):
        guard let next = redirect(tree, node, apex: apex, position: position, &trail) else { return }
        position = next
      case .name(let node), .wildcard(let node):
        guard let next = answer(tree, node, apex: apex, position: position) else { return }
        position = next
      case .nothing:
        writer.responseCode = .nameError
        return deny(tree, apex: apex)
      }
    }
  }

  private func nearestZone() -> (tree: Int, apex: Int)? {
    if head.type == .ds, name.labelCount > 0, let parent = catalog.nearestZone(name, from: 1) {
      return parent
    }
    return catalog.nearestZone(name)
  }

  /// Step 3. The topmost cut above each name is known beforehand, so that it takes one look where the name exists.
  private func match(_ tree: ZoneTree, _ apexLabel: Int, _ name: borrowing QueryName) -> Match {
    var label = 0
    var node = tree.node(name, from: 0)
    while node < 0, label < apexLabel {
      label += 1
      node = tree.node(name, from: label)
    }
    let exists = label == 0
    let cut = Int(tree.nodes[node].cut)
    if cut >= 0 {
      let redirects = tree.set(cut, .dname) >= 0
      if redirects {
        if !exists || cut != node { return .redirection(cut) }
      } else if !(exists && cut == node && head.type == .ds) {
        return .delegation(cut)
      }
    }
    if exists { return .name(node) }
    let wildcard = Int(tree.nodes[node].wildcard)
    return wildcard >= 0 ? .wildcard(wildcard) : .nothing
  }

  /// Step 3.a: the data of a node; where the chain goes on, if it does.
  private mutating func answer(_ tree: ZoneTree, _ node: Int, apex: Int, position: Int) -> Int? {
    var set = head.type == .any ? firstSet(tree, node) : tree.set(node, head.type)
    var isAlias = false
    if set < 0 {
      set = tree.set(node, .cname)
      isAlias = set >= 0
    }
    guard set >= 0 else {
      deny(tree, apex: apex)
      return nil
    }
    guard writer.append(tree, set: set, .answer, owner: position, apex: apex) else {
      writer.isTruncated = true
      return nil
    }
    guard isAlias else {
      // Step 6: what the client will ask for next.
      appendAddresses(tree, of: set, apex: apex)
      return nil
    }
    // QNAME becomes the canonical name, and all begins again.
    let target = tree.sets[set]
    name.load(tree.octets, at: Int(target.targetOffset), count: Int(target.targetLength))
    return writer.lastDataPosition
  }

  /// ANY is answered with one RRset (RFC 8482 §4.1).
  private func firstSet(_ tree: ZoneTree, _ node: Int) -> Int {
    tree.nodes[node].setCount > 0 ? Int(tree.nodes[node].firstSet) : -1
  }

  /// Step 3.b: the NS records of the cut, and glue. Without AA, unless an alias of ours led here.
  private mutating func refer(_ tree: ZoneTree, _ cut: Int, apex: Int, position: Int, isFirst: Bool) {
    if isFirst { writer.isAuthoritative = false }
    writer.isReferral = true
    let servers = tree.set(cut, .ns)
    let owner = position + name.length - Int(tree.nodes[cut].nameLength)
    guard servers >= 0, writer.append(tree, set: servers, .authority, owner: owner, apex: apex) else {
      writer.isTruncated = true
      return
    }
    appendAddresses(tree, of: servers, apex: apex)
  }

  /// Appends the addresses of the hosts that the set written last names, whatever zone served here has them (RFC 1034
  /// §4.3.2 step 3.b). TC when some are left out without which the referral is useless (RFC 9471 §3.1).
  private mutating func appendAddresses(_ tree: ZoneTree, of index: Int, apex: Int) {
    let set = tree.sets[index]
    for link in Int(set.firstAdditional)..<Int(set.firstAdditional + set.additionalCount) {
      let additional = tree.additionals[link]
      let owner = writer.position(of: additional)
      var isWhole = owner != nil
      if let owner {
        switch additional.addresses {
        case .set(let addresses):
          isWhole = writer.append(tree, set: Int(addresses), .additional, owner: owner, apex: apex)
        case .elsewhere(let offset, let length):
          host.load(tree.octets, at: Int(offset), count: Int(length))
          isWhole = appendForeignAddresses(owner: owner, isGlue: set.type == .ns)
        }
      }
      if !isWhole, additional.isRequired { writer.isTruncated = true }
    }
  }

  /// Appends what the nearest zone knows of `host`; false when it does not fit.
  private mutating func appendForeignAddresses(owner: Int, isGlue: Bool) -> Bool {
    guard let (zone, apexLabel) = catalog.nearestZone(host) else { return true }
    let tree = catalog.trees[zone]
    var node = -1
    switch match(tree, apexLabel, host) {
    case .name(let found), .wildcard(let found): node = found
    case .delegation: if isGlue { node = tree.node(host, from: 0) }
    case .redirection, .nothing: break
    }
    guard node >= 0 else { return true }
    let v4 = appendAddresses(tree, .a, at: node, owner: owner)
    let v6 = appendAddresses(tree, .aaaa, at: node, owner: owner)
    return v4 && v6
  }

  private mutating func appendAddresses(_ tree: ZoneTree, _ type: RecordType, at node: Int, owner: Int) -> Bool {
    let set = tree.set(node, type)
    // Nothing in an address points at the apex.
    return set < 0 || writer.append(tree, set: set, .additional, owner: owner, apex: 0)
  }

  /// The DNAME, and the CNAME made from it (RFC 6672 §3.1); where the new name stands.
  private mutating func redirect(
    _ tree: ZoneTree, _ cut: Int, apex: Int, position: Int, _ trail: inout Trail
  ) -> Int? {
    let set = tree.set(cut, .dname)
    let ownerLength = Int(tree.nodes[cut].nameLength)
    let owner = position + name.length - ownerLength
    if trail.isNew(dname: tree.nodes[cut].hash) {
      guard writer.append(tree, set: set, .answer, owner: owner, apex: apex) else {
        writer.isTruncated = true
        return nil
      }
    }
    let target = tree.sets[set]
    let label = suffixLabel(ofLength: ownerLength)
    guard
      name.substitute(
        suffix: label, with: tree.octets, at: Int(target.targetOffset), count: Int(target.targetLength))
    else {
      writer.responseCode = .yxDomain
      return nil
    }
    guard let next = writer.appendSynthesizedCNAME(tree, dname: set, owner: position, target: name) else {
      writer.isTruncated = true
      return nil
    }
    // The alias itself was asked for.
    return head.type == .cname ? nil : next
  }

  private func suffixLabel(ofLength length: Int) -> Int {
    var label = 0
    while name.length(from: label) > length { label += 1 }
    return label
  }

  /// NODATA and NXDOMAIN carry the SOA, to be cached no longer than its MINIMUM (RFC 2308 §3).
  private mutating func deny(_ tree: ZoneTree, apex: Int) {
    if !writer.append(tree, set: tree.negativeSOA, .authority, owner: apex, apex: apex) { writer.isTruncated = true }
  }
}
