import EventLoop
import Octets
import Testing

@testable import Peer

@Suite struct RateMeterTests {
  /// The sum of all that came in this second and the nineteen before it, by looking at all.
  @Test(arguments: [1, 2, 3] as [UInt64])
  func isTheMeanOfTwentySeconds(seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    var time = Double.random(in: 0..<1, using: &random)
    let start = time
    var meter = RateMeter(at: Make.time(time))
    var all: [(second: UInt64, octets: Int)] = []
    for _ in 0..<2000 {
      switch Int.random(in: 0..<20, using: &random) {
      case 0: time += Double.random(in: 0..<50, using: &random)
      case 1...8: time += Double.random(in: 0..<2, using: &random)
      default: break
      }
      let now = Make.time(time)
      let second = now.nanoseconds / 1_000_000_000
      if Bool.random(using: &random) {
        let octets = Int.random(in: 0..<20_000, using: &random)
        meter.add(octets, at: now)
        all.append((second, octets))
      }
      let sum = all.reversed().prefix { $0.second + 20 > second }.reduce(0) { $0 + $1.octets }
      let age = min(20, max(1, time - start))
      #expect(abs(meter.rate(at: now) - Double(sum) / age) < 0.01)
    }
    #expect(meter.total == UInt64(all.reduce(0) { $0 + $1.octets }))
  }

  @Test func whoLooksOnSeesTheLastSeconds() {
    var meter = RateMeter(at: Make.time(0))
    for second in 0..<10 { meter.add(1000, at: Make.time(Double(second))) }
    for second in 10..<15 { meter.add(5000, at: Make.time(Double(second))) }
    #expect(meter.rate(at: Make.time(14.5), over: 5) == 5000)
    #expect(meter.rate(at: Make.time(20), over: 5) == 0)
    var young = RateMeter(at: Make.time(0))
    young.add(3000, at: Make.time(0.5))
    #expect(young.rate(at: Make.time(0.7), over: 5) == 3000)
  }

  @Test func aClockThatStandsStillHarmsNothing() {
    var meter = RateMeter(at: Make.time(5))
    meter.add(1000, at: Make.time(5))
    meter.add(1000, at: Make.time(4))
    #expect(meter.rate(at: Make.time(3)) == 2000)
    #expect(meter.total == 2000)
  }
}
