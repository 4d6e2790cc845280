import EventLoop
import Glibc
public import HTTPWire
public import Octets

extension HTTPServer {
  /// The bounds and hooks of a server.
  public struct Configuration: Sendable {
    public var limits = Limits()
    /// From the connection's start, or from the first octet of a later head, to the head's end.
    public var headTimeout = Duration.seconds(10)
    /// Between two requests.
    public var idleTimeout = Duration.seconds(75)
    /// Without any progress of a request's content, or of an answer the client does not read.
    public var contentTimeout = Duration.seconds(30)
    /// Between the comments in a quiet stream of events.
    public var heartbeat = Duration.seconds(15)
    /// Connections at a time; one more is closed at once.
    public var connections = 10_000
    /// Of them, those of one address, or of one IPv6 /64, which one client has whole.
    public var connectionsPerAddress = 1_000
    /// Asynchronous handlers at work at a time; one more request is answered 503 with Retry-After.
    public var requestsInFlight = 4_096
    /// Seconds since 1970, for Date: the world's clock where there is one.
    public var clock: @Sendable () -> Int64 = { Int64(time(nil)) }
    /// Told of every request once, when its answer begins or its client has gone.
    public var onAccess: (@Sendable (AccessRecord) -> Void)?
    /// Told of errors that handlers throw and that know no answer: each is a 500, or ends the stream it interrupts.
    public var onError: (@Sendable (any Error) -> Void)?
    public init() {}
  }
}

/// What an access log says of a request.
public struct AccessRecord: Sendable {
  public let peer: SocketAddress
  public let head: RequestHead
  /// 499 where the client went before it was answered.
  public let status: Status
  /// From the end of the head to the start of the answer.
  public let duration: Duration
}

extension Status {
  /// What access logs say of a request whose client went before its answer; never sent.
  public static let clientClosedRequest: Status = 499
}
