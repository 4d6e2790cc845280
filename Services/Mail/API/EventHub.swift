import EventLoop
import Glibc

/// The newest changes in their order, for those who listen now and for those who come back.
final class EventHub: Sendable {
  struct Event: Sendable, Equatable {
    /// Grows by one with each event, and is greater than any of an earlier run of this process.
    var id: Int64
    var change: Change
  }

  /// One who listens.
  final class Listener: Sendable {
    private struct State {
      var waiting: [Event] = []
      var isBehind = false
    }

    /// Where the listener begins, if it has missed what nobody can tell it any more.
    let missed: Int64?

    private let state = Lock(State())
    let bell = Bell()
    /// The mailbox whose events are told; nil for all.
    let mailbox: Int64?
    private let kept: Int

    fileprivate init(mailbox: Int64?, missed: Int64?, kept: Int) {
      self.mailbox = mailbox
      self.missed = missed
      self.kept = kept
    }

    fileprivate func tell(_ event: Event) {
      guard event.change.concerns(mailbox) else { return }
      state.withLock { state in
        if state.waiting.count < kept { state.waiting.append(event) } else { state.isBehind = true }
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
  private let limits: MailLimits
  /// The id before the first event's.
  private let origin: Int64

  /// - Parameter start: the id of the first event. The system's time in microseconds is greater than any id of an earlier run,
  ///   since a run has no more than one event a microsecond; the world's clock would not do, for it can be set back.
  init(feed: ChangeFeed, start: Int64, limits: MailLimits = MailLimits()) {
    self.limits = limits
    origin = start - 1
    state = Lock(State(next: start))
    _ = feed.subscribe { [weak self] in self?.publish($0) }
  }

  /// Since 1970.
  static func systemMicroseconds() -> Int64 {
    var time = timespec()
    unsafe clock_gettime(CLOCK_REALTIME, &time)
    return Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000
  }

  private func publish(_ change: Change) {
    state.withLock { state in
      let event = Event(id: state.next, change: change)
      state.next += 1
      // What was before a reset is gone, and its numbers mean something else.
      if case .reset = change { state.events = [] }
      if state.events.count == limits.events { state.events.removeFirst() }
      state.events.append(event)
      for listener in state.listeners.values { listener.tell(event) }
    }
  }

  /// Begins to listen; what came after the event `last` is told first. Nil where too many listen already.
  ///
  /// An id of an earlier run, or one so old that events after it are forgotten, makes a listener that has `missed` some.
  func listen(after last: String?, mailbox: Int64?) -> Listener? {
    state.withLock { state in
      guard state.listeners.count < limits.listeners else { return nil }
      let newest = state.next - 1
      let oldest = state.events.first?.id ?? state.next
      let known = last.flatMap { Int64($0) }.flatMap { max(origin, oldest - 1)...newest ~= $0 ? $0 : nil }
      let listener = Listener(mailbox: mailbox, missed: last != nil && known == nil ? newest : nil, kept: limits.events)
      if let known {
        for event in state.events where event.id > known { listener.tell(event) }
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
  /// Whether it is told to who listens to this mailbox; nil listens to everything.
  fileprivate func concerns(_ listener: Int64?) -> Bool {
    guard let listener else { return true }
    return switch self {
    case .delivered(let mailbox, _), .changed(let mailbox, _), .deleted(let mailbox, _): mailbox == listener
    case .queue: false
    case .reset: true
    }
  }
}
