public import EventLoop
import Glibc
public import HTTPWire
public import Octets
import Synchronization

/// An HTTP/1.1 server (RFC 9110, RFC 9112) on any number of addresses and loops.
public final class HTTPServer: Sendable {
  /// The bounds and hooks of a server.
  public struct Configuration: Sendable {
    public var limits = Limits()
    /// From the first octet of a head, or from the connection's start, to its end.
    public var headTimeout = Duration.seconds(10)
    /// Between two requests.
    public var idleTimeout = Duration.seconds(75)
    /// Without any progress of a request's content, or of an answer the client does not read.
    public var contentTimeout = Duration.seconds(30)
    /// Between the comments in a quiet stream of events.
    public var heartbeat = Duration.seconds(15)
    /// Connections at a time, and of one address.
    public var connections = 10_000
    public var connectionsPerAddress = 1_000
    /// Seconds since 1970, for Date: the world's clock where there is one.
    public var clock: @Sendable () -> Int64 = { Int64(time(nil)) }
    public var onAccess: (@Sendable (AccessRecord) -> Void)?
    /// Told of errors that handlers throw and that know no answer: each is a 500.
    public var onError: (@Sendable (any Error) -> Void)?
    /// How often a connection looks at its deadline.
    var tick: Duration { min(headTimeout, idleTimeout, contentTimeout, .seconds(4)) / 4 }

    public init() {}
  }

  private struct State {
    var listeners: [TCPListener] = []
    var connections: [ObjectIdentifier: HTTPConnection] = [:]
    var perAddress: [IPAddress: Int] = [:]
  }

  public let router: Router
  public let configuration: Configuration
  private let state = Lock(State())
  private let draining = Atomic<Bool>(false)
  private let date = Lock<(second: Int64, line: [UInt8])>((0, []))

  /// Requests begun, requests refused by their form, connections turned away by a bound.
  public let requests = RequestCount()
  public let refusals = RequestCount()
  public let turnedAway = RequestCount()

  public init(router: Router, configuration: Configuration = Configuration()) {
    self.router = router
    self.configuration = configuration
  }

  public var isDraining: Bool { draining.load(ordering: .relaxed) }
  public var connectionCount: Int { state.withLock { $0.connections.count } }

  /// Listens on one address with every loop; routes that are added later are not seen.
  ///
  /// - Returns: the address with its real port.
  @discardableResult
  public func listen(on address: SocketAddress, loops: [EventLoop]) throws(IOError) -> SocketAddress {
    let routes = router.snapshot
    var bound = address
    for (index, loop) in loops.enumerated() {
      let listener = try TCPListener(bound, on: loop, sharesPort: loops.count > 1, isSibling: index > 0) {
        [self] socket in
        accept(socket, routes, loop)
      }
      bound = listener.address
      state.withLock { $0.listeners.append(listener) }
    }
    return bound
  }

  private func accept(_ socket: ConnectedSocket, _ routes: Router.Contents, _ loop: EventLoop) {
    let isWelcome = state.withLock { state in
      guard state.connections.count < configuration.connections,
        state.perAddress[socket.peer.ip, default: 0] < configuration.connectionsPerAddress
      else { return false }
      state.perAddress[socket.peer.ip, default: 0] += 1
      return true
    }
    guard isWelcome else {
      turnedAway.add()
      return socket.close()
    }
    let connection = HTTPConnection(socket, server: self, routes: routes, on: loop)
    state.withLock { $0.connections[ObjectIdentifier(connection)] = connection }
    connection.assumeIsolated { $0.start() }
  }

  func forget(_ connection: HTTPConnection) {
    let ip = connection.stream.peer.ip
    state.withLock { state in
      guard state.connections.removeValue(forKey: ObjectIdentifier(connection)) != nil else { return }
      let left = state.perAddress[ip, default: 1] - 1
      state.perAddress[ip] = left > 0 ? left : nil
    }
  }

  /// Stops: live streams end, no more connections are taken, requests under way are answered. Returns when the last connection
  /// has gone, or after `limit`, when those left are cut.
  public func drain(within limit: Duration, on loop: EventLoop) async {
    draining.store(true, ordering: .relaxed)
    let listeners = state.withLock { $0.listeners }
    for connection in state.withLock({ Array($0.connections.values) }) { await connection.drain() }
    for listener in listeners { await listener.drain() }
    for connection in state.withLock({ Array($0.connections.values) }) { await connection.drain() }
    let end = Instant.current + limit
    while connectionCount > 0, Instant.current < end { await loop.sleep(for: .milliseconds(10)) }
    for connection in state.withLock({ Array($0.connections.values) }) { await connection.end() }
  }

  /// The Date field's line (RFC 9110 §6.6.1), made once a second.
  func dateLine() -> [UInt8] {
    let now = configuration.clock()
    return date.withLock { cached in
      if cached.second != now {
        cached = (now, Array("date: ".utf8) + HTTPDate.format(now) + Array("\r\n".utf8))
      }
      return cached.line
    }
  }
}

/// What an access log says of a request.
public struct AccessRecord: Sendable {
  public let peer: SocketAddress
  public let head: RequestHead
  public let status: Status
  /// From the end of the head to the start of the answer.
  public let duration: Duration
}

/// Counts from any thread.
public final class RequestCount: Sendable {
  private let value = Atomic<UInt64>(0)
  init() {}
  func add() { value.wrappingAdd(1, ordering: .relaxed) }
  public var current: UInt64 { value.load(ordering: .relaxed) }
}
