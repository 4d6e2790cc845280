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
  /// No more queries will come; what came is answered.
  private var isFinished = false
  private var isClosed = false
  private var isTaking = false
  private var isResuming = false
  /// When a query came or an answer left.
  private var lastUse: Instant
  private var idle: TimerID?

  init(_ socket: ConnectedSocket, _ resolver: LoopResolver) {
    loop = resolver.loop
    stream = TCPStream(socket, on: resolver.loop)
    self.resolver = resolver
    lastUse = resolver.loop.now
  }

  func start() {
    do throws(IOError) {
      try startReceiving()
      watchIdle(resolver.setup.limits.idle)
    } catch {
      close()
    }
  }

  func received(_ octets: RawSpan) {
    unsafe octets.withUnsafeBytes { unsafe input.append(contentsOf: $0) }
    takeQueries()
  }

  /// Octets of the first query from an offset on, without its length; nil while it isn't whole.
  private func query(at offset: Int) -> Range<Int>? {
    guard input.count - offset >= 2 else { return nil }
    let length = Int(input[offset]) << 8 | Int(input[offset + 1])
    let start = offset + 2
    return input.count - start >= length ? start..<start + length : nil
  }

  private func takeQueries() {
    isTaking = true
    var offset = 0
    let client = stream.peer.ip.unmapped
    while underWay < resolver.setup.limits.queriesPerConnection, !stream.isCongested, let range = query(at: offset) {
      let message = Array(input[range])
      offset = range.upperBound
      lastUse = loop.now
      guard let header = unsafe Header(decoding: message.span.bytes), !header.isResponse else { return close() }
      underWay += 1
      resolver.assumeIsolated { resolver in
        resolver.counters.tcpQueries += 1
        resolver.answer(message, for: client) { answer in self.assumeIsolated { $0.send(answer) } }
      }
      if isClosed { return }
    }
    isTaking = false
    // A quiet connection keeps no memory.
    if offset == input.count { input = [] } else if offset > 0 { input.removeFirst(offset) }
    // What is left is less than a message, or has to wait.
    if input.count > Message.maximumLength + 2 { stream.pauseReading() } else { stream.resumeReading() }
    endIfDone()
  }

  private func send(_ answer: [UInt8]) {
    underWay -= 1
    guard !isClosed else { return }
    lastUse = loop.now
    stream.write([UInt8(answer.count >> 8), UInt8(answer.count & 0xFF)])
    stream.write(answer)
    guard !isTaking, !isResuming, isFinished || !input.isEmpty else { return }
    // Not at once: many answers may come in one turn, and each could begin further queries within the one before.
    isResuming = true
    loop.submit { self.assumeIsolated { $0.resume() } }
  }

  private func resume() {
    isResuming = false
    if !isClosed { takeQueries() }
  }

  func drained() { resume() }

  /// Ends the connection when every query that came whole is answered.
  func finish() {
    isFinished = true
    takeQueries()
  }

  private func endIfDone() {
    if isFinished, underWay == 0, query(at: 0) == nil { stream.closeGracefully() }
  }

  /// Whether the client waits for something.
  var isBusy: Bool { underWay > 0 || stream.pendingOctets > 0 }

  func peerFinished() { finish() }

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

  /// Ends a connection without whole queries for too long (RFC 7766 §6.2.3); octets of a query that never ends don't count.
  private func watchIdle(_ time: Duration) {
    idle = loop.after(time) { [weak self] in
      self?.assumeIsolated { session in
        let limit = session.resolver.setup.limits.idle
        let quiet = session.loop.now.since(session.lastUse)
        if session.underWay == 0, quiet >= limit {
          session.close()
        } else {
          session.watchIdle(max(limit - quiet, limit / 10))
        }
      }
    }
  }
}
