import EventLoop
import Octets
import ServiceKit
import TorrentWire

/// Tells the trackers of one torrent of this peer, at the right times, and hands on the peers that they tell.
actor TrackerAnnouncer {
  /// What to tell now: who asks, and how far it is. Event and tracker id are the announcer's own.
  typealias Report = @Sendable () async -> AnnounceRequest
  typealias Answered = @Sendable (TrackerURL) async -> Void
  typealias Found = @Sendable ([SocketAddress]) async -> Void

  /// How long the end is held up for trackers to hear of it.
  static let stopTime: Duration = .seconds(3)

  nonisolated let loop: EventLoop
  nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe loop.asUnownedSerialExecutor() }
  private let client: TrackerClient
  private let clock: WorldClock
  private let report: Report
  private let answered: Answered
  private let found: Found
  private var chance: Chance
  private var tiers: TrackerTiers
  private var schedule = AnnounceSchedule()
  private var records: [TrackerURL: TrackerStatus] = [:]
  private var alarm: WorldClock.Alarm?
  /// Grows with each start and stop: a round of before finds another one and ends.
  private var run = 0
  private var isRunning = false
  private var isAnnouncing = false
  /// Who waits for the round under way.
  private var roundEnd: Suspension<Void>?
  /// Trackers that came while others knew of the torrent, and were not asked yet.
  private var newcomers: [TrackerURL] = []
  /// Trackers that are the torrent's no more, while they are told so.
  private var partings: [TrackerURL: Pending] = [:]

  /// - Parameters:
  ///   - tiers: the trackers of the torrent, as its metainfo has them (BEP 12).
  ///   - answered: is told which tracker answered, before it is handed that one's peers.
  ///   - found: is handed peers as the trackers tell them, whatever they are.
  init(
    on loop: EventLoop, _ tiers: [[TrackerURL]], client: TrackerClient, clock: WorldClock, chance: Chance,
    report: @escaping Report, answered: @escaping Answered = { _ in }, found: @escaping Found
  ) {
    self.loop = loop
    self.client = client
    self.clock = clock
    self.report = report
    self.answered = answered
    self.found = found
    var chance = chance
    self.tiers = TrackerTiers(tiers, using: &chance)
    self.chance = chance
    for (number, tier) in self.tiers.tiers.enumerated() {
      for url in tier { records[url] = TrackerStatus(url: url, tier: number) }
    }
  }

  // MARK: For the torrent

  /// - Parameter isComplete: whether nothing is missing already.
  func start(isComplete: Bool) {
    guard !isRunning, !records.isEmpty else { return }
    isRunning = true
    beginRun()
    schedule.start(at: now, isComplete: isComplete)
    arm()
  }

  /// The last piece came.
  func completed() {
    schedule.completed(at: now)
    arm()
  }

  /// More peers are wanted, as soon as the tracker's minimum interval lets them be.
  func wantsPeers() {
    schedule.wantsPeers(at: now)
    arm()
  }

  /// Asks at once, whatever the intervals are, also trackers that wanted to be left alone: who asks for it has a reason, such as that
  /// the torrent was registered meanwhile.
  func announceNow() {
    guard isRunning else { return }
    tiers.restNoMore()
    schedule.announceNow(at: now)
    arm()
  }

  /// Goes on with other trackers: those that are gone hear the end, those that are new the beginning.
  /// - Parameter asksNew: whether each that is new is asked at once, also where another goes before it (BEP 12).
  /// - Returns: whether one that knew of the torrent is gone.
  func change(_ tiers: [[TrackerURL]], asksNew: Bool) -> Bool {
    let before = records
    self.tiers.replace(tiers, known: { schedule.isTold($0) }, using: &chance)
    records = [:]
    for (number, tier) in self.tiers.tiers.enumerated() {
      for url in tier {
        records[url] = before[url] ?? TrackerStatus(url: url, tier: number)
        records[url]?.tier = number
      }
    }
    guard isRunning else { return false }
    let gone = before.filter { records[$0.key] == nil }
    // Nobody waits for what a tracker says that is none any more.
    if gone.values.contains(where: { $0.state == .announcing }) { beginRun() }
    let left = gone.keys.filter { schedule.forget($0) }
    for url in left { part(from: url) }
    newcomers = newcomers.filter { records[$0] != nil }
    let new = self.tiers.tiers.joined().filter { before[$0] == nil }
    let isKnown = records.keys.contains { schedule.isTold($0) }
    if isKnown, asksNew { newcomers += new } else if !isKnown || !new.isEmpty { schedule.announceNow(at: now) }
    arm()
    return !left.isEmpty
  }

  private func part(from url: TrackerURL) {
    let parting = Pending()
    parting.begin()
    partings[url] = parting
    loop.spawn { [self] in
      await farewell(to: [url], within: Self.stopTime)
      parting.end()
      await parted(from: url, parting)
    }
  }

  private func parted(from url: TrackerURL, _ parting: Pending) { if partings[url] === parting { partings[url] = nil } }

  /// Tells each tracker that was told `started` the end; returns when they have heard it, or after three seconds.
  func stop() async {
    guard isRunning else { return }
    isRunning = false
    if let alarm { clock.cancel(alarm) }
    alarm = nil
    let end = Instant.current + Self.stopTime
    // What is on its way as `started` must not come after `stopped`; a tracker that is silent must not take all the time.
    if isAnnouncing {
      let waiting = Suspension<Void>(on: loop)
      roundEnd = waiting
      await waiting.value(within: Self.stopTime / 2, late: (), cancelled: ())
    }
    guard !isRunning else { return }
    beginRun()
    newcomers = []
    await farewell(to: schedule.stop(), within: end.since(.current))
    for parting in partings.values { await parting.wait() }
  }

  /// In the order in which they are asked.
  var statuses: [TrackerStatus] {
    let now = now
    let first = isRunning && !isAnnouncing ? tiers.next(at: now) : nil
    return tiers.tiers.joined().compactMap { url in
      guard var status = records[url] else { return nil }
      status.next = url == first ? schedule.due : tiers.rest(of: url, at: now).flatMap { $0 == .max ? nil : $0 }
      return status
    }
  }

  // MARK: Rounds

  private var now: Int64 { clock.now.seconds }

  /// What a round of before still hears counts no more.
  private func beginRun() {
    run += 1
    isAnnouncing = false
    for (url, record) in records where record.state == .announcing { records[url]?.state = .waiting }
  }

  private func arm() {
    if let alarm { clock.cancel(alarm) }
    alarm = nil
    guard isRunning, !isAnnouncing else { return }
    guard newcomers.isEmpty else { return begin() }
    guard let due = schedule.due else { return }
    alarm = clock.at(WorldTime(seconds: due), on: loop) { [weak self] in
      self?.assumeIsolated { $0.begin() }
    }
  }

  private func begin() {
    // A timer that was cancelled may have been on its way.
    guard isRunning, !isAnnouncing, !newcomers.isEmpty || schedule.due.map({ $0 <= now }) == true else { return }
    isAnnouncing = true
    let run = run
    loop.spawn { [weak self] in await self?.round(run) }
  }

  private func round(_ run: Int) async {
    let peers = newcomers.isEmpty ? await firstAnswer(run) : await greetNewcomers(run)
    guard run == self.run else { return }
    isAnnouncing = false
    roundEnd?.wake(())
    roundEnd = nil
    arm()
    if isRunning, let peers, !peers.isEmpty { await found(peers) }
  }

  /// Asks each tracker that came later. Those that know of the torrent already are asked when they would have been.
  private func greetNewcomers(_ run: Int) async -> [SocketAddress]? {
    var peers: [SocketAddress] = []
    while isRunning, let url = newcomers.first {
      newcomers.removeFirst()
      records[url]?.state = .announcing
      do throws(TrackerFailure) {
        let reply = try await tell(url, .started)
        guard counts(url, run) else { return nil }
        schedule.answered(newcomer: url, reply, at: now)
        note(reply, of: url)
        peers += reply.peers.map(\.address)
      } catch {
        guard run == self.run else { return nil }
        tiers.failed(url, restingUntil: error.retry.map { rest($0) })
        note(error, of: url)
      }
    }
    return peers
  }

  /// Whether the answer of a tracker is still of use. One that heard the beginning and is the torrent's no more is told the end.
  private func counts(_ url: TrackerURL, _ run: Int) -> Bool {
    if records[url] == nil { part(from: url) }
    return run == self.run
  }

  /// Asks one tracker after the other until one answers.
  private func firstAnswer(_ run: Int) async -> [SocketAddress]? {
    tiers.beginRound()
    while isRunning, let url = tiers.next(at: now) {
      let event = schedule.event(for: url)
      records[url]?.state = .announcing
      do throws(TrackerFailure) {
        let reply = try await tell(url, event)
        guard counts(url, run) else { return nil }
        tiers.answered(url)
        schedule.answered(reply, to: event, by: url, at: now)
        note(reply, of: url)
        await answered(url)
        return reply.peers.map(\.address)
      } catch {
        guard run == self.run else { return nil }
        tiers.failed(url, restingUntil: error.retry.map { rest($0) })
        note(error, of: url)
      }
    }
    if isRunning { schedule.failed(at: now, notBefore: tiers.firstReady(at: now), using: &chance) }
    tiers.beginRound()
    return nil
  }

  private func tell(
    _ url: TrackerURL, _ event: AnnounceRequest.Event
  ) async throws(TrackerFailure) -> AnnounceReply {
    // A tracker that was left is told so before it hears of a new beginning.
    if event == .started { await partings[url]?.wait() }
    var request = await report()
    request.event = event
    request.trackerID = schedule.trackerID(of: url)
    if event == .stopped { request.wanted = 0 }
    return try await client.announce(request, to: url)
  }

  private func rest(_ retry: TrackerFailure.Retry) -> Int64 {
    switch retry {
    case .minutes(let minutes): now + 60 * Int64(minutes)
    case .never: .max
    }
  }

  private func farewell(to trackers: [TrackerURL], within time: Duration) async {
    guard !trackers.isEmpty, time > .zero else { return }
    let all = Suspension<Void>(on: loop)
    let left = Lock(trackers.count)
    for url in trackers {
      loop.spawn { [self] in
        // Who does not hear it notices by itself, when no announce comes.
        _ = try? await tell(url, .stopped)
        if left.withLock({ count in
          count -= 1
          return count == 0
        }) {
          all.wake(())
        }
      }
    }
    await all.value(within: time, late: (), cancelled: ())
  }

  // MARK: Records

  private func note(_ reply: AnnounceReply, of url: TrackerURL) {
    records[url]?.state = .working
    records[url]?.lastAnnounce = now
    records[url]?.seeders = reply.seeders
    records[url]?.leechers = reply.leechers
    if let downloads = reply.downloads { records[url]?.downloads = downloads }
    records[url]?.message = reply.warning
  }

  private func note(_ failure: TrackerFailure, of url: TrackerURL) {
    records[url]?.state = .failed
    records[url]?.message = failure.description
  }
}
