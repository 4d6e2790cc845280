import Octets
import Testing

@testable import HTTPServer

@Suite("Token buckets")
struct TokenBucketTests {
  @Test("count an IPv6 /64, which one client has whole, as one")
  func networks() throws {
    let (one, same) = (try #require(IPAddress("2001:db8:0:1::1")), try #require(IPAddress("2001:db8:0:1:ffff::2")))
    let (other, v4) = (try #require(IPAddress("2001:db8:0:2::1")), try #require(IPAddress("192.0.2.1")))
    #expect(one.network == same.network)
    #expect(one.network != other.network)
    #expect(v4.network == v4)
  }

  @Test("give a burst, then the rate, then a burst again after a pause")
  func burst() {
    var buckets = TokenBuckets<String, Second>(perSecond: 0.5, burst: 3, capacity: 10, at: 0)
    for _ in 0..<3 { #expect(buckets.take("a", at: 0) == nil) }
    #expect(buckets.take("a", at: 0) == .seconds(2))
    #expect(buckets.take("a", at: 1) == .seconds(1))
    #expect(buckets.take("a", at: 2) == nil)
    #expect(buckets.take("a", at: 2) == .seconds(2))
    #expect(buckets.take("b", at: 2) == nil)
    for _ in 0..<3 { #expect(buckets.take("a", at: 100) == nil) }
    #expect(buckets.take("a", at: 100) == .seconds(2))
  }

  @Test("remember who has spent over any number of turns, and forget only who is full again")
  func turns() {
    var buckets = TokenBuckets<Int, Second>(perSecond: 1, burst: 10, capacity: 1000, at: 0)
    var granted = 0
    for now in 0..<200 {
      for _ in 0..<5 where buckets.take(1, at: Second(now)) == nil { granted += 1 }
      _ = buckets.take(1000 + now, at: Second(now))
      #expect(buckets.count < 25)
    }
    #expect(granted == 10 + 199)
  }

  @Test("stay bounded: beyond that all newcomers share one bucket, and those who are known keep theirs")
  func crowd() {
    var buckets = TokenBuckets<Int, Second>(perSecond: 1, burst: 2, capacity: 100, at: 0)
    for key in 0..<100 { #expect(buckets.take(key, at: 0) == nil) }
    let granted = (100..<10_000).filter { buckets.take($0, at: 0) == nil }
    #expect(granted.count == 2)
    #expect(buckets.count == 100)
    #expect(buckets.take(50, at: 0) == nil)
    #expect(buckets.take(50, at: 0) != nil)
  }
}
