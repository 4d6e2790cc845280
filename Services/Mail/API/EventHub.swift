import EventLoop

/// The newest changes in their order, for those who listen now and for those who come back.
final class EventHub: Sendable {
  struct Event: Sendable, Equatable {
    /// Grows by one with each event, and is greater than any of an earlier run of this process.
    var id: Int64
    var change: Change
  }

  /// Events that are kept for who comes back, and that a slow listener may be behind.
  static let kept = 1000
  /// Listeners at a time.
  static let listenerLimit = 1000

  /// One who listens.
  final class Listener: Sendable {
    private struct State {
      var waiting: [Event] = []
      var isBehind = false
    }

    private let state = Lock(State())
    let bell = Bell()
    /// The mailbox whose events are told; nil for all.
    let mailbox: Int64?

    fileprivate init(mailbox: Int64?) { self.mailbox = mailbox }

    fileprivate func tell(_ event: Event) {
      if let mailbox, event.change.mailbox != mailbox { return }
      state.withLock { state in
        if state.waiting.count < EventHub.kept { state.waiting.append(event) } else { state.isBehind = true }
      }
      bell.ring()
    }

    /// What has come since the last call; nil where the listener is too far behind and has to come back.
    func take() -> [Event]? {
      state.withLock { state in
        if state.isBehind { return nil }
        defer { state.waiting = [] }
        return state.waiting
      }
    }
  }

  private struct State {
    var next: Int64
    var events: [Event] = []
    var listeners: [ObjectIdentifier: Listener] = [:]
  }

  private let state: Lock<State>

  /// - Parameter start: the id of the first event; seconds since 1970 in microseconds serve well.
  init(feed: ChangeFeed, start: Int64) {
    state = Lock(State(next: start))
    _ = feed.subscribe { [weak self] in self?.publish($0) }
  }

  private func publish(_ change: Change) {
    state.withLock { state in
      let event = Event(id: state.next, change: change)
      state.next += 1
      if state.events.count == EventHub.kept { state.events.removeFirst() }
      state.events.append(event)
      for listener in state.listeners.values { listener.tell(event) }
    }
  }

  /// Begins to listen; what came after the event `last` is told first. Nil where too many listen already.
  func listen(after last: Int64?, mailbox: Int64?) -> Listener? {
    state.withLock { state in
      guard state.listeners.count < EventHub.listenerLimit else { return nil }
      let listener = Listener(mailbox: mailbox)
      if let last {
        for event in state.events where event.id > last { listener.tell(event) }
      }
      state.listeners[ObjectIdentifier(listener)] = listener
      return listener
    }
  }

  func leave(_ listener: Listener) {
    state.withLock { _ = $0.listeners.removeValue(forKey: ObjectIdentifier(listener)) }
  }
}

extension Change {
  /// Nil for what is of the queue.
  var mailbox: Int64? {
    switch self {
    case .delivered(let mailbox, _), .changed(let mailbox, _), .deleted(let mailbox, _): mailbox
    case .queue: nil
    }
  }
}
