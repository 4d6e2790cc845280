import EventLoop

/// A web server that has the torrent's files (BEP 19), and what it is doing.
struct WebSeed: Sendable {
  enum State: Equatable, Sendable {
    /// It is asked for nothing: all that is missing was asked of others, or no memory is free.
    case waiting
    case fetching(piece: Int)
    /// It gave nothing the last time, and is not asked before this.
    case resting(until: Instant)
    /// It gave bad data, and is asked no more.
    case refused
  }

  let url: String
  var state = State.waiting
  var received: RateMeter
  /// Failures in a row, and the last one in words.
  var failures = 0
  var error: String?
  /// Octets that came in this period, and how long they were waited for: not while our own bounds hold them up.
  private var came = 0
  private var waited = Duration.zero
  private var waitsSince: Instant?

  /// In so long at least so many octets come, a kibibyte a second, or somebody else is asked.
  private static let period = Duration.seconds(60)
  private static let least = 65_536
  private static let firstPause = 10
  private static let longestPause = 600

  init(url: String, at now: Instant) {
    self.url = url
    received = RateMeter(at: now)
  }

  mutating func begins(_ piece: Int, at now: Instant) {
    state = .fetching(piece: piece)
    (came, waited, waitsSince) = (0, .zero, now)
  }

  /// Octets came: until more are asked for, nobody waits for it.
  mutating func gave(_ octets: Int, at now: Instant) {
    received.add(octets, at: now)
    came += octets
    if let since = waitsSince { waited += now.since(since) }
    waitsSince = nil
  }

  mutating func isAwaited(at now: Instant) { if waitsSince == nil { waitsSince = now } }

  /// Whether it gives too little to be waited for any longer.
  mutating func drips(at now: Instant) -> Bool {
    guard case .fetching = state, waited + (waitsSince.map { now.since($0) } ?? .zero) >= Self.period else {
      return false
    }
    let drips = came < Self.least
    (came, waited) = (0, .zero)
    if waitsSince != nil { waitsSince = now }
    return drips
  }

  mutating func gaveAll() {
    (failures, error) = (0, nil)
    if state != .refused { state = .waiting }
  }

  /// It rests, longer each time.
  mutating func failed(_ reason: String, at now: Instant) {
    failures += 1
    error = reason
    if state != .refused { state = .resting(until: now + pause) }
  }

  private var pause: Duration { .seconds(min(Self.longestPause, Self.firstPause << min(failures - 1, 6))) }
}
