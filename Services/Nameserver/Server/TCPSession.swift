import DNSWire
import EventLoop
import Octets

/// One TCP connection: queries with a length before each, answered in order (RFC 7766 §6.2.1.1), as many as the
/// client likes.
actor TCPSession: StreamOwner {
  nonisolated let loop: EventLoop
  nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe loop.asUnownedSerialExecutor() }

  let stream: TCPStream
  private let server: DNSLoop
  private let idleTime: Duration
  private var lastQuery: Instant
  private var idleTimer: TimerID?
  /// The beginning of a message whose rest has not come, or what waits until the client has read the answers before.
  /// At most one read and one message.
  private var input: [UInt8] = []

  init(_ stream: TCPStream, of server: DNSLoop, idleTime: Duration) {
    self.stream = stream
    self.server = server
    self.idleTime = idleTime
    loop = server.loop
    lastQuery = .current
  }

  func start() {
    do {
      try startReceiving()
    } catch {
      return end()
    }
    watch(after: idleTime)
  }

  /// One timer a connection, set anew only when it fires.
  private func watch(after delay: Duration) {
    idleTimer = loop.after(delay) { [weak self] in
      self?.assumeIsolated { $0.checkIdle() }
    }
  }

  private func checkIdle() {
    let idle = loop.now.since(lastQuery)
    if idle < idleTime {
      watch(after: idleTime - idle)
    } else {
      end()
    }
  }

  func received(_ octets: RawSpan) {
    if input.isEmpty {
      let used = answer(octets)
      if used < octets.byteCount {
        unsafe octets.extracting(used..<octets.byteCount).withUnsafeBytes { unsafe input.append(contentsOf: $0) }
      }
    } else {
      unsafe octets.withUnsafeBytes { unsafe input.append(contentsOf: $0) }
      answerInput()
    }
    // A client that sends queries and does not read the answers has to wait.
    if stream.isCongested { stream.pauseReading() }
  }

  func drained() {
    answerInput()
    if !stream.isCongested { stream.resumeReading() }
  }

  private func answerInput() {
    // Every octet of an array of octets is initialised.
    input.removeFirst(unsafe answer(input.span.bytes))
    if input.isEmpty { input = [] }
  }

  private func answer(_ octets: RawSpan) -> Int {
    let before = stream.pendingOctets
    let used = server.assumeIsolated { $0.answer(octets, on: stream) }
    if stream.pendingOctets > before { lastQuery = loop.now }
    return used
  }

  func peerFinished() { finish() }

  /// What is answered still leaves.
  func finish() {
    stream.closeGracefully()
  }

  func ended(_ error: IOError?) { end() }

  private func end() {
    if let idleTimer { loop.cancel(idleTimer) }
    idleTimer = nil
    stream.close()
    server.assumeIsolated { $0.forget(self, stream.peer.ip) }
  }
}
