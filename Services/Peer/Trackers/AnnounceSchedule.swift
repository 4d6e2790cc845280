import TorrentWire

/// When a torrent's trackers are told of it next, and what (BEP 3): `started` first, nothing special each interval, `completed`
/// once, `stopped` at the end. Times are seconds of the clock of whoever asks.
struct AnnounceSchedule: Sendable {
  /// Seconds between regular announces, whatever a tracker says.
  static let intervals = 10...86_400
  /// Seconds before which a tracker that says nothing of it is not asked for more peers.
  static let defaultMinInterval = 60
  /// Seconds to wait after the first failure, which double with each further one, up to the last.
  static let backOff = 15...1800

  /// When the next announce is due; nil where none is.
  private(set) var due: Int64?
  /// Before this, a wish for more peers has to wait.
  private var earliest: Int64 = 0
  /// Rounds that failed, one after the other.
  private var failures = 0
  /// Trackers that know of this run.
  private var told: Set<TrackerURL> = []
  /// What they call themselves.
  private var trackerIDs: [TrackerURL: [UInt8]] = [:]
  private var owesCompleted = false
  /// Whether it was complete from the start, or its completion is told or owed already.
  private var isComplete = false

  /// - Parameter isComplete: whether nothing was missing: then it is never told as completed.
  mutating func start(at now: Int64, isComplete: Bool) {
    self = AnnounceSchedule()
    self.isComplete = isComplete
    due = now
  }

  /// What to tell a tracker now: each hears `started` before all else.
  func event(for url: TrackerURL) -> AnnounceRequest.Event {
    guard told.contains(url) else { return .started }
    return owesCompleted ? .completed : .none
  }

  /// The tracker's own name for itself, which is sent back to it.
  func trackerID(of url: TrackerURL) -> [UInt8]? { trackerIDs[url] }

  /// A tracker answered what it was told with `event`.
  mutating func answered(_ reply: AnnounceReply, to event: AnnounceRequest.Event, by url: TrackerURL, at now: Int64) {
    told.insert(url)
    // One that says nothing keeps the name that it gave before.
    if let trackerID = reply.trackerID { trackerIDs[url] = trackerID }
    failures = 0
    if event == .completed { owesCompleted = false }
    let interval = min(max(reply.interval, Self.intervals.lowerBound), Self.intervals.upperBound)
    // What is owed does not wait for the interval.
    due = owesCompleted ? now : now + Int64(interval)
    earliest = now + Int64(min(max(0, reply.minInterval ?? Self.defaultMinInterval), interval))
  }

  /// A tracker that came later answered to its first announce: those of before are asked when they would have been, at the latest.
  mutating func answered(newcomer url: TrackerURL, _ reply: AnnounceReply, at now: Int64) {
    let before = self
    answered(reply, to: .started, by: url, at: now)
    guard before.failures == 0, let planned = before.due, let due, planned < due else { return }
    (self.due, earliest) = (planned, before.earliest)
  }

  /// A tracker that is no more one of the torrent's.
  /// - Returns: whether it has to be told `stopped`, since it was told `started`.
  mutating func forget(_ url: TrackerURL) -> Bool { told.remove(url) != nil }

  /// Whether it knows of this run.
  func isTold(_ url: TrackerURL) -> Bool { told.contains(url) }

  /// No tracker answered.
  /// - Parameter ready: before this none may be asked, `.max` for never; nil where there is no such word.
  mutating func failed(at now: Int64, notBefore ready: Int64?, using generator: inout some RandomNumberGenerator) {
    let full = min(Self.backOff.lowerBound << min(failures, 10), Self.backOff.upperBound)
    failures += 1
    // Peers that lost a tracker together don't come back together.
    let wait = Int.random(in: full * 3 / 4...full, using: &generator)
    due = ready == .max ? nil : max(now + Int64(wait), ready ?? now)
    earliest = due ?? .max
  }

  /// The last piece came.
  mutating func completed(at now: Int64) {
    guard !isComplete else { return }
    isComplete = true
    owesCompleted = true
    // While no tracker answers, it goes with the next attempt.
    if failures == 0, due != nil { due = now }
  }

  /// More peers are wanted, as soon as the tracker's minimum interval lets them be.
  mutating func wantsPeers(at now: Int64) {
    if let due { self.due = min(due, max(now, earliest)) }
  }

  /// A person wants it now, whatever the intervals are.
  mutating func announceNow(at now: Int64) { due = now }

  /// No more is due.
  /// - Returns: the trackers that have to be told `stopped`, since they were told `started`.
  mutating func stop() -> [TrackerURL] {
    due = nil
    return Array(told)
  }
}
