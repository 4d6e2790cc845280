import EventLoop

/// Tells whoever listens what has changed, after it is durable. Handlers are called on any thread and must not block.
final class ChangeFeed: Sendable {
  typealias Handler = @Sendable (Change) -> Void

  private struct State {
    var next = 1
    var handlers: [Int: Handler] = [:]
  }

  private let state = Lock(State())

  /// - Returns: what `unsubscribe` wants.
  func subscribe(_ handler: @escaping Handler) -> Int {
    state.withLock { state in
      defer { state.next += 1 }
      state.handlers[state.next] = handler
      return state.next
    }
  }

  func unsubscribe(_ number: Int) {
    state.withLock { _ = $0.handlers.removeValue(forKey: number) }
  }

  func publish(_ changes: [Change]) {
    guard !changes.isEmpty else { return }
    let handlers = state.withLock { Array($0.handlers.values) }
    for change in changes {
      for handler in handlers { handler(change) }
    }
  }
}
