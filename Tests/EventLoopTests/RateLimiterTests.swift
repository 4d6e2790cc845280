import Testing

@testable import EventLoop

/// A clock that moves when it is told to, and wakes who waits as late as it is told to.
private final class TestClock: @unchecked Sendable {
  private(set) var now = Instant(nanoseconds: 1_000_000_000_000)
  private var timers: [(at: Instant, work: @Sendable () -> Void)] = []
  /// By how much each is woken too late.
  var lateness = Duration.zero

  func limiter(_ rate: Int?) -> RateLimiter {
    RateLimiter(
      rate: rate,
      timing: RateLimiter.Timing(
        now: { self.now }, after: { delay, work in self.timers.append((self.now + delay + self.lateness, work)) }))
  }

  func pass(_ duration: Duration) {
    let end = now + duration
    while let next = timers.filter({ $0.at <= end }).min(by: { $0.at < $1.at }) {
      timers.remove(at: timers.firstIndex { $0.at == next.at } ?? 0)
      now = max(now, next.at)
      next.work()
    }
    now = end
  }
}

/// Somebody who has always something more to send, a block at a time.
private final class Sender: @unchecked Sendable {
  let limits: RateLimiters
  private(set) var sent = 0
  private let block: Int
  var isOver = false

  init(_ limits: [RateLimiter], block: Int = 16_384) {
    self.limits = RateLimiters(limits)
    self.block = block
    go()
  }

  func go() {
    while !isOver, limits.mayPass {
      limits.take(block)
      sent += block
    }
    if !isOver { limits.wait { self.go() } }
  }
}

@Suite struct TokenBucketTests {
  private let start = Instant(nanoseconds: 1_000_000_000)
  private func after(_ seconds: Double) -> Instant { start + .seconds(seconds) }

  @Test func aTenthOfASecondMayPassAtOnceAndTheDebtIsWaitedFor() throws {
    var bucket = TokenBucket(rate: 1000, at: start)
    #expect(bucket.wait(at: start) != nil)
    #expect(bucket.wait(at: after(10)) == nil)
    bucket.take(100)
    let wait = bucket.wait(at: after(10))
    let one = try #require(wait)
    #expect(one >= .milliseconds(1) && one < .milliseconds(2))
    bucket.take(5000)
    #expect(bucket.wait(at: after(14.9)) != nil && bucket.wait(at: after(15.1)) == nil)
  }

  @Test(arguments: [1, 3, 9]) func theLeastRatesPassToo(rate: Int) throws {
    var bucket = TokenBucket(rate: rate, at: start)
    let first = bucket.wait(at: start)
    let wait = try #require(first)
    #expect(bucket.wait(at: start + wait) == nil)
    bucket.take(1)
    #expect(bucket.wait(at: start + wait) != nil)
  }

  @Test func anotherRateForgivesNoDebt() throws {
    var bucket = TokenBucket(rate: 1000, at: start)
    bucket.take(10_000)
    bucket.set(rate: 2000, at: after(1))
    // 9000 are owed.
    #expect(bucket.wait(at: after(5.4)) != nil && bucket.wait(at: after(5.6)) == nil)
    bucket.take(10_000)
    bucket.set(rate: nil, at: after(6))
    #expect(bucket.wait(at: after(6)) == nil)
    bucket.take(1_000_000)
    bucket.set(rate: 1000, at: after(6))
    let wait = bucket.wait(at: after(6))
    let debt = try #require(wait)
    #expect(debt > .seconds(8) && debt < .seconds(10))
  }
}

@Suite struct RateLimiterTests {
  @Test(arguments: [1024, 100_000, 1_000_000, 50_000_000], [Duration.zero, .milliseconds(150)])
  func overALongTimeTheRateIsExact(rate: Int, lateness: Duration) {
    let clock = TestClock()
    clock.lateness = lateness
    let limiter = clock.limiter(rate)
    let senders = (0..<3).map { _ in Sender([limiter]) }
    // A block may be owed at the end.
    let seconds = max(100, 3_276_800 / rate)
    clock.pass(.seconds(seconds))
    let sent = Double(senders.reduce(0) { $0 + $1.sent })
    #expect(sent <= Double(rate * seconds + 16_384) && sent >= Double(rate * seconds) * 0.99, "\(sent)")
  }

  @Test func eachHasItsTurn() {
    let clock = TestClock()
    let limiter = clock.limiter(1_000_000)
    let senders = (0..<7).map { _ in Sender([limiter]) }
    clock.pass(.seconds(10))
    let sent = senders.map(\.sent)
    #expect((sent.max() ?? 0) - (sent.min() ?? 0) <= 16_384, "\(sent)")
  }

  @Test func nobodyPassesThoseWhoWait() {
    let clock = TestClock()
    let limits = RateLimiters([clock.limiter(1000)])
    clock.pass(.seconds(1))
    #expect(limits.mayPass)
    limits.take(1000)
    // They are woken too late: meanwhile others come.
    clock.lateness = .milliseconds(100)
    let turns = Lock<[String]>([])
    limits.wait {
      turns.withLock { $0.append("first") }
      #expect(limits.mayPass)
      limits.take(2000)
      #expect(!limits.mayPass)
    }
    limits.wait {
      turns.withLock { $0.append("second") }
      limits.take(1)
    }
    clock.pass(.milliseconds(950))
    #expect(!limits.mayPass && turns.withLock { $0.isEmpty })
    clock.pass(.milliseconds(100))
    #expect(!limits.mayPass && turns.withLock { $0 } == ["first"])
    clock.pass(.seconds(4))
    #expect(limits.mayPass && turns.withLock { $0 } == ["first", "second"])
  }

  @Test func whoseTurnItIsMayLetItGo() {
    let clock = TestClock()
    let limits = RateLimiters([clock.limiter(1000)])
    let turns = Lock(0)
    for _ in 0..<3 { limits.wait { turns.withLock { $0 += 1 } } }
    clock.pass(.milliseconds(2))
    #expect(turns.withLock { $0 } == 3 && limits.mayPass)
  }

  @Test func anotherRateWakesThoseWhoWaitForTheOldOne() {
    let clock = TestClock()
    let limiter = clock.limiter(10)
    let sender = Sender([limiter])
    clock.pass(.seconds(1))
    #expect(sender.sent == 16_384)
    clock.pass(.seconds(1))
    limiter.rate = 1_000_000
    clock.pass(.seconds(1))
    #expect(sender.sent > 900_000 && sender.sent < 1_020_000, "\(sender.sent)")
    // And to say another rate again and again brings nothing.
    let before = sender.sent
    for change in 0..<1000 {
      limiter.rate = 1_000_000 + change % 2
      clock.pass(.milliseconds(1))
    }
    #expect(sender.sent - before < 1_050_000)
    sender.isOver = true
    limiter.rate = nil
    #expect(RateLimiters([limiter]).mayPass)
  }

  @Test func twoTorrentsShareWhatIsAboveBoth() {
    let clock = TestClock()
    let (one, other, all) = (clock.limiter(800_000), clock.limiter(800_000), clock.limiter(1_000_000))
    let ones = (0..<3).map { _ in Sender([one, all]) }
    let others = (0..<3).map { _ in Sender([other, all]) }
    clock.pass(.seconds(100))
    let sums = [ones, others].map { $0.reduce(0) { $0 + $1.sent } }
    #expect(sums.allSatisfy { 450_000...550_000 ~= $0 / 100 }, "\(sums)")
    #expect(990_000...1_001_000 ~= (sums[0] + sums[1]) / 100, "\(sums)")
    for group in [ones, others] {
      let sent = group.map(\.sent)
      #expect(Double(sent.max() ?? 0) < Double(sent.min() ?? 0) * 1.2, "\(sent)")
    }
  }

  @Test func aSlowTorrentHoldsUpNoOther() {
    let clock = TestClock()
    let (slow, free, all) = (clock.limiter(10_000), clock.limiter(nil), clock.limiter(1_000_000))
    let slowOnes = (0..<5).map { _ in Sender([slow, all]) }
    let freeOne = Sender([free, all])
    clock.pass(.seconds(100))
    let sum = slowOnes.reduce(0) { $0 + $1.sent }
    #expect(980_000...1_020_000 ~= sum, "\(sum)")
    #expect(950_000...1_000_000 ~= freeOne.sent / 100, "\(freeOne.sent)")
    #expect(slowOnes.allSatisfy { $0.sent > 100_000 }, "\(slowOnes.map(\.sent))")
  }

  @Test func whoWaitsAsATaskTakesAtItsTurn() async throws {
    try await withLoop { loop in
      let limits = RateLimiters([RateLimiter(rate: 1_000_000, on: loop)])
      let passed = Lock(0)
      await withTaskGroup(of: Void.self) { group in
        for _ in 0..<4 {
          group.addTask {
            await withCheckedContinuation { continuation in
              loop.spawn {
                for _ in 0..<5 {
                  await limits.pass(10_000)
                  passed.withLock { $0 += 10_000 }
                }
                continuation.resume()
              }
            }
          }
        }
      }
      #expect(passed.withLock { $0 } == 200_000)
    }
  }
}
