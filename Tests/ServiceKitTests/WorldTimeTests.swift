import EventLoop
import Glibc
import Testing

@testable import ServiceKit

@Test(
  "RFC 3339 times are read and written",
  arguments: [
    ("1970-01-01T00:00:00Z", 0, "1970-01-01T00:00:00Z"),
    ("1985-04-12T23:20:50.52Z", 482_196_050_520, "1985-04-12T23:20:50Z"),
    ("1996-12-19T16:39:57-08:00", 851_042_397_000, "1996-12-20T00:39:57Z"),
    ("2024-02-29", 1_709_164_800_000, "2024-02-29T00:00:00Z"),
    ("1969-12-31T23:59:59Z", -1000, "1969-12-31T23:59:59Z"),
    ("2000-02-29t12:00:00z", 951_825_600_000, "2000-02-29T12:00:00Z"),
    ("0001-01-01T00:00:00Z", -62_135_596_800_000, "0001-01-01T00:00:00Z"),
  ] as [(String, Int64, String)])
func times(text: String, milliseconds: Int64, canonical: String) throws {
  let time = try #require(WorldTime(rfc3339: text))
  #expect(time.milliseconds == milliseconds)
  #expect(time.rfc3339 == canonical)
}

@Test(
  "What is no time is refused",
  arguments: [
    "", "2023-02-29", "2023-13-01", "2023-01-01T24:00:00Z", "2023-01-01T00:00:00", "2023-01-01 00:00:00Z",
    "2023-01-01T00:00:00.Z",
    "2023-01-01T00:00:00+25:00", "+023-01-01", "2023-01-01T00:00:00Zx", "1900-02-29",
  ])
func noTimes(text: String) {
  #expect(WorldTime(rfc3339: text) == nil)
}

@Test("A jump fires every timer that became due once, in the order of the dues, and leaves the others")
func jumpsFireTimers() async throws {
  let loop = try EventLoop.start(name: "clock")
  defer { loop.stop() }
  let clock = WorldClock(on: loop)
  let fired = Lock<[Int]>([])
  clock.after(.seconds(7200), on: loop) { fired.withLock { $0.append(2) } }
  clock.after(.seconds(3600), on: loop) { fired.withLock { $0.append(1) } }
  clock.after(.seconds(999_999), on: loop) { fired.withLock { $0.append(99) } }
  let cancelled = clock.after(.seconds(60), on: loop) { fired.withLock { $0.append(98) } }
  clock.cancel(cancelled)
  #expect(await clock.advance(to: 86_400))
  #expect(fired.withLock { $0 } == [1, 2])
  #expect(await clock.advance(to: 86_401))
  #expect(fired.withLock { $0 } == [1, 2])
}

@Test("A jump while a round looks at the clock for the last time is fired too", .timeLimit(.minutes(1)))
func jumpsAtTheEndOfARound() async throws {
  let loop = try EventLoop.start(name: "clock")
  defer { loop.stop() }
  let isLooking = Lock(false)
  let clock = WorldClock(offset: 0, on: loop) {
    // Between reading the offset and using it there is time for another's jump.
    isLooking.withLock { $0 = true }
    usleep(1000)
    return 0
  }
  for hour: Int64 in 1...50 {
    let fired = Lock(false)
    clock.at(WorldTime(milliseconds: hour * 3_600_000 + 60_000), on: loop) { fired.withLock { $0 = true } }
    // The clock has looked for its alarm: who looks from now on is the jump.
    await withCheckedContinuation { continuation in loop.submit { continuation.resume() } }
    isLooking.withLock { $0 = false }
    async let first = clock.advance(to: hour * 3600)
    while !isLooking.withLock({ $0 }) { await Task.yield() }
    #expect(await clock.advance(to: hour * 3600 + 60))
    #expect(fired.withLock { $0 })
    _ = await first
  }
}

@Test("The clock never goes back")
func clockOnlyGrows() async throws {
  let loop = try EventLoop.start(name: "clock")
  defer { loop.stop() }
  let clock = WorldClock(offset: 100, on: loop)
  #expect(!(await clock.advance(to: 99)))
  #expect(clock.offsetSeconds == 100)
}

@Test("A timer that is due already fires without a jump")
func dueTimersFire() async throws {
  let loop = try EventLoop.start(name: "clock")
  defer { loop.stop() }
  let clock = WorldClock(on: loop)
  await withCheckedContinuation { continuation in
    clock.at(clock.now, on: loop) { continuation.resume() }
  }
}

@Test("A timer that is set again on the way fires again within the jump, in its turn, also on another loop")
func timersSetAgainWithinAJump() async throws {
  let (loop, other) = (try EventLoop.start(name: "clock"), try EventLoop.start(name: "other"))
  defer {
    loop.stop()
    other.stop()
  }
  let clock = WorldClock(on: loop)
  let start = clock.now
  let fired = Lock<[String]>([])
  @Sendable func retry(_ hour: Int64) {
    clock.at(start + .seconds(hour * 3600), on: loop) {
      fired.withLock { $0.append("retry \(hour)") }
      if hour < 30 { retry(hour + 2) }
    }
  }
  retry(1)
  for hour: Int64 in [2, 4] {
    clock.at(start + .seconds(hour * 3600), on: other) { fired.withLock { $0.append("lease \(hour)") } }
  }
  #expect(await clock.advance(to: 6 * 3600))
  #expect(fired.withLock { $0 } == ["retry 1", "lease 2", "retry 3", "lease 4", "retry 5"])
}

@Test("A timer that always sets itself again for the past does not keep a jump from ending", .timeLimit(.minutes(1)))
func jumpsEnd() async throws {
  let loop = try EventLoop.start(name: "clock")
  defer { loop.stop() }
  let clock = WorldClock(on: loop)
  let start = clock.now
  let isOver = Lock(false)
  @Sendable func again() {
    clock.at(start, on: loop) { if !isOver.withLock({ $0 }) { again() } }
  }
  clock.after(.seconds(60), on: loop) { again() }
  #expect(await clock.advance(to: 3600))
  isOver.withLock { $0 = true }
}

@Test("Jumps at the same time each end when all of theirs has fired", .timeLimit(.minutes(1)))
func jumpsBesideEachOther() async throws {
  let loop = try EventLoop.start(name: "clock")
  defer { loop.stop() }
  let clock = WorldClock(on: loop)
  let fired = Lock<[Int64]>([])
  for second: Int64 in 1...200 {
    clock.after(.seconds(second * 100), on: loop) { fired.withLock { $0.append(second) } }
  }
  await withTaskGroup(of: Void.self) { group in
    for second: Int64 in 1...200 {
      group.addTask {
        // Another one may have been further already.
        guard await clock.advance(to: second * 100 + 50) else { return }
        #expect(fired.withLock { $0.count } >= Int(second))
      }
    }
  }
  #expect(fired.withLock { $0 } == Array(1...200))
}
