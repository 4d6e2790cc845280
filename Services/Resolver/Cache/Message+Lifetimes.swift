import DNSWire

/// How long a server's word counts here: settled once as it comes in, so that cache, answer and packet agree.
extension Message {
  /// The message with one TTL for each record set, the smallest (RFC 2181 §5.2), none of them above the cap; a negative answer's
  /// SOA lives no longer than its MINIMUM says (RFC 2308 §5). Records that are there twice are left out (RFC 2181 §5).
  func settled() -> Message {
    var message = self
    message.answers = Self.settled(answers)
    message.authorities = Self.settled(
      authorities.map { record in
        guard case .soa(let soa) = record.data else { return record }
        var record = record
        record.ttl = min(record.ttl, soa.minimum, RecordCache.longestNegativeTTL)
        return record
      })
    message.additionals = Self.settled(additionals)
    return message
  }

  private struct SetKey: Hashable {
    var name: Name
    var `class`: RecordClass
    var type: RecordType

    init(_ record: ResourceRecord) {
      name = record.name
      self.class = record.class
      type = record.type
    }
  }

  private static func settled(_ records: [ResourceRecord]) -> [ResourceRecord] {
    var least: [SetKey: UInt32] = [:]
    for record in records {
      let key = SetKey(record)
      least[key] = min(least[key] ?? RecordCache.longestTTL, record.ttl)
    }
    var seen: Set<ResourceRecord> = []
    return records.compactMap { record in
      var record = record
      record.ttl = least[SetKey(record)] ?? 0
      return seen.insert(record).inserted ? record : nil
    }
  }
}
