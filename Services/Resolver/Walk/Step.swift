import DNSWire
import Octets

/// One step of a walk, kept when the client asked for a trace.
struct Step {
  enum Kind: String {
    case cache
    case query
    case special
  }

  enum Result: String {
    case answer
    case alias
    case referral
    case noSuchName = "no_such_name"
    case noData = "no_data"
    /// The cache knows the servers of a zone on the way.
    case delegation
    case truncated
    case withoutEDNS = "without_edns"
    case lame
    case refused
    case malformed
    case timeout
    case unreachable
    case failed
    case pending
  }

  var kind: Kind
  /// 0 for the client's question, more for name servers' addresses it needs.
  var depth: Int
  var name: Name
  var type: RecordType
  /// Since the walk began.
  var at: Duration
  var result: Result
  var detail: String?
  var zone: Name?
  /// Records from the cache.
  var records: [ResourceRecord] = []
  var exchange: Ask?
  var serverName: Name?
  var rtt: Duration?
  var response: Message?
}
