import DNSWire
import EventLoop
import Octets

/// A client's connection (RFC 7766): queries with their length before them, answered as they are ready.
actor TCPSession: StreamOwner {
  nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe loop.asUnownedSerialExecutor() }
  nonisolated let loop: EventLoop
  let stream: TCPStream
  private let resolver: LoopResolver
  private var input: [UInt8] = []
  private var underWay = 0
  private var isFinished = false
  private var isClosed = false
  private var idle: TimerID?

  init(_ socket: ConnectedSocket, _ resolver: LoopResolver) {
    loop = resolver.loop
    stream = TCPStream(socket, on: resolver.loop)
    self.resolver = resolver
  }

  func start() {
    do throws(IOError) {
      try startReceiving()
      waitIdle()
    } catch {
      close()
    }
  }

  func received(_ octets: RawSpan) {
    for offset in 0..<octets.byteCount { input.append(octets[offset]) }
    takeQueries()
  }

  private func takeQueries() {
    var offset = 0
    let client = stream.peer.ip.unmapped
    while underWay < resolver.setup.limits.queriesPerConnection, !stream.isCongested, input.count - offset >= 2 {
      let length = Int(input[offset]) << 8 | Int(input[offset + 1])
      guard input.count - offset >= 2 + length else { break }
      let message = Array(input[offset + 2..<offset + 2 + length])
      offset += 2 + length
      guard let header = unsafe Header(decoding: message.span.bytes), !header.isResponse else { return close() }
      underWay += 1
      resolver.assumeIsolated { resolver in
        resolver.counters.tcpQueries += 1
        resolver.answer(message, for: client) { answer in self.assumeIsolated { $0.send(answer) } }
      }
      if isClosed { return }
    }
    if offset > 0 { input.removeFirst(offset) }
    // What is left is less than a message, or has to wait.
    if input.count > Message.maximumLength + 2 { stream.pauseReading() } else { stream.resumeReading() }
    waitIdle()
  }

  private func send(_ answer: [UInt8]) {
    underWay -= 1
    guard !isClosed else { return }
    stream.write([UInt8(answer.count >> 8), UInt8(answer.count & 0xFF)])
    stream.write(answer)
    if isFinished, underWay == 0 {
      stream.closeGracefully()
    } else if underWay == 0 {
      waitIdle()
    }
    if !input.isEmpty, underWay == resolver.setup.limits.queriesPerConnection - 1 {
      loop.submit { self.assumeIsolated { $0.resume() } }
    }
  }

  private func resume() {
    if !isClosed { takeQueries() }
  }

  func drained() { resume() }

  func peerFinished() {
    isFinished = true
    if underWay == 0 { stream.closeGracefully() }
  }

  func ended(_ error: IOError?) {
    close()
  }

  /// Ends the connection now.
  func close() {
    guard !isClosed else { return }
    isClosed = true
    if let idle { loop.cancel(idle) }
    stream.close()
    let client = stream.peer.ip.unmapped
    resolver.assumeIsolated { $0.left(self, client) }
  }

  private func waitIdle() {
    if let idle { loop.cancel(idle) }
    idle = loop.after(resolver.setup.limits.idle) { [weak self] in
      self?.assumeIsolated { session in
        if session.underWay == 0 { session.close() } else { session.waitIdle() }
      }
    }
  }
}
