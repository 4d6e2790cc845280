import EventLoop
import ServiceKit

/// The requests that wait for letters: of a bounded number, each with its bell, and sent home when the service stops.
final class Waiters: Sendable {
  private struct State {
    var bells: [ObjectIdentifier: Bell] = [:]
    var isClosed = false
  }

  private let state = Lock(State())
  private let limit: Int

  init(limit: Int) { self.limit = limit }

  /// Whether nobody shall wait any more.
  var isClosed: Bool { state.withLock { $0.isClosed } }

  /// False where too many wait already.
  func enter(_ bell: Bell) -> Bool {
    state.withLock { state in
      guard state.bells.count < limit else { return false }
      state.bells[ObjectIdentifier(bell)] = bell
      return true
    }
  }

  func leave(_ bell: Bell) { state.withLock { _ = $0.bells.removeValue(forKey: ObjectIdentifier(bell)) } }

  /// Wakes all: they answer with what there is.
  func close() {
    let bells = state.withLock { state in
      state.isClosed = true
      return Array(state.bells.values)
    }
    for bell in bells { bell.ring() }
  }
}
