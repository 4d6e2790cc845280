import EventLoop
import ServiceKit
import Testing

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
