import EventLoop
import HTTPWire
import Octets

/// From the head of a request to its handler's response.
extension HTTPConnection {
  func dispatch(_ head: RequestHead) {
    var request = Request(
      head: head, peer: stream.peer, loop: loop, body: RequestBody(connection: self, serial: state.serial))
    do {
      switch try routes.begin(&request) {
      case .answered(let response): answer(request, response)
      case .later(let steps): start(steps, request)
      }
    } catch {
      answer(request, failure(error, of: state.serial))
    }
  }

  private func start(_ steps: Router.Steps, _ request: Request) {
    guard server.enter() else { return answer(request, .overloaded) }
    let serial = state.serial
    let routes = routes
    let server = server
    task = Self.task(on: loop) {
      var request = request
      let response: Response
      do {
        response = try await routes.finish(steps, &request)
      } catch {
        response = await self.failure(error, of: serial)
      }
      server.exit()
      await self.answerLater(request, response, serial)
    }
  }

  /// `EventLoop.spawn` gives no handle to cancel by.
  nonisolated static func task(on loop: EventLoop, _ work: @escaping @Sendable () async -> Void) -> Task<Void, Never> {
    Task(executorPreference: loop) { await work() }
  }

  private func answerLater(_ request: Request, _ response: Response, _ serial: UInt64) {
    guard state.awaits(serial) else { return }
    task = nil
    answer(request, response)
    resume()
    settle()
  }

  private func failure(_ error: any Error, of serial: UInt64) -> Response {
    if let error = error as? IOError, error == .overloaded { return .overloaded }
    let known = (error as? any ResponseError)?.response
    // A failure that knows its words is still news for whoever runs the server.
    if let known, known.status != .internalServerError { return known }
    // That the client has gone is not: its handler was told by these.
    let isEnd = error is CancellationError || error as? IOError == .closed || error as? IOError == .cancelled
    let isGone = isEnd && !state.awaits(serial)
    if !isGone { server.configuration.onError?(error) }
    return known ?? .problem(.internalServerError, "The server failed to answer this request.")
  }
}

extension Response {
  /// 503: more is asked than can be done just now (RFC 9110 §15.6.4).
  static var overloaded: Response {
    Response.problem(.serviceUnavailable, "The server has more to do than it can; try again in a second.")
      .with("retry-after", "1")
  }

  /// 503: the answer would come after the server's end.
  static var stopping: Response {
    Response.problem(.serviceUnavailable, "The server is stopping and can't wait for this answer.")
      .with("retry-after", "1")
  }
}
