import EventLoop
import Octets

/// One question to the client's resolver, which ends with its answer, with the request's deadline or with the caller's task,
/// whichever comes first.
final class LookUp: Sendable {
  private typealias Outcome = Result<[IPAddress], HTTPClientError>

  private enum State {
    case asked
    case waitedFor(CheckedContinuation<Outcome, Never>)
    case ended(Outcome)
  }

  private let host: String
  private let request: ClientRequest
  private let loop: EventLoop
  private let state = Lock(State.asked)

  init(of host: String, for request: ClientRequest, on loop: EventLoop) {
    self.host = host
    self.request = request
    self.loop = loop
  }

  /// On the loop.
  func addresses(by resolver: @escaping HostResolver) async throws(HTTPClientError) -> [IPAddress] {
    let timer = loop.after(request.deadline) { [self] in
      end(.failure(request.failure(.timedOut, "\(host) was not looked up before the deadline")))
    }
    defer { loop.cancel(timer) }
    loop.spawn { [self] in
      do {
        end(.success(try await resolver(host)))
      } catch {
        end(.failure(request.failure(.unresolved, "\(host): \(error)")))
      }
    }
    let outcome = await withTaskCancellationHandler {
      await withCheckedContinuation { wait($0) }
    } onCancel: {
      end(.failure(request.failure(.cancelled, "cancelled")))
    }
    return try outcome.get()
  }

  private func wait(_ continuation: CheckedContinuation<Outcome, Never>) {
    let outcome: Outcome? = state.withLock { state in
      if case .ended(let outcome) = state { return outcome }
      state = .waitedFor(continuation)
      return nil
    }
    if let outcome { continuation.resume(returning: outcome) }
  }

  /// The first end counts.
  private func end(_ outcome: Outcome) {
    let waiting: CheckedContinuation<Outcome, Never>? = state.withLock { state in
      if case .ended = state { return nil }
      defer { state = .ended(outcome) }
      if case .waitedFor(let continuation) = state { return continuation }
      return nil
    }
    waiting?.resume(returning: outcome)
  }
}
