import DNSWire

/// Why data can't be served. The API puts its description into `error`.
struct ZoneViolation: Error, Hashable, Sendable, CustomStringConvertible {
  /// The RRset at fault, as "www.example.com./CNAME".
  var record: String
  var reason: String

  init(_ name: Name, _ type: RecordType, _ reason: String) {
    record = "\(name)/\(type)"
    self.reason = reason
  }

  var description: String { "RRset \(record): \(reason)" }
}

extension Zone {
  /// Octets of the longest RRset: with question, EDNS and a chain before it, it must fit into a message of 65,535.
  static let maximumRRsetLength = 48_000
  /// Comments of an RRset, and octets of one and of an account: they stand in rows that changes of records go past.
  static let commentLimit = 20
  static let commentLength = 4096
  static let accountLength = 255
  /// No RRset has more records: each takes 12 octets and one of data at least.
  static let maximumRecords = maximumRRsetLength / 13 + 1
  /// Types at one name: a look-up goes through them one by one.
  static let maximumTypes = 1_000
  /// Octets of a zone as it is served, the names above its records included: `ZoneTree` counts them in 31 bits, and of names
  /// with many labels a body that may be sent would make gigabytes.
  static let maximumLength = 1 << 28
  /// RFC 2181 §8.
  static let maximumTTL: UInt32 = 0x7FFF_FFFF

  /// Proves all that serving the zone relies on.
  /// - Parameter sorted: `sortedRRsets`: those of a name stand side by side, and after a name all that is below it.
  func validate(_ sorted: [RRset]) throws(ZoneViolation) {
    guard let authority = rrsets[RRsetKey(name: name, type: .soa)], authority.active.count == 1 else {
      throw ZoneViolation(name, .soa, "a zone has exactly one SOA record, at its apex")
    }
    var source: Name?
    var rest = sorted[...]
    while let first = rest.first {
      let sets = rest.prefix { $0.name == first.name }
      rest = rest.dropFirst(sets.count)
      for set in sets { try validate(set) }
      let served = sets.filter(\.isServed)
      guard let last = served.last else { continue }
      guard served.count <= Zone.maximumTypes else {
        throw ZoneViolation(last.name, last.type, "more than \(Zone.maximumTypes) types at one name")
      }
      let types = Set(served.map(\.type))
      try validate(types: types, at: first.name)
      // RFC 6672 §2.4.
      if let source, first.name.isBelow(source) {
        throw ZoneViolation(last.name, last.type, "nothing exists below the DNAME at \(source)")
      }
      if types.contains(.dname) { source = first.name }
    }
  }

  private func validate(_ set: RRset) throws(ZoneViolation) {
    guard set.name.isAtOrBelow(name) else {
      throw ZoneViolation(set.name, set.type, "the name is out of zone \(name)")
    }
    guard !set.type.isMeta else { throw ZoneViolation(set.name, set.type, "the type is not for data") }
    guard set.ttl <= Zone.maximumTTL else {
      throw ZoneViolation(set.name, set.type, "the TTL must be a whole number from 0 to 2147483647")
    }
    if set.type == .soa, set.name != name { throw ZoneViolation(set.name, .soa, "an SOA is only at the apex") }
    guard set.records.count == 1 || Set(set.records.map(\.data)).count == set.records.count else {
      throw ZoneViolation(set.name, set.type, "a record is there twice")
    }
    let length = set.records.reduce(0) { $0 + 12 + $1.data.wire.count }
    guard length <= Zone.maximumRRsetLength else {
      throw ZoneViolation(set.name, set.type, "more than \(Zone.maximumRRsetLength) octets")
    }
    for record in set.records {
      guard record.data.type == set.type else {
        throw ZoneViolation(set.name, set.type, "the data is of type \(record.data.type)")
      }
    }
  }

  private func validate(types: Set<RecordType>, at owner: Name) throws(ZoneViolation) {
    // RFC 1034 §3.6.2, RFC 2181 §10.1; DNSSEC's own types may stand beside an alias (RFC 4034 §3, RFC 4035 §2.5).
    let beside: Set<RecordType> = [.rrsig, RecordType(rawValue: 47)]
    for alias in [RecordType.cname, .dname] where types.contains(alias) {
      let count = rrsets[RRsetKey(name: owner, type: alias)]?.active.count ?? 0
      guard count == 1 else { throw ZoneViolation(owner, alias, "a name has at most one \(alias)") }
    }
    if types.contains(.cname), let other = types.subtracting(beside).first(where: { $0 != .cname }) {
      throw ZoneViolation(
        owner, .cname, "conflicts with pre-existing RRset: a CNAME stands alone, here is also \(other)")
    }
    if types.contains(.dname), types.contains(.ns), owner != name {
      throw ZoneViolation(owner, .dname, "a DNAME is not beside a delegation (RFC 6672 §2.3)")
    }
  }
}
