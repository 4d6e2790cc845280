import EventLoop
import HTTPServer
import Octets
import ServiceKit
import TorrentWire

/// What a tracker's operator decides.
struct TrackerSettings: Sendable {
  /// Whose torrents are tracked.
  enum Mode: String, Sendable, CaseIterable {
    /// All but the denied ones.
    case open
    /// The registered ones alone.
    case listed
    /// The registered ones, for those whose announce URL has a key (`/announce/KEY`).
    case `private`
  }

  var mode = Mode.open
  var limits = TrackerLimits()
  /// Believe the address that a peer claims (`ip=`).
  var believesClaims = false
}

/// Answers announces and scrapes, whatever protocol they come by.
final class Announcer: Sendable {
  let store: SwarmStore
  let accounts: Accounts
  let events: EventHub<TrackerEvent>
  let settings: TrackerSettings
  let counters: TrackerCounters
  /// Seconds of the world's clock.
  let now: @Sendable () -> Int64
  /// What the tracker calls itself.
  let trackerID: [UInt8]
  private let pace: RateLimit
  private let load = LoadMeter()

  init(
    store: SwarmStore, accounts: Accounts, events: EventHub<TrackerEvent>, settings: TrackerSettings,
    counters: TrackerCounters, chance: Chance,
    now: @escaping @Sendable () -> Int64
  ) {
    self.store = store
    self.accounts = accounts
    self.events = events
    self.settings = settings
    self.counters = counters
    self.now = now
    var chance = chance
    trackerID = Array(Hex.encode((0..<4).map { _ in UInt8.random(in: .min ... .max, using: &chance) }).utf8)
    pace = RateLimit(
      perSecond: Double(settings.limits.announcesPerAddress), burst: settings.limits.announceBurst)
  }

  /// - Parameters:
  ///   - key: of the announce URL.
  ///   - source: where it came from, which is where the peer is.
  ///   - families: which addresses the answer has room for; true is IPv4. In the order in which they are wanted.
  ///   - room: peers that fit into the answer.
  /// - Throws: what the client is told.
  func answer(
    _ request: AnnounceRequest, key: [UInt8]? = nil, from source: IPAddress, families: [Bool], room: Int = .max,
    at moment: Instant
  ) throws(TrackerFailure) -> AnnounceReply {
    counters.announces.add()
    guard pace.take(source, at: moment) == nil else {
      throw refused(TrackerFailure("too many announces come from your address", retry: .minutes(1)))
    }
    let time = now()
    let user = try user(of: key, at: time)
    let limits = settings.limits
    let stretch = min(Member.longestStretch, max(1, load.note(at: moment) / limits.easyRate))
    let interval = limits.interval * stretch
    let address = settings.believesClaims ? request.claimedAddress ?? source : source
    let member = Member(
      address: SocketAddress(ip: address.unmapped, port: request.port),
      client: Client(id: request.peerID, key: request.key), isSeeder: request.left == 0,
      progress: Progress(
        uploaded: request.uploaded, downloaded: request.downloaded, left: request.left, user: user),
      stretch: stretch, expires: time + limits.lifetime(stretch: stretch))
    let announcement = Announcement(
      member: member, isStarted: request.event == .started, isStopped: request.event == .stopped,
      hasCompleted: request.event == .completed,
      wanted: min(request.wanted ?? limits.usualPeers, limits.mostPeers, room), families: families,
      wantsIDs: request.wantsDictionaries && !request.leavesOutIDs)
    let outcome: Outcome
    do throws(SwarmStore.Refusal) {
      outcome = try store.announce(announcement, of: request.infoHash, at: time, accepts: isTracked)
    } catch {
      throw refused(TrackerFailure(error))
    }
    if let event = outcome.event(of: member, in: request.infoHash) { events.publish(event) }
    if let user { accounts.note(user, member.progress, counted: outcome.counted, isStarted: request.event == .started) }
    var reply = AnnounceReply(
      interval: interval - interval / 10 + Int(outcome.random % UInt64(interval / 5 + 1)), seeders: outcome.seeders,
      leechers: outcome.leechers)
    reply.minInterval = interval / 2
    reply.downloads = outcome.downloads
    reply.peers = outcome.chosen
    reply.externalAddress = source
    reply.trackerID = trackerID
    return reply
  }

  /// What is known of these torrents: those that are not are left out.
  func scrape(_ hashes: [InfoHash]) -> [ScrapeEntry] {
    counters.scrapes.add()
    let time = now()
    return hashes.compactMap { hash in
      guard let torrent = store.summary(hash, at: time), isTracked(torrent.standing) else { return nil }
      return ScrapeEntry(
        infoHash: hash, seeders: torrent.seeders, leechers: torrent.leechers, downloads: torrent.downloads)
    }
  }

  private func isTracked(_ standing: SwarmStore.Standing) -> Bool {
    switch standing {
    case .unlisted: settings.mode == .open
    case .registered: true
    case .denied: false
    }
  }

  /// Whose key came, where one is asked for.
  func user(of key: [UInt8]?, at time: Int64) throws(TrackerFailure) -> Int64? {
    guard settings.mode == .private else { return nil }
    guard let key, let digest = try? Secrets.digest(key) else {
      throw refused(
        TrackerFailure("this tracker is private: your announce URL has to end with your key", retry: .never))
    }
    do throws(TrackerFailure) {
      return try accounts.user(of: digest, at: time)
    } catch {
      throw refused(error)
    }
  }

  private func refused(_ failure: TrackerFailure) -> TrackerFailure {
    counters.failures.add()
    return failure
  }
}

extension TrackerFailure {
  /// What the client is told.
  init(_ refusal: SwarmStore.Refusal) {
    switch refusal {
    case .standing(.denied): self.init("this torrent is not allowed here", retry: .never)
    case .standing: self.init("this torrent is not registered here", retry: .minutes(30))
    case .noRoom: self.init("this tracker has no room for another torrent", retry: .minutes(30))
    }
  }
}

/// How many announces a second there are: those of the second before.
final class LoadMeter: Sendable {
  private let state = Lock((second: UInt64(0), count: 0, rate: 0))

  /// Counts one.
  /// - Returns: the rate.
  func note(at moment: Instant) -> Int {
    let second = moment.nanoseconds / 1_000_000_000
    return state.withLock { state in
      if state.second != second {
        state.rate = second == state.second + 1 ? state.count : 0
        (state.second, state.count) = (second, 0)
      }
      state.count += 1
      return state.rate
    }
  }
}

/// What the tracker counts, for `/metrics`.
struct TrackerCounters: Sendable {
  let announces: Counter
  let scrapes: Counter
  let failures: Counter
  /// Datagrams that are not answered.
  let ignored: Counter

  init(_ metrics: Metrics) {
    announces = metrics.counter("tracker_announces_total", help: "Announces, by whatever protocol.")
    scrapes = metrics.counter("tracker_scrapes_total", help: "Scrapes.")
    failures = metrics.counter("tracker_failures_total", help: "Announces that were answered with a failure.")
    ignored = metrics.counter(
      "tracker_ignored_datagrams_total", help: "Datagrams without an answer: no request, or with a wrong connection id."
    )
  }
}
