public import EventLoop

/// Wakes one waiting task, from any thread. A ring that nobody waits for is kept for the next who does.
public final class Bell: Sendable {
  private struct State {
    var hasRung = false
    var waiter: CheckedContinuation<Void, Never>?
  }

  private let state = Lock(State())

  public init() {}

  public func ring() {
    let waiter = state.withLock { state in
      defer { state.waiter = nil }
      state.hasRung = state.waiter == nil
      return state.waiter
    }
    waiter?.resume()
  }

  /// Returns at a ring, or after a while; called on the loop.
  public func wait(on loop: EventLoop, for limit: Duration) async {
    let timer = loop.after(limit) { [self] in ring() }
    await withCheckedContinuation { continuation in
      let hasRung = state.withLock { state in
        if state.hasRung {
          state.hasRung = false
          return true
        }
        state.waiter = continuation
        return false
      }
      if hasRung { continuation.resume() }
    }
    loop.cancel(timer)
  }
}
