import EventLoop
import HTTPServer
import Octets
import ServiceKit
import Testing
import TorrentWire

@testable import Tracker

/// A tracker in this process, with a clock that the test moves.
final class TestTracker: Sendable {
  let loop: EventLoop
  let swarms: SwarmStore
  let accounts = Accounts()
  let events = EventHub<TrackerEvent>(start: 1)
  let announcer: Announcer
  let time = Lock<Int64>(1_000_000)

  init(_ change: (inout TrackerSettings) -> Void = { _ in }) throws {
    loop = try EventLoop.start(name: "tracker")
    var settings = TrackerSettings()
    change(&settings)
    var generator = SeededGenerator(seed: 1)
    swarms = SwarmStore(limits: settings.limits, keepsProgress: settings.mode == .private, using: &generator)
    announcer = Announcer(
      store: swarms, accounts: accounts, events: events, settings: settings, counters: TrackerCounters(Metrics()),
      chance: Chance(seed: 1),
      now: { [time] in time.withLock { $0 } })
  }

  func announce(
    _ number: Int, of hash: InfoHash, key: [UInt8]? = nil, from source: IPAddress? = nil,
    _ change: (inout AnnounceRequest) -> Void = { _ in }
  ) throws -> AnnounceReply {
    var request = AnnounceRequest(infoHash: hash, peerID: try Make.id(number), port: 6881)
    request.left = 1
    change(&request)
    let source = source ?? Make.address(number).ip
    return try announcer.answer(request, key: key, from: source, families: [true, false], at: .current)
  }
}

@Suite struct AnnouncerTests {
  @Test func aPeerIsToldWhatItHasToKnow() throws {
    let tracker = try TestTracker()
    let hash = try Make.hash(1)
    _ = try tracker.announce(1, of: hash) { $0.left = 0 }
    let reply = try tracker.announce(2, of: hash)
    #expect(1620...1980 ~= reply.interval && reply.minInterval == 900)
    #expect(reply.seeders == 1 && reply.leechers == 1 && reply.downloads == 0)
    #expect(reply.peers == [.init(address: Make.address(1))])
    #expect(reply.externalAddress == Make.address(2).ip && reply.trackerID?.count == 8)
  }

  @Test func whatHappensIsToldOnce() throws {
    let tracker = try TestTracker()
    let listener = try #require(tracker.events.listen(after: nil))
    let hash = try Make.hash(1)
    for (event, left) in [
      (.started, 5), (.none, 5), (.completed, 0), (.completed, 0), (.none, 0), (.stopped, 0), (.stopped, 0),
    ]
      as [(AnnounceRequest.Event, UInt64)]
    {
      _ = try tracker.announce(1, of: hash) { ($0.event, $0.left) = (event, left) }
    }
    let told = try #require(listener.take()).map { event in
      switch event.content {
      case .peerStarted(hash, Make.address(1)): "started"
      case .peerCompleted(hash, Make.address(1)): "completed"
      case .peerStopped(hash, Make.address(1)): "stopped"
      default: "something else"
      }
    }
    #expect(told == ["started", "completed", "stopped"])
  }

  @Test func askersAreToldNoMoreThanTheyWantOrMayHave() throws {
    let tracker = try TestTracker()
    let hash = try Make.hash(1)
    for number in 1...250 { _ = try tracker.announce(number, of: hash) }
    for (wanted, told) in [(nil, 50), (0, 0), (7, 7), (199, 199), (10_000, 200)] as [(Int?, Int)] {
      #expect(try tracker.announce(1, of: hash) { $0.wanted = wanted }.peers.count == told)
    }
  }

  /// Keyed by where it comes from: another id at the same place is the same peer.
  @Test func aPeerIsItsAddress() throws {
    let tracker = try TestTracker()
    let hash = try Make.hash(1)
    _ = try tracker.announce(1, of: hash)
    let id = try Make.id(77)
    #expect(try tracker.announce(1, of: hash) { $0.peerID = id }.leechers == 1)
    #expect(try tracker.announce(1, of: hash) { $0.port = 7000 }.leechers == 2)
    // Port 0 can't be called; it may ask.
    let hidden = try tracker.announce(3, of: hash) { $0.port = 0 }
    #expect(hidden.leechers == 2 && hidden.peers.count == 2)
    // Who stops makes no torrent.
    #expect(try tracker.announce(3, of: try Make.hash(2)) { $0.event = .stopped }.leechers == 0)
    #expect(tracker.swarms.counts.torrents == 1)
  }

  @Test func aClaimIsBelievedOnlyWhereTheOperatorSaysSo() throws {
    let hash = try Make.hash(1)
    let claimed = Make.address(99).ip
    for believes in [false, true] {
      let tracker = try TestTracker { $0.believesClaims = believes }
      _ = try tracker.announce(1, of: hash) { $0.claimedAddress = claimed }
      #expect(
        tracker.swarms.torrent(hash, at: 0)?.swarm.members.map(\.address.ip) == [
          believes ? claimed : Make.address(1).ip
        ])
    }
  }

  @Test func whoIsQuietForTwoIntervalsIsGone() throws {
    let tracker = try TestTracker()
    let hash = try Make.hash(1)
    _ = try tracker.announce(1, of: hash)
    tracker.time.withLock { $0 += 3600 }
    #expect(try tracker.announce(2, of: hash).leechers == 2)
    tracker.time.withLock { $0 += 1 }
    #expect(try tracker.announce(2, of: hash).leechers == 1)
    tracker.time.withLock { $0 += 3601 }
    #expect(tracker.announcer.scrape([hash]).map(\.leechers) == [0])
  }

  /// Who was told to come back later, in a busy hour, is not forgotten when that is over.
  @Test func aPeerHasTheTimeThatItWasTold() throws {
    let tracker = try TestTracker { $0.limits.easyRate = 1 }
    let hash = try Make.hash(1)
    let start = Instant(nanoseconds: 5_000_000_000)
    func announce(_ number: Int, at moment: Instant) throws -> AnnounceReply {
      let request = AnnounceRequest(infoHash: hash, peerID: try Make.id(number), port: 6881)
      return try tracker.announcer.answer(request, from: Make.address(number).ip, families: [true], at: moment)
    }
    for _ in 1...3 { _ = try announce(2, at: start) }
    #expect(4800...6000 ~= (try announce(1, at: start + .seconds(1))).interval)
    tracker.time.withLock { $0 += 2 * 5400 }
    #expect(try announce(3, at: start + .seconds(99)).peers.map(\.address) == [Make.address(1)])
    tracker.time.withLock { $0 += 1 }
    #expect(try announce(3, at: start + .seconds(199)).peers.isEmpty)
  }

  @Test func whatIsDeniedOrUnknownIsToldAsAFailure() throws {
    let (one, other) = (try Make.hash(1), try Make.hash(2))
    let open = try TestTracker()
    open.swarms.set(one, .denied)
    #expect(throws: TrackerFailure("this torrent is not allowed here", retry: .never)) { try open.announce(1, of: one) }
    #expect(open.announcer.scrape([one, other]).isEmpty)
    let listed = try TestTracker { $0.mode = .listed }
    #expect(throws: TrackerFailure("this torrent is not registered here", retry: .minutes(30))) {
      try listed.announce(1, of: one)
    }
    listed.swarms.set(one, .registered)
    #expect(try listed.announce(1, of: one).leechers == 1)
    listed.swarms.remove(one)
    #expect(throws: TrackerFailure.self) { try listed.announce(1, of: one) }
  }

  @Test func anAddressMayAnnounceSoOften() throws {
    let tracker = try TestTracker {
      $0.limits.announcesPerAddress = 1
      $0.limits.announceBurst = 3
    }
    let hash = try Make.hash(1)
    for _ in 1...3 { _ = try tracker.announce(1, of: hash) }
    #expect(throws: TrackerFailure.self) { for _ in 1...3 { _ = try tracker.announce(1, of: hash) } }
    #expect(try tracker.announce(2, of: hash).leechers == 2)
  }

  @Test func aPrivateTrackerAsksForAKey() throws {
    let tracker = try TestTracker { $0.mode = .private }
    let hash = try Make.hash(1)
    tracker.swarms.set(hash, .registered)
    let key = Array("good".utf8)
    tracker.accounts.add(user: 7)
    tracker.accounts.set(try Secrets.digest(key), Accounts.Key(user: 7, expiresAt: 1_000_100))
    for (key, words) in [(nil, "this tracker is private"), (Array("bad".utf8), "is not known here")]
      as [([UInt8]?, String)]
    {
      let failure = #expect(throws: TrackerFailure.self) { try tracker.announce(1, of: hash, key: key) }
      #expect(failure?.description.contains(words) == true && failure?.retry == .never)
    }
    #expect(try tracker.announce(1, of: hash, key: key).leechers == 1)
    // What is not registered is not tracked for anybody.
    #expect(throws: TrackerFailure.self) { try tracker.announce(1, of: try Make.hash(2), key: key) }
    tracker.accounts.set(try Secrets.digest(key), Accounts.Key(user: 7, expiresAt: 1_000_100, isDisabled: true))
    #expect(throws: TrackerFailure("the key of this announce URL is disabled", retry: .never)) {
      try tracker.announce(1, of: hash, key: key)
    }
    tracker.accounts.set(try Secrets.digest(key), Accounts.Key(user: 7, expiresAt: 1_000_100))
    tracker.time.withLock { $0 = 1_000_100 }
    #expect(throws: TrackerFailure("the key of this announce URL has expired", retry: .never)) {
      try tracker.announce(1, of: hash, key: key)
    }
    tracker.accounts.remove(user: 7)
    #expect(throws: TrackerFailure.self) { try tracker.announce(1, of: hash, key: key) }
  }

  @Test func whatAUserHasMovedIsCountedOnce() throws {
    let tracker = try TestTracker { $0.mode = .private }
    let (one, other) = (try Make.hash(1), try Make.hash(2))
    for hash in [one, other] { tracker.swarms.set(hash, .registered) }
    let key = Array("good".utf8)
    tracker.accounts.add(user: 7)
    tracker.accounts.set(try Secrets.digest(key), Accounts.Key(user: 7))
    func moved(_ hash: InfoHash, _ uploaded: UInt64, _ downloaded: UInt64, _ event: AnnounceRequest.Event = .none)
      throws
    {
      _ = try tracker.announce(1, of: hash, key: key) {
        ($0.uploaded, $0.downloaded, $0.event) = (uploaded, downloaded, event)
      }
    }
    try moved(one, 0, 0, .started)
    try moved(one, 10, 100)
    try moved(one, 10, 150, .completed)
    try moved(other, 5, 0, .started)
    try moved(one, 60, 150, .stopped)
    #expect(tracker.accounts.amounts(of: 7) == .init(uploaded: 65, downloaded: 150))
    // A new session begins at nothing, and numbers that go back count for nothing.
    try moved(one, 0, 0, .started)
    try moved(one, 3, 0)
    try moved(one, 1, 0)
    #expect(tracker.accounts.takeChanged() == [7: .init(uploaded: 68, downloaded: 150)])
    #expect(tracker.accounts.takeChanged().isEmpty)
    // One that is in the middle of its session, as after a restart of the tracker, has been counted before.
    tracker.swarms.removeAll()
    tracker.swarms.set(one, .registered)
    try moved(one, 500, 500)
    #expect(tracker.accounts.takeChanged().isEmpty)
    try moved(one, 510, 500)
    #expect(tracker.accounts.takeChanged() == [7: .init(uploaded: 78, downloaded: 150)])
    // A client that says the same from its other address too has moved no more for it (BEP 7).
    tracker.swarms.set(other, .registered)
    let v6 = IPAddress("2001:db8::1")
    func both(_ uploaded: UInt64, _ event: AnnounceRequest.Event = .none) throws {
      for source in [nil, v6] {
        _ = try tracker.announce(2, of: other, key: key, from: source) {
          ($0.key, $0.uploaded, $0.event) = ([1, 2, 3, 4], uploaded, event)
        }
      }
    }
    try both(0, .started)
    try both(100)
    try both(150, .completed)
    try both(200, .stopped)
    #expect(tracker.accounts.takeChanged() == [7: .init(uploaded: 278, downloaded: 150)])
    // With the same id and key it begins anew, and goes by one address before the other.
    try both(0, .started)
    for source in [nil, v6, v6] {
      _ = try tracker.announce(2, of: other, key: key, from: source) {
        ($0.key, $0.uploaded, $0.event) = ([1, 2, 3, 4], 40, source == nil ? .stopped : .none)
      }
    }
    #expect(tracker.accounts.takeChanged() == [7: .init(uploaded: 318, downloaded: 150)])
    // What could not be written down is all in the next batch; of a user who is gone there is nothing.
    tracker.accounts.markChanged([7, 8])
    #expect(tracker.accounts.takeChanged() == [7: .init(uploaded: 318, downloaded: 150)])
    tracker.accounts.markChanged([7])
    tracker.accounts.remove(user: 7)
    #expect(tracker.accounts.takeChanged().isEmpty && tracker.accounts.amounts(of: 7) == nil)
    tracker.accounts.set(try Secrets.digest(key), Accounts.Key(user: 7))
    #expect(throws: TrackerFailure.self) { try moved(one, 510, 500) }
  }

  @Test(arguments: [
    ("/announce/abc", "abc"), ("/announce/abc?x=1", "abc"), ("/announce", nil), ("/announce/", nil), ("", nil),
    ("/scrape/abc", nil), ("/announce/a/b", nil),
  ])
  func theKeyIsInThePath(path: String, key: String?) {
    #expect(UDPAnnounce.key(in: Array(path.utf8)) == key.map { Array($0.utf8) })
  }

  @Test func intervalsGrowWithTheLoad() {
    let meter = LoadMeter()
    let start: UInt64 = 50_000_000_000
    for _ in 1...300 { #expect(meter.note(at: Instant(nanoseconds: start)) == 0) }
    #expect(meter.note(at: Instant(nanoseconds: start + 1_000_000_000)) == 300)
    #expect(meter.note(at: Instant(nanoseconds: start + 2_000_000_000)) == 1)
    #expect(meter.note(at: Instant(nanoseconds: start + 9_000_000_000)) == 0)
  }
}

@Suite struct ConnectionIDTests {
  @Test func anIdIsGoodForItsAddressAndAWhile() throws {
    let ids = try ConnectionIDs()
    let start = Instant(nanoseconds: 600_000_000_000)
    let id = ids.make(for: .loopbackV4, at: start)
    for (seconds, isGood) in [(0, true), (59, true), (179, true), (180, false), (3600, false)] {
      #expect(ids.isGood(id, for: .loopbackV4, at: start + .seconds(seconds)) == isGood)
    }
    #expect(!ids.isGood(id, for: .loopbackV6, at: start) && !ids.isGood(id &+ 1, for: .loopbackV4, at: start))
    let others = try ConnectionIDs()
    #expect(!others.isGood(id, for: .loopbackV4, at: start))
  }
}
