import EventLoop
import HTTPWire
import Octets

/// One client's connection. What happens is told to `state`, which decides; this does it.
actor HTTPConnection: StreamOwner {
  nonisolated let loop: EventLoop
  nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe loop.asUnownedSerialExecutor() }
  let stream: TCPStream
  let server: HTTPServer
  let routes: Router.Contents
  var state: ConnectionState<Instant>

  /// Octets that came while they could not be used: of a pipelined request, or of content nobody reads yet.
  private var held: [UInt8] = []
  private var heldStart = 0
  /// Where heads and chunk sizes are put together.
  var output: [UInt8] = []
  /// Who waits for content, and who for the client to read.
  var reader: CheckedContinuation<Void, Never>?
  /// How often there was something new for the reader.
  var wakeUps = 0
  var writers: [CheckedContinuation<Void, Never>] = []
  /// The handler, or the producer of its answer: cancelled when nobody listens to it any more.
  var task: Task<Void, Never>?
  /// When the head under way was complete or, of one that never was, began.
  private(set) var started: Instant
  private var isTaking = false
  private var hasPeerFinished = false
  private var timer: (id: TimerID, due: Instant)?

  init(_ socket: ConnectedSocket, server: HTTPServer, routes: Router.Contents, on loop: EventLoop) {
    self.loop = loop
    self.server = server
    self.routes = routes
    stream = TCPStream(socket, on: loop)
    started = loop.now
    let configuration = server.configuration
    state = ConnectionState(
      limits: configuration.limits,
      timeouts: .init(
        head: configuration.headTimeout, idle: configuration.idleTimeout, content: configuration.contentTimeout),
      at: loop.now)
  }

  func start() {
    do throws(IOError) {
      try startReceiving()
    } catch {
      return end()
    }
    settle()
  }

  // MARK: Input

  func received(_ octets: RawSpan) {
    if held.isEmpty {
      let used = take(octets)
      if used < octets.byteCount {
        unsafe octets.extracting(used..<octets.byteCount).withUnsafeBytes { unsafe held.append(contentsOf: $0) }
        stream.pauseReading()
      }
    } else {
      unsafe octets.withUnsafeBytes { unsafe held.append(contentsOf: $0) }
      resume()
    }
    settle()
  }

  /// Goes on with what was put aside.
  func resume() {
    guard !isTaking, state.isOpen else { return }
    if !held.isEmpty {
      var octets: [UInt8] = []
      swap(&octets, &held)
      heldStart += unsafe take(octets.span.bytes.extracting(heldStart..<octets.count))
      guard state.isOpen else { return }
      guard heldStart == octets.count else {
        held = octets
        return
      }
      heldStart = 0
    }
    stream.resumeReading()
    if hasPeerFinished { conclude(state.peerFinished(at: loop.now)) }
  }

  /// Uses as much of the input as it can, and says how much that was.
  private func take(_ input: RawSpan) -> Int {
    isTaking = true
    defer { isTaking = false }
    var index = 0
    while true {
      if state.phase == .idle { started = loop.now }
      switch state.take(input, &index, isCongested: stream.isCongested, at: loop.now) {
      case .more, .hold: return index
      case .request:
        started = loop.now
        server.requests.add()
        dispatch(state.head)
      case .content: wakeReader()
      case .next: break
      case .refuse(let error, let answers):
        server.refusals.add()
        if answers { refuse(error.response) }
        leave()
      case .close: leave()
      }
    }
  }

  func peerFinished() {
    hasPeerFinished = true
    if held.isEmpty { conclude(state.peerFinished(at: loop.now)) }
    settle()
  }

  // MARK: Reading content

  func nextPortion(of request: UInt64) async throws -> [UInt8]? {
    while true {
      guard reader == nil else { throw ConcurrentRead() }
      switch state.read(request, at: loop.now) {
      case .portion(let octets):
        resume()
        settle()
        return octets
      case .end: return nil
      case .failed(let error): throw error
      case .closed: throw IOError.closed
      case .wait(let saysContinue):
        try Task.checkCancellation()
        if saysContinue { stream.write(ResponseEncoder.continueResponse) }
        settle()
        let before = wakeUps
        await withTaskCancellationHandler {
          // Looked at here: a task of another loop may lose its turn on the way, and nobody would wake it.
          await withCheckedContinuation { waiting in
            if wakeUps == before, reader == nil, !Task.isCancelled { reader = waiting } else { waiting.resume() }
          }
        } onCancel: {
          loop.submit { self.assumeIsolated { $0.wakeReader() } }
        }
      }
    }
  }

  func trailers(of request: UInt64) -> [(name: String, value: String)] { state.trailers(of: request) }

  func wakeReader() {
    wakeUps &+= 1
    guard let waiting = reader else { return }
    reader = nil
    waiting.resume()
  }

  func wakeWriters() {
    guard !writers.isEmpty else { return }
    var waiting: [CheckedContinuation<Void, Never>] = []
    swap(&waiting, &writers)
    for writer in waiting { writer.resume() }
  }

  // MARK: The end

  func conclude(_ ending: ConnectionState<Instant>.Ending) {
    switch ending {
    case .nothing: break
    case .close: leave()
    case .end: end()
    case .abort: abort()
    case .finishStream: finishStream(of: state.serial, failed: false)
    case .timeOut(let detail):
      server.refusals.add()
      refuse(.problem(.requestTimeout, detail))
      leave()
    case .release: releaseBuffers()
    case .probe: stream.write(ResponseEncoder.continueResponse)
    }
  }

  /// Ends the connection once everything has left.
  func leave() {
    state.beginClosing()
    held = []
    recordLoss()
    abandon()
    stream.resumeReading()
    stream.closeGracefully()
  }

  func abort() {
    stream.abort()
    end()
  }

  func ended(_ error: IOError?) { end() }

  func end() {
    guard state.phase != .closed else { return }
    recordLoss()
    state.ended()
    abandon()
    stream.close()
    server.forget(self)
  }

  /// A request whose answer nobody waited for has its line in the log as well.
  private func recordLoss() {
    guard state.answer == .awaited else { return }
    state.answer = .whole
    record(.clientClosedRequest)
  }

  /// Nobody waits for the exchange any more: neither shall its handler.
  private func abandon() {
    if let timer { loop.cancel(timer.id) }
    timer = nil
    wakeReader()
    wakeWriters()
    task?.cancel()
    task = nil
  }

  func drained() {
    state.outputDrained(at: loop.now)
    wakeWriters()
    if !held.isEmpty { resume() }
    settle()
  }

  /// The server can wait no longer: who still waits for an answer is told so.
  func giveUp() {
    guard state.isOpen, state.answer == .awaited else { return end() }
    refuse(.stopping)
    leave()
  }

  /// The server stops.
  func drain() {
    conclude(state.drain(pending: stream.pendingOctets, at: loop.now))
    settle()
  }

  // MARK: Deadlines

  /// Sees to it that the timer fires no later than the deadline. Deadlines mostly move away from it, which costs a comparison;
  /// when it fires too early it is set anew.
  func settle() {
    guard let due = state.deadline else { return }
    if let timer {
      if timer.due <= due { return }
      loop.cancel(timer.id)
    }
    let id = loop.after(due.since(.current)) { [weak self] in self?.assumeIsolated { $0.fire() } }
    timer = (id, due)
  }

  private func fire() {
    timer = nil
    conclude(state.expire(pending: stream.pendingOctets, at: loop.now))
    settle()
  }

  /// A connection that has been quiet for a while keeps no memory for its next request, so that ten thousand of them are cheap.
  private func releaseBuffers() {
    state.releaseBuffers()
    if held.isEmpty { held = [] }
    output = []
  }
}
