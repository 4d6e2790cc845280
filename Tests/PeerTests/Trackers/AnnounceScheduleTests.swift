import Octets
import Testing
import TorrentWire

@testable import Peer

@Suite struct AnnounceScheduleTests {
  private let a: TrackerURL
  private let b: TrackerURL

  init() throws {
    a = try TrackerURL("http://a/announce")
    b = try TrackerURL("http://b/announce")
  }

  private func reply(_ interval: Int, min: Int? = nil) -> AnnounceReply {
    var reply = AnnounceReply(interval: interval, seeders: 0, leechers: 0)
    reply.minInterval = min
    return reply
  }

  @Test("Started is first, then nothing special each interval, completed once, and stopped at the end")
  func sequence() {
    var schedule = AnnounceSchedule()
    #expect(schedule.due == nil)
    schedule.start(at: 1000, isComplete: false)
    #expect(schedule.due == 1000 && schedule.event(for: a) == .started)
    schedule.answered(reply(1800), to: .started, by: a, at: 1001)
    #expect(schedule.due == 2801 && schedule.event(for: a) == .none)
    schedule.answered(reply(900), to: .none, by: a, at: 2801)
    #expect(schedule.due == 3701)
    schedule.completed(at: 3000)
    #expect(schedule.due == 3000 && schedule.event(for: a) == .completed)
    schedule.answered(reply(900), to: .completed, by: a, at: 3000)
    #expect(schedule.due == 3900 && schedule.event(for: a) == .none)
    schedule.completed(at: 3001)
    #expect(schedule.due == 3900 && schedule.event(for: a) == .none)
    #expect(schedule.stop() == [a] && schedule.due == nil)
  }

  @Test("A tracker that comes later puts nothing off for those before it, unless they did not answer")
  func newcomers() {
    var schedule = AnnounceSchedule()
    schedule.start(at: 0, isComplete: false)
    schedule.answered(reply(1800, min: 600), to: .started, by: a, at: 0)
    schedule.answered(newcomer: b, reply(3600, min: 900), at: 100)
    #expect(schedule.due == 1800 && schedule.isTold(b) && schedule.event(for: b) == .none)
    schedule.wantsPeers(at: 200)
    #expect(schedule.due == 600)
    schedule.answered(newcomer: b, reply(60), at: 300)
    #expect(schedule.due == 360)
    let wasTold = (schedule.forget(b), schedule.forget(b))
    #expect(wasTold == (true, false) && schedule.event(for: b) == .started)
    // Where nobody answered, it is the one that says when.
    var generator = SeededGenerator(seed: 1)
    schedule.failed(at: 400, notBefore: nil, using: &generator)
    schedule.answered(newcomer: b, reply(1800), at: 410)
    #expect(schedule.due == 2210)
    #expect(Set(schedule.stop()) == [a, b])
  }

  @Test("What was complete from the start is not completed")
  func seed() {
    var schedule = AnnounceSchedule()
    schedule.start(at: 0, isComplete: true)
    schedule.answered(reply(1800), to: .started, by: a, at: 0)
    schedule.completed(at: 10)
    #expect(schedule.due == 1800 && schedule.event(for: a) == .none)
  }

  @Test("Nobody is told of an end who was not told of a start")
  func neverStarted() {
    var generator = SeededGenerator(seed: 1)
    var schedule = AnnounceSchedule()
    schedule.start(at: 0, isComplete: false)
    schedule.failed(at: 0, notBefore: nil, using: &generator)
    #expect(schedule.stop() == [])
  }

  @Test("Completion while started is on its way, or has failed, is told after it")
  func earlyCompletion() throws {
    var generator = SeededGenerator(seed: 1)
    var schedule = AnnounceSchedule()
    schedule.start(at: 0, isComplete: false)
    #expect(schedule.event(for: a) == .started)
    schedule.completed(at: 1)
    #expect(schedule.event(for: a) == .started)
    schedule.failed(at: 2, notBefore: nil, using: &generator)
    let due = try #require(schedule.due)
    #expect(due > 2)
    schedule.answered(reply(1800, min: 900), to: .started, by: a, at: due)
    #expect(schedule.due == due && schedule.event(for: a) == .completed)
    // Completion during a back-off hurries nobody.
    var other = AnnounceSchedule()
    other.start(at: 0, isComplete: false)
    other.failed(at: 0, notBefore: nil, using: &generator)
    let before = other.due
    other.completed(at: 1)
    #expect(other.due == before)
  }

  @Test("Another tracker is told of the start for itself, and all are told of the end")
  func failover() {
    var schedule = AnnounceSchedule()
    schedule.start(at: 0, isComplete: false)
    schedule.answered(reply(1800), to: .started, by: a, at: 0)
    #expect(schedule.event(for: b) == .started)
    schedule.answered(reply(1800), to: .started, by: b, at: 10)
    #expect(schedule.event(for: b) == .none)
    #expect(Set(schedule.stop()) == [a, b])
  }

  @Test("Failures are spread out, twice as far each time, up to half an hour")
  func backOff() throws {
    var generator = SeededGenerator(seed: 1)
    var schedule = AnnounceSchedule()
    schedule.start(at: 0, isComplete: false)
    var now: Int64 = 0
    for full in [15, 30, 60, 120, 240, 480, 960, 1800, 1800, 1800] {
      schedule.failed(at: now, notBefore: nil, using: &generator)
      let due = try #require(schedule.due)
      #expect(Int64(full * 3 / 4)...Int64(full) ~= due - now)
      // A wish does not shorten it; a person does.
      schedule.wantsPeers(at: now)
      #expect(schedule.due == due)
      now = due
    }
    for _ in 0..<100 { schedule.failed(at: now, notBefore: nil, using: &generator) }
    schedule.announceNow(at: now)
    #expect(schedule.due == now)
    schedule.answered(reply(1800), to: .started, by: a, at: now)
    schedule.failed(at: now, notBefore: nil, using: &generator)
    #expect(try #require(schedule.due) <= now + 15)
  }

  @Test("Nobody is asked before the time that the trackers named")
  func retry() throws {
    var generator = SeededGenerator(seed: 1)
    var schedule = AnnounceSchedule()
    schedule.start(at: 0, isComplete: false)
    schedule.failed(at: 0, notBefore: 3600, using: &generator)
    #expect(schedule.due == 3600)
    schedule.failed(at: 3600, notBefore: 3601, using: &generator)
    #expect(try #require(schedule.due) >= 3600 + 22)
    schedule.failed(at: 4000, notBefore: .max, using: &generator)
    #expect(schedule.due == nil)
    schedule.wantsPeers(at: 5000)
    schedule.completed(at: 5000)
    #expect(schedule.due == nil)
    schedule.announceNow(at: 5000)
    #expect(schedule.due == 5000)
  }

  @Test(
    "A wish for more peers waits for the minimum interval",
    arguments: [(1800, 900, 900), (1800, nil, 60), (1800, 0, 0), (30, nil, 30), (1800, Int.max, 1800), (1800, -5, 0)]
      as [(Int, Int?, Int64)])
  func wishes(interval: Int, minimum: Int?, earliest: Int64) {
    var schedule = AnnounceSchedule()
    schedule.start(at: 100, isComplete: false)
    schedule.answered(reply(interval, min: minimum), to: .started, by: a, at: 100)
    schedule.wantsPeers(at: 100)
    #expect(schedule.due == 100 + earliest)
    schedule.wantsPeers(at: 100)
    #expect(schedule.due == 100 + earliest)
    var late = AnnounceSchedule()
    late.start(at: 100, isComplete: false)
    late.answered(reply(1800, min: 900), to: .started, by: a, at: 100)
    late.wantsPeers(at: 1500)
    #expect(late.due == 1500)
    _ = late.stop()
    late.wantsPeers(at: 1600)
    #expect(late.due == nil)
  }

  @Test(
    "No interval is too short or too long",
    arguments: [(0, 10), (-1, 10), (10, 10), (Int.max, 86_400)] as [(Int, Int64)])
  func intervals(said: Int, taken: Int64) {
    var schedule = AnnounceSchedule()
    schedule.start(at: 0, isComplete: false)
    schedule.answered(reply(said), to: .started, by: a, at: 0)
    #expect(schedule.due == taken)
  }

  @Test("A tracker's name for itself is sent back to it alone, until it gives another")
  func trackerIDs() {
    var schedule = AnnounceSchedule()
    schedule.start(at: 0, isComplete: false)
    #expect(schedule.trackerID(of: a) == nil)
    var named = reply(1800)
    named.trackerID = [1, 2]
    schedule.answered(named, to: .started, by: a, at: 0)
    #expect(schedule.trackerID(of: a) == [1, 2] && schedule.trackerID(of: b) == nil)
    schedule.answered(reply(1800), to: .none, by: a, at: 1800)
    #expect(schedule.trackerID(of: a) == [1, 2])
    named.trackerID = [3]
    schedule.answered(named, to: .none, by: a, at: 3600)
    _ = schedule.stop()
    #expect(schedule.trackerID(of: a) == [3])
  }
}
