import DNSWire

/// What identifies an RRset within a zone.
struct RRsetKey: Hashable, Sendable {
  var name: Name
  var type: RecordType
}

/// The records of one name and type; they share a TTL (RFC 2181 §5.2).
struct RRset: Hashable, Sendable {
  /// One datum; a disabled one is kept but not served.
  struct Record: Hashable, Sendable {
    var data: RData
    var isDisabled = false
  }

  /// A remark that the API keeps with an RRset.
  struct Comment: Hashable, Sendable {
    var content: String
    var account: String
    /// Seconds since 1970.
    var modifiedAt: Int64
  }

  var name: Name
  var type: RecordType
  /// Seconds.
  var ttl: UInt32
  var records: [Record]
  var comments: [Comment] = []

  var key: RRsetKey { RRsetKey(name: name, type: type) }
  /// Any of it is served.
  var isServed: Bool { records.contains { !$0.isDisabled } }
  /// What is served.
  var active: [RData] { records.lazy.filter { !$0.isDisabled }.map(\.data) }

  /// Adds a record that is not there yet. No RRset that can be served has `Zone.maximumRecords`: beyond, nothing is compared,
  /// since the set is refused in any case and each of many would be compared with all before it.
  mutating func add(_ record: Record) {
    guard records.count >= Zone.maximumRecords || !records.contains(where: { $0.data == record.data }) else { return }
    records.append(record)
  }

  /// Equal to the letter: names that differ in case are equal otherwise.
  func isWritten(as other: RRset) -> Bool {
    self == other && name.wire == other.name.wire
      && zip(records, other.records).allSatisfy { !$0.data.hasName || $0.data.wire == $1.data.wire }
  }
}

extension RData {
  /// A name is in it that is compared without case.
  fileprivate var hasName: Bool {
    switch self {
    case .address, .txt, .caa, .unknown: false
    default: true
    }
  }
}

/// A zone as it is administered. What is served is the `ZoneTree` made of it.
struct Zone: Sendable {
  var name: Name
  /// How the API calls it: "Native", "Master", …; all are served alike.
  var kind: String
  var account = ""
  /// How the serial advances: "DEFAULT" by one or to today's date, "INCREASE" by one, "EPOCH" to the time, "OFF" and ""
  /// not at all.
  var soaEditAPI = "DEFAULT"
  var rrsets: [RRsetKey: RRset] = [:]

  init(name: Name, kind: String = "Native") {
    self.name = name
    self.kind = kind
  }

  /// The SOA that is served.
  var soa: SOA? {
    guard case .soa(let soa)? = rrsets[RRsetKey(name: name, type: .soa)]?.active.first else { return nil }
    return soa
  }

  /// In canonical order, the apex first and there the SOA before all else.
  var sortedRRsets: [RRset] {
    let keyed = rrsets.values.map { (key: $0.name.canonicalKey, rank: $0.type == .soa ? 0 : $0.type.rawValue, set: $0) }
    let sorted = keyed.sorted { left, right in
      left.key == right.key ? left.rank < right.rank : left.key.lexicographicallyPrecedes(right.key)
    }
    return sorted.map(\.set)
  }

  /// What is served, as records.
  var records: [ResourceRecord] {
    sortedRRsets.flatMap { set in set.active.map { ResourceRecord(name: set.name, ttl: set.ttl, data: $0) } }
  }

  /// Adds records, each to the RRset of its name and type; the set's TTL is that of its first record.
  mutating func add(_ records: some Sequence<ResourceRecord>) {
    for record in records {
      let key = RRsetKey(name: record.name, type: record.type)
      let empty = RRset(name: record.name, type: record.type, ttl: record.ttl, records: [])
      rrsets[key, default: empty].add(.init(data: record.data))
    }
  }
}
