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
  /// The beginning of a message whose rest has not come.
  private var input: [UInt8] = []
  /// Its memory is used for the answers of every turn.
  private var output: [UInt8] = []

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
    var answers: [UInt8] = []
    swap(&answers, &output)
    if input.isEmpty {
      let used = server.assumeIsolated { $0.respond(stream: octets, into: &answers) }
      if used < octets.byteCount {
        unsafe octets.extracting(used..<octets.byteCount).withUnsafeBytes { unsafe input.append(contentsOf: $0) }
      }
    } else {
      unsafe octets.withUnsafeBytes { unsafe input.append(contentsOf: $0) }
      // Every octet of an array of octets is initialised.
      let whole = unsafe input.span.bytes
      let used = server.assumeIsolated { $0.respond(stream: whole, into: &answers) }
      input.removeFirst(used)
    }
    if !answers.isEmpty {
      lastQuery = loop.now
      unsafe stream.write(answers.span.bytes)
      answers.removeAll(keepingCapacity: true)
    }
    swap(&answers, &output)
    // A client that sends queries and does not read the answers has to wait.
    if stream.isCongested { stream.pauseReading() }
  }

  func drained() { stream.resumeReading() }

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
