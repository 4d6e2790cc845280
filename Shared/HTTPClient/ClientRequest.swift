public import Octets

/// One request to send.
public struct ClientRequest: Sendable {
  /// A token, such as "GET". It decides whether the request may be repeated, see `isRepeatable`.
  public var method: String
  /// An absolute http or https URL without credentials.
  public var url: String
  /// In the order they are sent. Host, Content-Length and Connection are the client's business.
  public var headers: [(name: String, value: String)]
  /// Nil sends none; an empty one says so with `Content-Length: 0`.
  public var body: [UInt8]?
  /// The W3C trace context of the caller's span, sent as `traceparent`.
  public var traceparent: String?
  /// Time for the whole of `send`, the look-up of the name and all attempts together, and for `stream` until the response's
  /// head.
  public var deadline: Duration = .seconds(30)
  /// Time for one connection to come about.
  public var connectTimeout: Duration = .seconds(10)
  /// How long the peer may be silent within a streamed body; nil is for ever.
  public var silence: Duration? = .seconds(60)
  /// Octets of body that `send` accepts.
  public var bodyLimit = 1_048_576
  /// How often `send` goes where an answer to a GET or HEAD leads (RFC 9110 §15.4), to http and https alone and within the egress
  /// policy; with 0, such an answer is the caller's.
  public var redirects = 0
  /// The address to send from, by which only hosts of its family are reached; nil lets the kernel choose, or takes a connection
  /// that is kept.
  public var sourceAddress: IPAddress?
  /// Whether the request may be sent again when the connection failed before a response came. By default what RFC 9110
  /// §9.2.2 calls idempotent; a POST with an Idempotency-Key may say so too.
  public var isRepeatable: Bool

  public init(
    _ method: String, _ url: String, headers: [(name: String, value: String)] = [], body: [UInt8]? = nil,
    traceparent: String? = nil
  ) {
    self.method = method
    self.url = url
    self.headers = headers
    self.body = body
    self.traceparent = traceparent
    isRepeatable = ["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"].contains(method)
  }

  /// A GET.
  public init(_ url: String, traceparent: String? = nil) {
    self.init("GET", url, traceparent: traceparent)
  }

  func failure(_ kind: HTTPClientError.Kind, _ reason: String) -> HTTPClientError {
    HTTPClientError(kind: kind, method: method, url: url, reason: reason)
  }
}

/// The start line and header fields of a response.
public struct ClientResponseHead: Sendable {
  /// 200 to 599: interim responses are not shown.
  public internal(set) var status: Int
  /// In the order they came, names as sent, values trimmed.
  public internal(set) var headers: [(name: String, value: String)]

  /// The first field of that name, in any case.
  public func header(_ name: String) -> String? {
    headers.first { $0.name.utf8.elementsEqualIgnoringCase(name.utf8) }?.value
  }
}

/// A response that was read whole.
public struct ClientResponse: Sendable {
  public let head: ClientResponseHead
  public let body: [UInt8]

  public var status: Int { head.status }

  /// The first field of that name, in any case.
  public func header(_ name: String) -> String? { head.header(name) }
}

extension Sequence<UInt8> {
  fileprivate func elementsEqualIgnoringCase(_ other: some Sequence<UInt8>) -> Bool {
    elementsEqual(other) { $0.asciiLowercased == $1.asciiLowercased }
  }
}
