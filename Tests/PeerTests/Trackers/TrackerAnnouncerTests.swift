import EventLoop
import HTTPClient
import HTTPServer
import Octets
import ServiceKit
import Testing
import TorrentWire

@testable import Peer

/// Trackers on real sockets, and a clock that the test moves.
@Suite(.timeLimit(.minutes(2))) struct TrackerAnnouncerTests {
  private let loop: EventLoop
  private let clock: WorldClock
  private let client: TrackerClient
  private let peers = Lock<[[SocketAddress]]>([])

  init() throws {
    loop = try EventLoop.start(name: "test")
    clock = WorldClock(on: loop)
    var limits = UDPTrackerClient.Limits()
    // Refusals come at once; what is silent is silent for as long as the test.
    limits.deadline = .seconds(3600)
    limits.patience = .seconds(3600)
    client = TrackerClient(
      http: HTTPTrackerClient(HTTPClient(on: loop)),
      udp: UDPTrackerClient(on: loop, resolver: { _ in [] }, chance: Chance(seed: 1), limits: limits))
  }

  private func announcer(_ tiers: [[TrackerURL]]) throws -> TrackerAnnouncer {
    let request = try Make.request()
    return TrackerAnnouncer(
      on: loop, tiers, client: client, clock: clock, chance: Chance(seed: 1), report: { request },
      found: { [peers] found in peers.withLock { $0.append(found) } })
  }

  private func tracker(_ reply: AnnounceReply = Make.reply()) async throws -> ScriptedTracker {
    try await ScriptedTracker(on: loop, ScriptedTracker.ordinary(reply))
  }

  /// A port of UDP where nobody listens.
  private func nobody() async throws -> TrackerURL {
    let tracker = try await tracker()
    await tracker.close()
    return try tracker.url()
  }

  private func pass(_ seconds: Int64) async { #expect(await clock.advance(to: clock.offsetSeconds + seconds)) }

  /// Waits until the announcer says so of its first tracker.
  private func wait(
    _ announcer: TrackerAnnouncer, until isSo: @Sendable ([TrackerStatus]) -> Bool
  ) async -> [TrackerStatus] {
    while !Task.isCancelled {
      let statuses = await announcer.statuses
      if isSo(statuses) { return statuses }
      await loop.sleep(for: .milliseconds(2))
    }
    return []
  }

  private func events(_ tracker: ScriptedTracker, _ count: Int) async -> [String] {
    while !Task.isCancelled {
      let kinds = await tracker.kinds.filter { $0 != "connect" }
      if kinds.count >= count { return kinds }
      await loop.sleep(for: .milliseconds(2))
    }
    return []
  }

  @Test("Started, nothing special, completed and stopped are told in their time")
  func sequence() async throws {
    let tracker = try await tracker()
    let announcer = try announcer([[try tracker.url()]])
    #expect(await announcer.statuses.map(\.state) == [.waiting])
    await announcer.start(isComplete: false)
    let statuses = await wait(announcer) { $0.first?.state == .working }
    let status = try #require(statuses.first)
    #expect(status.seeders == 3 && status.leechers == 4 && status.tier == 0 && status.message == nil)
    #expect(status.lastAnnounce.map { $0 + 1800 } == status.next)
    #expect(await events(tracker, 1) == ["started"])
    await pass(1700)
    #expect(await events(tracker, 1) == ["started"])
    await pass(101)
    #expect(await events(tracker, 2) == ["started", "announce"])
    _ = await wait(announcer) { $0.first?.state == .working }
    await announcer.completed()
    #expect(await events(tracker, 3) == ["started", "announce", "completed"])
    _ = await wait(announcer) { $0.first?.state == .working }
    await announcer.completed()
    await announcer.stop()
    #expect(await events(tracker, 4) == ["started", "announce", "completed", "stopped"])
    #expect(await tracker.asked.last?.announce?.wanted == 0)
    #expect(await tracker.asked.last?.announce?.uploaded == 6)
    #expect(peers.withLock { $0 }.first == Make.reply().peers.map(\.address))
    await pass(10_000)
    await announcer.stop()
    #expect(await events(tracker, 4).count == 4)
    // A second run begins as the first did.
    await announcer.start(isComplete: true)
    #expect(await events(tracker, 5).last == "started")
    _ = await wait(announcer) { $0.first?.state == .working }
    await announcer.stop()
  }

  @Test("Where the first tier fails, the second is asked, and the first again with the next round")
  func failover() async throws {
    let gone = try await nobody()
    let tracker = try await tracker()
    let announcer = try announcer([[gone], [try tracker.url()]])
    await announcer.start(isComplete: false)
    let statuses = await wait(announcer) { $0.last?.state == .working }
    #expect(statuses.map(\.state) == [.failed, .working] && statuses.map(\.tier) == [0, 1])
    #expect(statuses.first?.message?.contains("refused") == true)
    let revived = try await ScriptedTracker(on: loop, port: gone.port, ScriptedTracker.ordinary(Make.reply()))
    await pass(1801)
    #expect(await events(revived, 1) == ["started"])
    _ = await wait(announcer) { $0.first?.state == .working }
    await announcer.stop()
    #expect(await events(revived, 2) == ["started", "stopped"])
    #expect(await events(tracker, 2) == ["started", "stopped"])
  }

  @Test("Where all fail, it is tried again after a while, and nobody is told of an end")
  func failure() async throws {
    let gone = try await nobody()
    let announcer = try announcer([[gone]])
    await announcer.start(isComplete: false)
    let statuses = await wait(announcer) { $0.first?.state == .failed && $0.first?.next != nil }
    #expect(statuses.first?.lastAnnounce == nil)
    let tracker = try await ScriptedTracker(on: loop, port: gone.port, ScriptedTracker.ordinary(Make.reply()))
    await pass(16)
    #expect(await events(tracker, 1) == ["started"])
    _ = await wait(announcer) { $0.first?.state == .working }
    await announcer.stop()
  }

  @Test("A wish waits for the minimum interval, a person does not")
  func wishes() async throws {
    let tracker = try await tracker()
    let announcer = try announcer([[try tracker.url()]])
    await announcer.wantsPeers()
    await announcer.announceNow()
    await announcer.start(isComplete: true)
    _ = await wait(announcer) { $0.first?.state == .working }
    await announcer.wantsPeers()
    await announcer.completed()
    let next = try #require(await announcer.statuses.first)
    #expect(next.next == next.lastAnnounce.map { $0 + 60 })
    await pass(61)
    #expect(await events(tracker, 2) == ["started", "announce"])
    _ = await wait(announcer) { $0.first?.state == .working }
    await announcer.announceNow()
    #expect(await events(tracker, 3) == ["started", "announce", "announce"])
    _ = await wait(announcer) { $0.first?.state == .working }
    await announcer.stop()
  }

  @Test("A tracker that wants to be left alone is, until a person says otherwise")
  func rests() async throws {
    let router = Router()
    let asked = Lock<[String]>([])
    for (path, retry) in [("/a/announce", TrackerFailure.Retry.never), ("/b/announce", .minutes(5))] {
      let octets = TrackerFailure("closed", retry: retry).encoded
      router.get(path) { _ in
        asked.withLock { $0.append(path) }
        return .octets(octets, type: "text/plain")
      }
    }
    let server = HTTPServer(router: router, configuration: .init())
    let address = try server.listen(on: SocketAddress(ip: .loopbackV4, port: 0), loops: [loop])
    let tiers = try ["/a/announce", "/b/announce"].map { [try TrackerURL("http://\(address)\($0)")] }
    let announcer = try announcer(tiers)
    await announcer.start(isComplete: false)
    let statuses = await wait(announcer) { $0.last?.state == .failed }
    #expect(statuses.map(\.message) == ["closed", "closed"] && statuses.first?.next == nil)
    #expect(try #require(statuses.last?.next) > clock.now.seconds + 200)
    await pass(200)
    #expect(asked.withLock { $0 } == ["/a/announce", "/b/announce"])
    await pass(101)
    while asked.withLock({ $0.count }) < 3, !Task.isCancelled { await loop.sleep(for: .milliseconds(2)) }
    #expect(asked.withLock { $0.last } == "/b/announce")
    _ = await wait(announcer) { $0.last?.state == .failed }
    // The torrent may have been let in meanwhile.
    await announcer.announceNow()
    while asked.withLock({ $0.count }) < 5, !Task.isCancelled { await loop.sleep(for: .milliseconds(2)) }
    #expect(asked.withLock { $0.suffix(2) } == ["/a/announce", "/b/announce"])
    await announcer.stop()
  }

  @Test("A start while the end is under way is a start")
  func restart() async throws {
    let silent = try await ScriptedTracker(on: loop) { _, _ in [] }
    let announcer = try announcer([[try silent.url()]])
    await announcer.start(isComplete: false)
    _ = await silent.asked(1)
    let end = Task { await announcer.stop() }
    while await silent.asked.count < 2, !Task.isCancelled {
      await announcer.start(isComplete: false)
      await loop.sleep(for: .milliseconds(2))
    }
    await end.value
    #expect(await announcer.statuses.first?.state == .announcing)
    await announcer.stop()
    #expect(await announcer.statuses.first?.state == .waiting)
  }

  @Test("An end is not held up by a tracker that is silent, and none is needed without trackers")
  func silence() async throws {
    let silent = try await ScriptedTracker(on: loop) { _, _ in [] }
    let announcer = try announcer([[try silent.url()]])
    await announcer.start(isComplete: false)
    _ = await silent.asked(1)
    #expect(await announcer.statuses.first?.state == .announcing)
    await announcer.stop()
    #expect(await silent.kinds == ["connect"])
    let none = try self.announcer([])
    await none.start(isComplete: false)
    await none.announceNow()
    #expect(await none.statuses.isEmpty)
    await none.stop()
  }
}
