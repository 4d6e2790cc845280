import DNSWire

/// How far data can be believed, by where it stood in which message (RFC 2181 §5.4.1); more is better.
enum Credibility: UInt8, Comparable {
  /// Glue, and delegations: good for finding servers, never given as an answer.
  case additional = 1
  /// The answer section without AA, or behind the first alias of one with it.
  case answer = 2
  /// The answer section of a message with AA.
  case authoritativeAnswer = 3

  static func < (left: Credibility, right: Credibility) -> Bool { left.rawValue < right.rawValue }
}

/// What is cached for a name and type.
struct CacheEntry {
  enum Kind {
    case records
    /// The name has no such type (RFC 2308 §2.2); the SOA is kept as the only record.
    case noData
    /// There is no such name, nor any below it (RFC 8020).
    case noSuchName
    /// The servers could not be asked (RFC 9520).
    case failure
  }

  var kind: Kind
  var credibility: Credibility
  /// One record set, its TTLs as they were at `stored`; the SOA of a negative answer.
  var records: [ResourceRecord]
  /// World seconds.
  var stored: Int64
  var expires: Int64

  /// What is kept of a time that the world's clock has gone back from (a reset) would live for as long as it went.
  func isLive(at now: Int64) -> Bool { stored <= now && now < expires }

  /// The records with what is left of their TTLs.
  func records(at now: Int64) -> [ResourceRecord] {
    let left = UInt32(clamping: max(expires - now, 0))
    return records.map { record in
      var record = record
      record.ttl = min(record.ttl, left)
      return record
    }
  }
}

struct CacheKey: Hashable {
  var name: Name
  /// 0 stands for the whole name.
  var type: UInt16
}
