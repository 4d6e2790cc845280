import EventLoop

/// Counts what is under way, and lets others wait until nothing is any more. It is touched on its loop alone.
final class Pending: @unchecked Sendable {
  private var count = 0
  private var waiting: [CheckedContinuation<Void, Never>] = []

  var isEmpty: Bool { count == 0 }

  func begin() { count += 1 }

  func end() {
    count -= 1
    guard count == 0 else { return }
    let woken = waiting
    waiting = []
    for one in woken { one.resume() }
  }

  func wait() async {
    // Something else may have begun before who waits has its turn.
    // Nothing may be left of it before the continuation is there: a task of another loop may lose its turn on the way.
    while count > 0 { await withCheckedContinuation { if count > 0 { waiting.append($0) } else { $0.resume() } } }
  }
}

/// Says to other threads that something is over; it is never taken back.
final class Cancellation: Sendable {
  private let state = Lock(false)

  var isRaised: Bool { state.withLock { $0 } }
  func raise() { state.withLock { $0 = true } }
}
