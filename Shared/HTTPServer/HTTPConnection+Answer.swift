import EventLoop
import Glibc
import HTTPWire
import Octets

/// From the head of a request to the last octet of its answer.
extension HTTPConnection {
  func dispatch(_ head: RequestHead) {
    var request = Request(
      head: head, peer: stream.peer, loop: loop, body: RequestBody(connection: self, serial: serial))
    do {
      for hook in routes.before {
        if let response = try hook(&request) { return answer(request, response) }
      }
      if head.method == .options, head.form == .asterisk {
        return answer(request, .empty(.noContent, fields: ["allow": "GET, HEAD, OPTIONS"]))
      }
      switch routes.trie.match(head.method, head) {
      case .found(let route, let parameters):
        request.parameters = parameters
        request.route = route.pattern
        switch route.action {
        case .now(let handler): answer(request, try handler(request))
        case .later(let handler): start(handler, request)
        }
      case .methodNotAllowed(let allowed): answer(request, notAllowed(head.method, allowed))
      case .notFound: throw HTTPProblem(404, "There is nothing at this path.")
      }
    } catch {
      answer(request, failure(error))
    }
  }

  /// OPTIONS tells what a resource allows; any other method that it does not allow is refused with the same list.
  private func notAllowed(_ method: Method, _ allowed: [Method]) -> Response {
    var names = Set(allowed.map(\.rawValue) + ["OPTIONS"])
    if names.contains("GET") { names.insert("HEAD") }
    let list = names.sorted().joined(separator: ", ")
    if method == .options { return .empty(.noContent, fields: ["allow": list]) }
    return Response.problem(.methodNotAllowed, "\(method.rawValue) is not among what this resource allows: \(list).")
      .with("allow", list)
  }

  private func start(_ handler: @escaping Router.AsyncHandler, _ request: Request) {
    let serial = serial
    loop.spawn {
      let response: Response
      do {
        response = try await handler(request)
      } catch {
        response = await self.failure(error)
      }
      await self.answerLater(request, response, serial)
    }
  }

  private func answerLater(_ request: Request, _ response: Response, _ serial: UInt64) {
    guard serial == self.serial, !hasEnded, phase != .closing else { return }
    answer(request, response)
    resume()
  }

  private func failure(_ error: any Error) -> Response {
    let known = (error as? any ResponseError)?.response
    // A failure that knows its words is still news for whoever runs the server.
    if let known, known.status != .internalServerError { return known }
    server.configuration.onError?(error)
    return known ?? .problem(.internalServerError, "The server failed to answer this request.")
  }

  private func answer(_ request: Request, _ original: Response) {
    var response = original
    for hook in routes.after { hook(request, &response) }
    let head = request.head
    // What the client still holds back for a 100 that never came can't be told from the next request.
    let keepsAlive = head.keepsAlive && !server.isDraining && !(mayContinue && phase == .content)
    isAnswered = true
    send(response, isHead: head.method == .head, keepsAlive: keepsAlive, isHTTP10: head.version == .http10)
    server.configuration.onAccess?(
      AccessRecord(
        peer: stream.peer, head: head, status: response.status, duration: Instant.current.since(requestStart)))
    if streaming == nil { answered(keepsAlive: keepsAlive) }
  }

  /// The answer has been handed over whole.
  private func answered(keepsAlive: Bool) {
    guard phase != .closing else { return }
    if !keepsAlive { return closeSoon() }
    if phase == .content {
      content = []
      setDeadline(server.configuration.contentTimeout)
    } else {
      nextRequest()
    }
  }

  func nextRequest() {
    phase = .head
    setDeadline(server.configuration.idleTimeout)
    if server.isDraining || isPeerFinished && unused.isEmpty { closeSoon() }
  }

  /// Writes a head and, where it is at hand, the content.
  func send(_ response: Response, isHead: Bool, keepsAlive: Bool, isHTTP10: Bool) {
    let code = response.status.code
    let hasNone = code < 200 || code == 204 || code == 304
    var framing = ResponseFraming.none
    switch response.content {
    case _ where hasNone: break
    case .none: framing = .length(0)
    case .octets(let octets): framing = .length(octets.count)
    case .file(_, let range): framing = .length(range.count)
    case .stream(let length?, _, _): framing = .length(length)
    case .stream(nil, _, _): framing = isHTTP10 ? .untilClose : .chunked
    }
    let stays = keepsAlive && framing != .untilClose
    output.removeAll(keepingCapacity: true)
    ResponseEncoder.appendHead(
      to: &output, status: response.status, date: server.dateLine(), fields: response.fields, framing: framing,
      keepsAlive: stays, isHTTP10: isHTTP10)
    if case .octets(let octets) = response.content, !hasNone, !isHead, octets.count <= 4096 {
      output += octets
      unsafe stream.write(output.span.bytes)
      return
    }
    unsafe stream.write(output.span.bytes)
    guard !hasNone, !isHead else { return }
    switch response.content {
    case .none: break
    case .octets(let octets): stream.write(octets)
    case .file(let file, let range):
      let descriptor = file.duplicate()
      if descriptor < 0, !range.isEmpty { return end() }
      stream.sendFile(descriptor, offset: Int64(range.lowerBound), count: Int64(range.count))
    case .stream(let length, let isLive, let produce):
      streaming = Streaming(isChunked: framing == .chunked, isLive: isLive, left: length)
      produceStream(produce, keepsAlive: stays)
    }
  }

  // MARK: Streams

  private func produceStream(
    _ produce: @escaping @Sendable (ResponseWriter) async throws -> Void, keepsAlive: Bool
  ) {
    let serial = serial
    streamKeepsAlive = keepsAlive
    if streaming?.isLive == true { beat(serial) }
    producer = Self.task(on: loop) {
      do {
        try await produce(ResponseWriter(connection: self, serial: serial))
        await self.finishStream(of: serial, failed: false)
      } catch {
        await self.finishStream(of: serial, failed: true)
      }
    }
  }

  /// `EventLoop.spawn` gives no handle to cancel by.
  private nonisolated static func task(on loop: EventLoop, _ work: @escaping @Sendable () async -> Void)
    -> Task<Void, Never>
  {
    Task(executorPreference: loop) { await work() }
  }

  /// A quiet live stream still says something, so that both ends notice when the other has gone.
  private func beat(_ serial: UInt64) {
    loop.after(server.configuration.heartbeat) { [weak self] in
      self?.assumeIsolated { connection in
        guard connection.isStreaming(serial) else { return }
        if !connection.stream.isCongested { connection.emit(ServerSentEvent.heartbeat) }
        connection.beat(serial)
      }
    }
  }

  func isStreaming(_ request: UInt64) -> Bool {
    request == serial && streaming != nil && streaming?.hasFailed == false && !hasEnded
  }

  func isOpen(_ request: UInt64) -> Bool { isStreaming(request) }

  func setTrailers(_ trailers: FieldBlock, of request: UInt64) {
    if isStreaming(request) { streaming?.trailers = trailers }
  }

  func writePortion(_ octets: [UInt8], of request: UInt64) async throws {
    guard isStreaming(request) else { throw IOError.closed }
    if octets.isEmpty { return }
    if let left = streaming?.left {
      // More than was promised would be read as the next answer.
      guard octets.count <= left else { throw HTTPProblem(500, "more content than its length") }
      streaming?.left = left - octets.count
    }
    emit(octets)
    while stream.isCongested, isStreaming(request) {
      setDeadline(server.configuration.contentTimeout)
      await withCheckedContinuation { writer = $0 }
    }
    clearDeadline()
    guard isStreaming(request) else { throw IOError.closed }
  }

  private func emit(_ octets: [UInt8]) {
    guard streaming?.isChunked == true else { return stream.write(octets) }
    output.removeAll(keepingCapacity: true)
    ResponseEncoder.appendChunkHead(to: &output, count: octets.count)
    unsafe stream.write(output.span.bytes)
    stream.write(octets)
    stream.write("\r\n")
  }

  func finishStream(of request: UInt64, failed: Bool) {
    guard request == serial, let ending = streaming, !hasEnded else { return }
    streaming = nil
    producer = nil
    // Cut short, the content must not look whole: without its last chunk, or its length, it doesn't.
    if failed || (ending.left ?? 0) > 0 { return abort() }
    if ending.isChunked {
      output.removeAll(keepingCapacity: true)
      ResponseEncoder.appendLastChunk(to: &output, trailers: ending.trailers)
      unsafe stream.write(output.span.bytes)
    }
    answered(keepsAlive: streamKeepsAlive && !server.isDraining)
    resume()
  }

  private func abort() {
    stream.abort()
    end()
  }
}
