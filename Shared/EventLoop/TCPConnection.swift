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
  private var reader: Waiter?
  private var writer: Waiter?

  /// Octets held for a reader that is busy elsewhere; above it the peer waits.
  private static let inputLimit = 262_144

  private struct Waiter {
    let continuation: CheckedContinuation<IOError?, Never>
    let timer: TimerID
  }

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
    guard loop.egress.allows(address.ip) else { throw .egressForbidden }
    let socket = try await Connector.connect(to: address, from: source, on: loop, timeout: timeout)
    let connection = TCPConnection(socket, on: loop)
    try await connection.startReceiving()
    return connection
  }

  /// The next octets, in whatever portions they come; empty at the end of the stream.
  public func read(timeout: Duration = .seconds(60)) async throws(IOError) -> [UInt8] {
    while input.isEmpty {
      if hasPeerFinished { return [] }
      if let failure { throw failure }
      let error = await withCheckedContinuation { continuation in
        reader?.continuation.resume(returning: .closed)
        let timer = loop.after(timeout) { self.assumeIsolated { $0.wakeReader(.timedOut) } }
        reader = Waiter(continuation: continuation, timer: timer)
      }
      if let error { throw error }
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
    let error = await withCheckedContinuation { continuation in
      writer?.continuation.resume(returning: .closed)
      let timer = loop.after(timeout) { self.assumeIsolated { $0.wakeWriter(.timedOut) } }
      writer = Waiter(continuation: continuation, timer: timer)
    }
    if let error { throw error }
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
    guard let waiter = reader else { return }
    reader = nil
    loop.cancel(waiter.timer)
    waiter.continuation.resume(returning: error)
  }

  private func wakeWriter(_ error: IOError?) {
    guard let waiter = writer else { return }
    writer = nil
    loop.cancel(waiter.timer)
    waiter.continuation.resume(returning: error)
  }
}

/// Waits until a connection that was begun is there.
private final class Connector: Selectable, @unchecked Sendable {
  private let loop: EventLoop
  private let descriptor: Int32
  private let continuation: CheckedContinuation<IOError?, Never>
  private var timer: TimerID?
  private var isDone = false

  private init(_ descriptor: Int32, on loop: EventLoop, _ continuation: CheckedContinuation<IOError?, Never>) {
    self.descriptor = descriptor
    self.loop = loop
    self.continuation = continuation
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
        let error = await withCheckedContinuation { continuation in
          loop.onLoop { Connector(descriptor, on: loop, continuation).wait(timeout) }
        }
        if let error { throw error }
      }
      return ConnectedSocket(descriptor: descriptor, peer: address, local: try boundAddress(of: descriptor))
    } catch {
      close(descriptor)
      throw error
    }
  }

  private func wait(_ timeout: Duration) {
    do throws(IOError) {
      try loop.register(descriptor, .write, self)
      timer = loop.after(timeout) { self.finish(.timedOut) }
    } catch {
      finish(error)
    }
  }

  func ready(_ readiness: Readiness) {
    var code: Int32 = 0
    var length = socklen_t(MemoryLayout<Int32>.size)
    unsafe getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &length)
    finish(code == 0 ? nil : .system(call: "connect", errno: code))
  }

  private func finish(_ error: IOError?) {
    guard !isDone else { return }
    isDone = true
    if let timer { loop.cancel(timer) }
    loop.deregister(descriptor)
    continuation.resume(returning: error)
  }
}
