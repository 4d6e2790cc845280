public import EventLoop
import Glibc
import HTTPWire
public import Octets
import Synchronization

/// An HTTP/1.1 server (RFC 9110, RFC 9112) on any number of addresses and loops.
public final class HTTPServer: Sendable {
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

  /// Requests begun.
  public let requests = RequestCount()
  /// Requests refused for their form, or too slow.
  public let refusals = RequestCount()
  /// Connections over a bound.
  public let turnedAway = RequestCount()
  /// Requests answered 503 since too many were in flight.
  public let overloads = RequestCount()

  /// Handlers that have not answered yet.
  private let handling = Atomic<Int>(0)

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
    let client = socket.peer.ip.network
    let isWelcome = state.withLock { state in
      guard state.connections.count < configuration.connections,
        state.perAddress[client, default: 0] < configuration.connectionsPerAddress
      else { return false }
      state.perAddress[client, default: 0] += 1
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

  /// Counts a handler that has to wait; false when so many do already that it can't be one more.
  func enter() -> Bool {
    if handling.add(1, ordering: .relaxed).newValue <= configuration.requestsInFlight { return true }
    exit()
    overloads.add()
    return false
  }

  func exit() { handling.subtract(1, ordering: .relaxed) }

  func forget(_ connection: HTTPConnection) {
    let client = connection.stream.peer.ip.network
    state.withLock { state in
      guard state.connections.removeValue(forKey: ObjectIdentifier(connection)) != nil else { return }
      let left = state.perAddress[client, default: 1] - 1
      state.perAddress[client] = left > 0 ? left : nil
    }
  }

  /// Stops: live streams end, no more connections are taken, requests under way are answered. Returns when the last connection
  /// has gone, or after `limit`, when those who still wait are told 503 and the rest is cut.
  public func drain(within limit: Duration, on loop: EventLoop) async {
    draining.store(true, ordering: .relaxed)
    let listeners = state.withLock { $0.listeners }
    for connection in state.withLock({ Array($0.connections.values) }) { await connection.drain() }
    for listener in listeners { await listener.drain() }
    for connection in state.withLock({ Array($0.connections.values) }) { await connection.drain() }
    let end = Instant.current + limit
    while connectionCount > 0, Instant.current < end { await loop.sleep(for: .milliseconds(10)) }
    for connection in state.withLock({ Array($0.connections.values) }) { await connection.giveUp() }
    // What was said last leaves in the turn that follows.
    await loop.sleep(for: .milliseconds(10))
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

/// Counts from any thread.
public final class RequestCount: Sendable {
  private let value = Atomic<UInt64>(0)
  init() {}
  func add() { value.wrappingAdd(1, ordering: .relaxed) }
  public var current: UInt64 { value.load(ordering: .relaxed) }
}
