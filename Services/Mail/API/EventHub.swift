import EventLoop
import Glibc

/// The newest changes in their order, for those who listen now and for those who come back.
final class EventHub: Sendable {
  struct Event: Sendable, Equatable {
    /// Grows by one with each event, and is greater than any of an earlier run of this process.
    var id: Int64
    var change: Change
  }

  /// One who listens, until this is let go of: who has a place may never come to take it.
  final class Listener: Sendable {
    /// Where the listener begins, if it has missed what nobody can tell it any more.
    let missed: Int64?
    var bell: Bell { inbox.bell }
    private let inbox: Inbox
    private let hub: EventHub

    fileprivate init(_ inbox: Inbox, missed: Int64?, of hub: EventHub) {
      self.inbox = inbox
      self.missed = missed
      self.hub = hub
    }

    deinit { hub.leave(inbox) }

    /// What has come since the last call; nil where the listener is too far behind and has to come back.
    func take() -> [Event]? { inbox.take() }
  }

  /// What a listener has not taken yet.
  fileprivate final class Inbox: Sendable {
    private struct State {
      var waiting: [Event] = []
      var isBehind = false
    }

    private let state = Lock(State())
    let bell = Bell()
    /// The mailbox whose events are told; nil for all.
    private let mailbox: Int64?
    private let kept: Int

    init(mailbox: Int64?, kept: Int) {
      self.mailbox = mailbox
      self.kept = kept
    }

    func tell(_ event: Event) {
      guard event.change.concerns(mailbox) else { return }
      state.withLock { state in
        if state.waiting.count < kept { state.waiting.append(event) } else { state.isBehind = true }
      }
      bell.ring()
    }

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
    var inboxes: [ObjectIdentifier: Inbox] = [:]
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
      for inbox in state.inboxes.values { inbox.tell(event) }
    }
  }

  /// Begins to listen; what came after the event `last` is told first. Nil where too many listen already.
  ///
  /// An id of an earlier run, or one so old that events after it are forgotten, makes a listener that has `missed` some.
  func listen(after last: String?, mailbox: Int64?) -> Listener? {
    let place: (inbox: Inbox, missed: Int64?)? = state.withLock { state in
      guard state.inboxes.count < limits.listeners else { return nil }
      let newest = state.next - 1
      let oldest = state.events.first?.id ?? state.next
      let known = last.flatMap { Int64($0) }.flatMap { max(origin, oldest - 1)...newest ~= $0 ? $0 : nil }
      let inbox = Inbox(mailbox: mailbox, kept: limits.events)
      if let known {
        for event in state.events where event.id > known { inbox.tell(event) }
      }
      state.inboxes[ObjectIdentifier(inbox)] = inbox
      return (inbox, last != nil && known == nil ? newest : nil)
    }
    return place.map { Listener($0.inbox, missed: $0.missed, of: self) }
  }

  private func leave(_ inbox: Inbox) {
    state.withLock { _ = $0.inboxes.removeValue(forKey: ObjectIdentifier(inbox)) }
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
