import EventLoop
import Octets
import Testing

@testable import ServiceKit

@Suite struct RateLimitTests {
  private let start = Instant(nanoseconds: 5_000_000_000)

  private func passed(_ limit: RateLimit, _ address: String, at time: Instant, of count: Int) throws -> Int {
    let peer = try #require(IPAddress(address))
    return (0..<count).count { _ in limit.refusal(peer, now: time) == nil }
  }

  @Test("A second's worth may come at once, and then as much as the rate gives; others are not held to it")
  func rate() throws {
    let limit = RateLimit()
    #expect(try passed(limit, "192.0.2.1", at: start, of: 1000) == 1000)
    limit.set(10)
    #expect(try passed(limit, "192.0.2.1", at: start, of: 100) == 10)
    #expect(try passed(limit, "192.0.2.2", at: start, of: 100) == 10)
    #expect(try passed(limit, "192.0.2.1", at: start + .milliseconds(500), of: 100) == 5)
    #expect(try passed(limit, "192.0.2.1", at: start + .seconds(60), of: 100) == 10)
  }

  @Test("A client's whole /64 of IPv6 is one address")
  func wholeNetworks() throws {
    let limit = RateLimit()
    limit.set(10)
    #expect(try passed(limit, "2001:db8::1", at: start, of: 100) == 10)
    #expect(try passed(limit, "2001:db8::ffff:2", at: start, of: 100) == 0)
    #expect(try passed(limit, "2001:db8:0:1::1", at: start, of: 100) == 10)
  }
}
