import EventLoop
import Glibc

/// The newest events in their order, for those who listen now and for those who come back.
public final class EventHub<Content: Sendable>: Sendable {
  public struct Event: Sendable {
    /// Grows by one with each event, and is greater than any of an earlier run of this process.
    public var id: Int64
    public var content: Content
  }

  /// One who listens, until this is let go of: who has a place may never come to take it.
  public final class Listener: Sendable {
    /// Where the listener begins, if it has missed what nobody can tell it any more.
    public let missed: Int64?
    public var bell: Bell { inbox.bell }
    private let inbox: Inbox
    private let hub: EventHub

    fileprivate init(_ inbox: Inbox, missed: Int64?, of hub: EventHub) {
      self.inbox = inbox
      self.missed = missed
      self.hub = hub
    }

    deinit { hub.leave(inbox) }

    /// What has come since the last call; nil where the listener is too far behind and has to come back.
    public func take() -> [Event]? { inbox.take() }
  }

  /// What a listener has not taken yet.
  fileprivate final class Inbox: Sendable {
    private struct State {
      var waiting: [Event] = []
      var isBehind = false
    }

    private let state = Lock(State())
    let bell = Bell()
    private let hears: @Sendable (Content) -> Bool
    private let kept: Int

    init(kept: Int, hears: @escaping @Sendable (Content) -> Bool) {
      self.kept = kept
      self.hears = hears
    }

    func tell(_ event: Event) {
      guard hears(event.content) else { return }
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
    /// A ring: the oldest stands at `oldest`.
    var events: [Event] = []
    var oldest = 0
    var inboxes: [ObjectIdentifier: Inbox] = [:]

    var inOrder: some Sequence<Event> { [events[oldest...], events[..<oldest]].joined() }
  }

  private let state: Lock<State>
  private let kept: Int
  private let places: Int
  private let forgets: @Sendable (Content) -> Bool
  /// The id before the first event's.
  private let origin: Int64

  /// - Parameters:
  ///   - start: the id of the first event. The system's time in microseconds is greater than any id of an earlier run, since a run
  ///     has no more than one event a microsecond; the world's clock would not do, for it can be set back.
  ///   - kept: events that are kept for who comes back, and that a slow listener may be behind.
  ///   - places: listeners at a time.
  ///   - forgets: whether what was before an event means nothing any more, as after a reset.
  public init(
    start: Int64 = EventHub.systemMicroseconds(), kept: Int = 1000, places: Int = 1000,
    forgets: @escaping @Sendable (Content) -> Bool = { _ in false }
  ) {
    self.kept = kept
    self.places = places
    self.forgets = forgets
    origin = start - 1
    state = Lock(State(next: start))
  }

  /// Since 1970.
  public static func systemMicroseconds() -> Int64 {
    var time = timespec()
    unsafe clock_gettime(CLOCK_REALTIME, &time)
    return Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000
  }

  public func publish(_ content: Content) {
    state.withLock { state in
      let event = Event(id: state.next, content: content)
      state.next += 1
      if forgets(content) { (state.events, state.oldest) = ([], 0) }
      if state.events.count < kept {
        state.events.append(event)
      } else {
        state.events[state.oldest] = event
        state.oldest = (state.oldest + 1) % kept
      }
      for inbox in state.inboxes.values { inbox.tell(event) }
    }
  }

  /// Begins to listen; what came after the event `last` is told first. Nil where too many listen already.
  ///
  /// An id of an earlier run, or one so old that events after it are forgotten, makes a listener that has `missed` some.
  /// - Parameter hears: what this listener is told.
  public func listen(
    after last: String?, hears: @escaping @Sendable (Content) -> Bool = { _ in true }
  ) -> Listener? {
    let place: (inbox: Inbox, missed: Int64?)? = state.withLock { state in
      guard state.inboxes.count < places else { return nil }
      let newest = state.next - 1
      let oldest = state.events.isEmpty ? state.next : state.events[state.oldest].id
      let known = last.flatMap { Int64($0) }.flatMap { max(origin, oldest - 1)...newest ~= $0 ? $0 : nil }
      let inbox = Inbox(kept: kept, hears: hears)
      if let known {
        for event in state.inOrder where event.id > known { inbox.tell(event) }
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
