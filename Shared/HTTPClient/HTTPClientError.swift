/// Why a request got no response. It names the request and the reason, for a log or for the person who asked.
public struct HTTPClientError: Error, Sendable, CustomStringConvertible {
  /// What a caller can do about it.
  public enum Kind: Sendable, Hashable {
    /// The URL, the method or a header can't be sent: a mistake of the caller.
    case invalidRequest
    /// The host's name has no address.
    case unresolved
    /// The egress policy forbids the address.
    case forbidden
    /// No connection, or it broke before a response came.
    case connection
    /// The deadline passed, or the peer was silent too long.
    case timedOut
    /// The response is longer than the request's limit.
    case tooLarge
    /// The response broke off or is not HTTP.
    case brokenResponse
    /// The TLS handshake or the certificate failed.
    case tls
    /// The caller's task was cancelled, or the response let go.
    case cancelled
    /// Too many requests are under way.
    case overloaded
    /// The client was closed.
    case closed
  }

  public let kind: Kind
  /// Such as "GET".
  public let method: String
  /// The URL as it was asked for.
  public let url: String
  /// What happened, in words.
  public let reason: String

  public var description: String { "\(method) \(url): \(reason)" }
}
