import DNSWire

/// One change of an RRset, as PATCH has it.
struct RRsetChange: Sendable {
  enum Kind: String, Sendable {
    /// The RRset becomes this; without records it goes. Nil records leave them as they are.
    case replace = "REPLACE"
    case delete = "DELETE"
    /// A record is added, or taken away.
    case extend = "EXTEND"
    case prune = "PRUNE"
  }

  var kind: Kind
  var name: Name
  var type: RecordType
  /// Seconds; nil keeps what is there.
  var ttl: UInt32?
  var records: [RRset.Record]?
  var comments: [RRset.Comment]?

  var key: RRsetKey { RRsetKey(name: name, type: type) }
}

extension Zone {
  /// Applies changes in their order.
  /// - Throws: the first that can't be; the zone is then half changed and must not be used.
  mutating func apply(_ changes: [RRsetChange]) throws(ZoneViolation) {
    var seen: Set<RRsetKey> = []
    for change in changes {
      if change.kind == .replace || change.kind == .delete, !seen.insert(change.key).inserted {
        throw ZoneViolation(change.name, change.type, "is in this request twice")
      }
      try apply(change)
    }
  }

  private mutating func apply(_ change: RRsetChange) throws(ZoneViolation) {
    guard change.name.isAtOrBelow(name) else {
      throw ZoneViolation(change.name, change.type, "the name is out of zone \(name)")
    }
    let old = rrsets[change.key]
    var set = old ?? RRset(name: change.name, type: change.type, ttl: 3600, records: [])
    switch change.kind {
    case .delete:
      rrsets[change.key] = nil
      return
    case .replace:
      if let records = change.records {
        guard let ttl = change.ttl ?? (records.isEmpty ? 0 : nil) else {
          throw ZoneViolation(change.name, change.type, "ttl is missing")
        }
        set.records = records
        set.ttl = ttl
        set.name = change.name
      }
      if let comments = change.comments { set.comments = comments }
    case .extend:
      if let ttl = change.ttl { set.ttl = ttl }
      for record in change.records ?? [] { set.add(record) }
    case .prune:
      let pruned = Set((change.records ?? []).map(\.data))
      set.records.removeAll { pruned.contains($0.data) }
    }
    rrsets[change.key] = set.records.isEmpty ? nil : set
  }
}
