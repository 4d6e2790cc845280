import CLinux
import Glibc
public import Octets

/// The client's end of a connection, for code that reads as a conversation: connect, write, read.
public actor TCPConnection: StreamOwner {
  public nonisolated let loop: EventLoop
  public nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe loop.asUnownedSerialExecutor() }
  public let stream: TCPStream
  private var input: [UInt8] = []
  /// The peer has said its last in order; what goes wrong later takes nothing of that back.
  private var hasPeerFinished = false
  private var failure: IOError?
  private var reader: Suspension<IOError?>?
  private var writer: Suspension<IOError?>?

  /// Octets held for a reader that is busy elsewhere; above it the peer waits.
  private static let inputLimit = 262_144

  private init(_ socket: ConnectedSocket, on loop: EventLoop) {
    self.loop = loop
    stream = TCPStream(socket, on: loop)
  }

  /// Opens a connection.
  ///
  /// - Parameter source: the address to send from; nil lets the kernel choose.
  public static func connect(
    to address: SocketAddress, from source: IPAddress? = nil, on loop: EventLoop, timeout: Duration = .seconds(10)
  ) async throws(IOError) -> TCPConnection {
    let socket = try await ConnectedSocket.connect(to: address, from: source, on: loop, timeout: timeout)
    let connection = TCPConnection(socket, on: loop)
    try await connection.startReceiving()
    return connection
  }

  /// The next octets, in whatever portions they come; empty at the end of the stream.
  public func read(timeout: Duration = .seconds(60)) async throws(IOError) -> [UInt8] {
    while input.isEmpty {
      if hasPeerFinished { return [] }
      if let failure { throw failure }
      wakeReader(.closed)
      let waiter = Suspension<IOError?>(on: loop)
      reader = waiter
      if let error = await waiter.value(within: timeout, late: .timedOut, cancelled: .cancelled) { throw error }
    }
    var octets: [UInt8] = []
    swap(&octets, &input)
    if !hasPeerFinished { stream.resumeReading() }
    return octets
  }

  /// Sends octets; returns when the connection can take more.
  public func write(_ octets: [UInt8], timeout: Duration = .seconds(60)) async throws(IOError) {
    if let failure { throw failure }
    guard stream.isOpen else { throw .closed }
    stream.write(octets)
    guard stream.isCongested else { return }
    wakeWriter(.closed)
    let waiter = Suspension<IOError?>(on: loop)
    writer = waiter
    if let error = await waiter.value(within: timeout, late: .timedOut, cancelled: .cancelled) { throw error }
  }

  /// No more will be written; reading goes on.
  public func finish() { stream.finish() }

  /// Ends the connection; whoever waits hears `closed`.
  public func close() {
    stream.close()
    failure = failure ?? .closed
    wakeReader(.closed)
    wakeWriter(.closed)
  }

  // MARK: StreamOwner

  public func received(_ octets: RawSpan) {
    unsafe octets.withUnsafeBytes { unsafe input.append(contentsOf: $0) }
    if input.count > Self.inputLimit { stream.pauseReading() }
    wakeReader(nil)
  }

  public func peerFinished() {
    hasPeerFinished = true
    wakeReader(nil)
  }

  public func drained() { wakeWriter(nil) }

  public func ended(_ error: IOError?) {
    if error == nil { hasPeerFinished = true }
    failure = error ?? .closed
    wakeReader(hasPeerFinished ? nil : error)
    wakeWriter(error ?? .closed)
  }

  private func wakeReader(_ error: IOError?) {
    reader?.wake(error)
    reader = nil
  }

  private func wakeWriter(_ error: IOError?) {
    writer?.wake(error)
    writer = nil
  }
}

extension ConnectedSocket {
  /// Opens a connection for an actor of its own.
  ///
  /// - Parameter source: the address to send from; nil lets the kernel choose.
  public static func connect(
    to address: SocketAddress, from source: IPAddress? = nil, on loop: EventLoop, timeout: Duration = .seconds(10)
  ) async throws(IOError) -> ConnectedSocket {
    guard loop.egress.allows(address.ip) else { throw .egressForbidden }
    return try await Connector.connect(to: address, from: source, on: loop, timeout: timeout)
  }
}

/// Waits until a connection that was begun is there.
private final class Connector: Selectable, @unchecked Sendable {
  private let loop: EventLoop
  private let descriptor: Int32
  private let waiter: Suspension<IOError?>

  private init(_ descriptor: Int32, on loop: EventLoop) {
    self.descriptor = descriptor
    self.loop = loop
    waiter = Suspension(on: loop) { loop.deregister(descriptor) }
  }

  static func connect(
    to address: SocketAddress, from source: IPAddress?, on loop: EventLoop, timeout: Duration
  ) async throws(IOError) -> ConnectedSocket {
    let descriptor = try openSocket(address, type: CLINUX_SOCK_STREAM)
    do throws(IOError) {
      if let source { try bindSocket(descriptor, to: SocketAddress(ip: source, port: 0)) }
      try setOption(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY)
      let result = retrying { unsafe withSystemAddress(address) { unsafe Glibc.connect(descriptor, $0, $1) } }
      if result != 0 {
        guard errno == EINPROGRESS else { throw .system(call: "connect", errno: errno) }
        try await Connector(descriptor, on: loop).wait(timeout)
      }
      return ConnectedSocket(descriptor: descriptor, peer: address, local: try boundAddress(of: descriptor))
    } catch {
      close(descriptor)
      throw error
    }
  }

  private func wait(_ timeout: Duration) async throws(IOError) {
    let error = await waiter.value(within: timeout, late: .timedOut, cancelled: .cancelled) {
      do throws(IOError) {
        try self.loop.register(self.descriptor, .write, self)
      } catch {
        self.waiter.wake(error)
      }
    }
    if let error { throw error }
  }

  func ready(_ readiness: Readiness) {
    var code: Int32 = 0
    var length = socklen_t(MemoryLayout<Int32>.size)
    unsafe getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &length)
    waiter.wake(code == 0 ? nil : .system(call: "connect", errno: code))
  }
}
