/// The request methods this implementation knows (RFC 9110 §9, RFC 5789); any other is answered 501.
public enum Method: String, Sendable, Hashable, CaseIterable {
  case get = "GET"
  case head = "HEAD"
  case post = "POST"
  case put = "PUT"
  case patch = "PATCH"
  case delete = "DELETE"
  case options = "OPTIONS"
  case trace = "TRACE"
  case query = "QUERY"

  /// Whether a request changes nothing, so that it may be tried again and answered 304 (RFC 9110 §9.2.1).
  public var isSafe: Bool {
    switch self {
    case .get, .head, .options, .trace, .query: true
    case .post, .put, .patch, .delete: false
    }
  }

  /// A number for each method, to index a flat table.
  @inlinable public var index: Int {
    switch self {
    case .get: 0
    case .head: 1
    case .post: 2
    case .put: 3
    case .patch: 4
    case .delete: 5
    case .options: 6
    case .trace: 7
    case .query: 8
    }
  }

  /// The method whose name, read as a big-endian number, is `packed`; method names are case-sensitive.
  init?(packed: UInt64) {
    switch packed {
    case 0x47_4554: self = .get
    case 0x4845_4144: self = .head
    case 0x504f_5354: self = .post
    case 0x50_5554: self = .put
    case 0x50_4154_4348: self = .patch
    case 0x4445_4c45_5445: self = .delete
    case 0x4f_5054_494f_4e53: self = .options
    case 0x54_5241_4345: self = .trace
    case 0x51_5545_5259: self = .query
    default: return nil
    }
  }
}
