import EventLoop
import HTTPWire
import Octets

/// One client's connection: it drives the parser and the body's decoder, and answers in the order of the requests.
actor HTTPConnection: StreamOwner {
  /// Where the request under way stands.
  enum Phase {
    /// Between requests, or within a head.
    case head
    /// The content is still coming; its handler may have answered already.
    case content
    /// All of the request is here, its answer is not.
    case answering
    /// Nothing more is read.
    case closing
  }

  nonisolated let loop: EventLoop
  nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe loop.asUnownedSerialExecutor() }
  let stream: TCPStream
  let server: HTTPServer
  let routes: Router.Contents

  var phase = Phase.head
  var parser: RequestParser
  var decoder = BodyDecoder(.none)
  /// Octets that came while they could not be used: of a pipelined request, or of content nobody reads yet.
  var unused: [UInt8] = []
  var output: [UInt8] = []

  /// Names the request under way, so that a late handler can't touch a later one.
  var serial: UInt64 = 0
  var isAnswered = false
  var mayContinue = false
  var content: [UInt8] = []
  var contentEnd: ContentEnd?
  var reader: CheckedContinuation<Void, Never>?
  var writer: CheckedContinuation<Void, Never>?
  var streaming: Streaming?
  var streamKeepsAlive = false
  /// The task of the producer, cancelled when nobody listens to it any more.
  var producer: Task<Void, Never>?
  /// Octets that had not left when a deadline was last looked at: a slow reader is one where they become fewer.
  private var lastPending = 0
  var isPeerFinished = false
  private var isProcessing = false
  private var isEnded = false
  private var deadline: Instant
  private var started: Instant
  var requestStart: Instant { started }
  private var timer: TimerID?

  enum ContentEnd { case complete, failed(RequestError), lost }

  struct Streaming {
    var isChunked: Bool
    var isLive: Bool
    var trailers: FieldBlock = [:]
    var left: Int?
    var hasFailed = false
  }

  /// Content that a handler has not taken yet; above it the client waits.
  static let contentWindow = 65_536
  /// Content that is read and thrown away after an early answer, rather than losing the connection.
  static let discardLimit = 262_144

  init(_ socket: ConnectedSocket, server: HTTPServer, routes: Router.Contents, on loop: EventLoop) {
    self.loop = loop
    self.server = server
    self.routes = routes
    stream = TCPStream(socket, on: loop)
    parser = RequestParser(limits: server.configuration.limits)
    started = loop.now
    deadline = loop.now + server.configuration.headTimeout
  }

  func start() {
    do throws(IOError) {
      try startReceiving()
    } catch {
      return end()
    }
    armTimer()
  }

  // MARK: Input

  func received(_ octets: RawSpan) {
    guard phase != .closing else { return }
    if unused.isEmpty {
      let used = process(octets)
      if used < octets.byteCount, phase != .closing {
        unsafe octets.extracting(used..<octets.byteCount).withUnsafeBytes { unsafe unused.append(contentsOf: $0) }
        stream.pauseReading()
      }
    } else {
      unsafe octets.withUnsafeBytes { unsafe unused.append(contentsOf: $0) }
      resume()
    }
  }

  /// Goes on with what was put aside.
  func resume() {
    guard !isProcessing, phase != .closing else { return }
    if !unused.isEmpty {
      var held: [UInt8] = []
      swap(&held, &unused)
      let used = unsafe process(held.span.bytes)
      if phase == .closing { return }
      if used < held.count {
        unused = used == 0 ? held : Array(held[used...])
        return
      }
    }
    stream.resumeReading()
    if isPeerFinished { finishInput() }
  }

  /// Uses as much of the input as it can, and says how much that was.
  private func process(_ input: RawSpan) -> Int {
    isProcessing = true
    defer { isProcessing = false }
    var index = 0
    do throws(RequestError) {
      while index < input.byteCount {
        switch phase {
        case .head:
          // One who doesn't read the answers gets no further ones made.
          if stream.isCongested { return index }
          // Only now: nobody but a handler that kept it has a copy of the last head, and the buffers are used again.
          if parser.isComplete { parser.reset() }
          if parser.isEmpty { setDeadline(server.configuration.headTimeout) }
          index += try parser.feed(input.extracting(index..<input.byteCount))
          if parser.isComplete { begin() }
        case .content:
          if content.count >= Self.contentWindow {
            // It's the handler that is slow.
            clearDeadline()
            return index
          }
          let step = try decoder.advance(input, from: index)
          take(input.extracting(step.content))
          index = step.next
          setDeadline(server.configuration.contentTimeout)
          if decoder.isFinished { contentFinished(.complete) }
        case .answering: return index
        case .closing: return input.byteCount
        }
      }
    } catch {
      refuse(error)
    }
    return index
  }

  /// The head is complete: finds the route and starts its handler.
  private func begin() {
    serial += 1
    isAnswered = false
    contentEnd = nil
    if !content.isEmpty { content.removeAll(keepingCapacity: true) }
    let head = parser.head
    started = loop.now
    clearDeadline()
    mayContinue = head.expectsContinue
    if head.framing == .none {
      phase = .answering
      contentEnd = .complete
    } else {
      phase = .content
      decoder = BodyDecoder(head.framing, limits: server.configuration.limits)
    }
    server.requests.add()
    dispatch(head)
  }

  private func take(_ part: RawSpan) {
    guard part.byteCount > 0 else { return }
    if isAnswered, streaming == nil {
      if decoder.received > Self.discardLimit { closeSoon() }
      return
    }
    unsafe part.withUnsafeBytes { unsafe content.append(contentsOf: $0) }
    wakeReader()
  }

  private func contentFinished(_ end: ContentEnd) {
    contentEnd = end
    wakeReader()
    guard phase == .content else { return }
    phase = .answering
    clearDeadline()
    if isAnswered, streaming == nil { nextRequest() }
  }

  func peerFinished() {
    isPeerFinished = true
    if unused.isEmpty { finishInput() }
  }

  /// The client has sent its last: a whole request is still answered, half of one is not.
  private func finishInput() {
    switch phase {
    case .head: closeSoon()
    case .content:
      contentFinished(.lost)
      closeSoon()
    case .answering:
      // A live stream has no end to wait for.
      if streaming?.isLive == true { end() }
    case .closing: break
    }
  }

  /// The request can't be understood, so neither can what follows it.
  private func refuse(_ error: RequestError) {
    server.refusals.add()
    if phase == .content {
      contentEnd = .failed(error)
      wakeReader()
      if isAnswered { return closeSoon() }
      serial += 1
    }
    send(error.response, isHead: false, keepsAlive: false, isHTTP10: false)
    server.configuration.onAccess?(
      AccessRecord(
        peer: stream.peer, head: parser.head, status: error.status, duration: loop.now.since(started)))
    closeSoon()
  }

  // MARK: Reading content

  func nextPortion(of request: UInt64) async throws -> [UInt8]? {
    while true {
      guard request == serial else { throw IOError.closed }
      if !content.isEmpty {
        var portion: [UInt8] = []
        swap(&portion, &content)
        if phase == .content { resume() }
        return portion
      }
      switch contentEnd {
      case .complete: return nil
      case .failed(let error): throw error
      case .lost: throw IOError.closed
      case nil: break
      }
      if isEnded || phase == .closing { throw IOError.closed }
      if mayContinue {
        mayContinue = false
        // Within an answer that has begun it would be taken for content.
        if !isAnswered { stream.write(ResponseEncoder.continueResponse) }
      }
      setDeadline(server.configuration.contentTimeout)
      await withCheckedContinuation { reader = $0 }
    }
  }

  func trailers(of request: UInt64) -> [(name: String, value: String)] {
    request == serial && decoder.isFinished ? decoder.trailers : []
  }

  func wakeReader() {
    guard let waiting = reader else { return }
    reader = nil
    waiting.resume()
  }

  // MARK: The end

  /// Ends the connection once everything has left.
  func closeSoon() {
    guard phase != .closing else { return }
    phase = .closing
    unused = []
    stream.resumeReading()
    stream.closeGracefully()
  }

  func ended(_ error: IOError?) { end() }

  func end() {
    guard !isEnded else { return }
    isEnded = true
    phase = .closing
    if let timer { loop.cancel(timer) }
    timer = nil
    stream.close()
    if contentEnd == nil { contentEnd = .lost }
    wakeReader()
    wakeWriter()
    producer?.cancel()
    producer = nil
    server.forget(self)
  }

  var hasEnded: Bool { isEnded }

  func drained() {
    wakeWriter()
    guard phase == .head else { return }
    if isIdle { setDeadline(server.configuration.idleTimeout) }
    if !unused.isEmpty { resume() }
  }

  func wakeWriter() {
    guard let waiting = writer else { return }
    writer = nil
    waiting.resume()
  }

  /// The server stops: live streams end now, the request under way is answered, then the connection closes.
  func drain() {
    if streaming?.isLive == true {
      streaming?.hasFailed = true
      wakeWriter()
      producer?.cancel()
      finishStream(of: serial, failed: false)
    }
    guard isIdle else { return }
    // Nothing is owed to an idle client, so its end isn't waited for.
    if stream.pendingOctets == 0 { end() } else { closeSoon() }
  }

  /// Whether nothing of a request is here.
  private var isIdle: Bool { phase == .head && (parser.isEmpty || parser.isComplete) }

  // MARK: Deadlines

  func setDeadline(_ delay: Duration) { deadline = loop.now + delay }
  func clearDeadline() { deadline = Instant(nanoseconds: .max) }

  /// One timer a connection: it looks whether the deadline has moved, so that moving it costs a store.
  private func armTimer() {
    timer = loop.after(server.configuration.tick) { [weak self] in self?.assumeIsolated { $0.tick() } }
  }

  private func tick() {
    guard !isEnded else { return }
    if loop.now >= deadline {
      clearDeadline()
      expire()
    }
    if !isEnded { armTimer() }
  }

  private func expire() {
    let pending = stream.pendingOctets
    if pending > 0, pending != lastPending, phase != .closing {
      lastPending = pending
      return setDeadline(server.configuration.contentTimeout)
    }
    switch phase {
    case .head:
      if !isIdle {
        server.refusals.add()
        send(
          .problem(.requestTimeout, "The head of the request took too long."), isHead: false, keepsAlive: false,
          isHTTP10: false)
      }
      closeSoon()
    case .content:
      contentEnd = .lost
      wakeReader()
      if !isAnswered {
        serial += 1
        send(
          .problem(.requestTimeout, "The content of the request took too long."), isHead: false, keepsAlive: false,
          isHTTP10: false)
      }
      closeSoon()
    case .answering: end()
    case .closing: break
    }
  }
}
