import DNSWire
import EventLoop
import Octets
import ServiceKit
import Testing

@testable import Nameserver

struct ResponseRateLimitTests {
  static let start = Instant(nanoseconds: 5_000_000_000)

  static func limit(_ rate: Int) throws -> ResponseRateLimit {
    var generator = SeededGenerator(seed: 1)
    return try #require(ResponseRateLimit(rate: rate, using: &generator))
  }

  static func address(_ text: String) throws -> IPAddress { try #require(IPAddress(text)) }

  @Test func aSecondsWorthIsSentAndOfTheRestHalfIsTruncated() throws {
    var limit = try ResponseRateLimitTests.limit(10)
    let client = try ResponseRateLimitTests.address("192.0.2.1")
    func judge(_ count: Int, after: Duration) -> [ResponseRateLimit.Verdict] {
      (0..<count).map { _ in limit.judge(client, .data, at: ResponseRateLimitTests.start + after) }
    }
    #expect(judge(10, after: .zero) == Array(repeating: .send, count: 10))
    #expect(judge(4, after: .zero) == [.drop, .truncate, .drop, .truncate])
    #expect(judge(1, after: .milliseconds(99)) == [.drop])
    #expect(judge(2, after: .milliseconds(100)) == [.send, .truncate])
    #expect(judge(11, after: .seconds(60)) == Array(repeating: .send, count: 10) + [.drop])
  }

  @Test func errorsAreNotTruncated() throws {
    var limit = try ResponseRateLimitTests.limit(1)
    let client = try ResponseRateLimitTests.address("192.0.2.1")
    let verdicts = (0..<5).map { _ in limit.judge(client, .error, at: ResponseRateLimitTests.start) }
    #expect(verdicts == [.send, .drop, .send, .drop, .send])
  }

  @Test(
    arguments: [
      ("192.0.2.1", "192.0.2.255", true), ("192.0.2.1", "192.0.3.1", false), ("192.0.2.1", "::ffff:192.0.2.9", true),
      ("2001:db8:0:aa00::1", "2001:db8:0:aaff:1::", true), ("2001:db8:0:aa00::1", "2001:db8:0:ab00::1", false),
    ] as [(String, String, Bool)])
  func aNetworkSharesItsLimit(one: String, other: String, isShared: Bool) throws {
    var limit = try ResponseRateLimitTests.limit(1)
    #expect(limit.judge(try ResponseRateLimitTests.address(one), .data, at: ResponseRateLimitTests.start) == .send)
    let verdict = limit.judge(try ResponseRateLimitTests.address(other), .data, at: ResponseRateLimitTests.start)
    #expect(verdict == (isShared ? .drop : .send))
  }

  @Test func eachKindOfAnswerHasItsOwnLimit() throws {
    var limit = try ResponseRateLimitTests.limit(1)
    let client = try ResponseRateLimitTests.address("192.0.2.1")
    for kind in [.data, .referral, .noData, .nameError, .error] as [ResponseRateLimit.Kind] {
      #expect(limit.judge(client, kind, at: ResponseRateLimitTests.start) == .send)
      #expect(limit.judge(client, kind, at: ResponseRateLimitTests.start) == .drop)
    }
  }

  /// More networks than the table has room for do not make it forget the one that is under attack.
  @Test func aFloodOfOthersDoesNotFreeTheOneThatIsAttacked() throws {
    var limit = try ResponseRateLimitTests.limit(10)
    let victim = try ResponseRateLimitTests.address("203.0.113.1")
    var sent = 0
    var others = 0
    for number in 0..<(4 * ResponseRateLimit.capacity) {
      if limit.judge(victim, .data, at: ResponseRateLimitTests.start) == .send { sent += 1 }
      let other = IPAddress(v4: 0x0A00_0000 &+ UInt32(number) << 8)
      if limit.judge(other, .data, at: ResponseRateLimitTests.start) == .send { others += 1 }
    }
    #expect(sent == 10 && others == 4 * ResponseRateLimit.capacity)
  }

  @Test func noRateIsNoLimit() {
    var generator = SeededGenerator(seed: 1)
    #expect(ResponseRateLimit(rate: 0, using: &generator) == nil)
  }

  static let names: [(String, ResponseRateLimit.Kind)] = [
    ("www.example", .data), ("alias.example", .data), ("x.sub.example", .referral), ("sub2.example", .noData),
    ("nothing.example", .nameError), ("elsewhere.test", .error),
    ("\(String(repeating: "y", count: 60)).old.example", .data),
  ]

  @Test(arguments: names)
  func theKindOfAnAnswerIsKnownAndTruncatedItIsNoLargerThanTheQuery(
    name: String, kind: ResponseRateLimit.Kind
  ) throws {
    let text =
      "www A 192.0.2.1\nalias CNAME www\nsub NS ns.sub\nns.sub A 192.0.2.2\na.sub2 A 192.0.2.1\n"
      + "old DNAME \(Array(repeating: String(repeating: "x", count: 60), count: 4).joined(separator: "."))."
    var server = try TestServer([("example", text)])
    for edns in [nil, EDNS(), EDNS(options: [EDNSOption(code: 10, data: [1, 2, 3, 4, 5, 6, 7, 8])])] {
      let question = Question(name: try #require(Name(name)), type: .a)
      let query = Message(id: 3, question: question, edns: edns).encoded()
      let whole = try #require(try server.exchange(query))
      #expect(server.responder.kind == kind)
      let count = server.responder.truncate()
      let cut = try Message(decoding: Array(server.responder.writer.bytes[..<count]))
      #expect(count <= query.count && cut.header.isTruncated && cut.header.responseCode == whole.header.responseCode)
      #expect(cut.questions == [question] && cut.answers + cut.authorities + cut.additionals == [])
      #expect((cut.edns == nil) == (edns == nil) && cut.header.id == 3)
    }
  }

  @Test func aLoopLimitsWhoeverIsNotOnThisMachine() async throws {
    let metrics = Metrics()
    let loop = try EventLoop.start(name: "test")
    defer { loop.stop() }
    var limits = ServerLimits()
    limits.responsesPerSecond = 3
    let server = DNSLoop(on: loop, limits: limits, metrics: ServerMetrics(metrics), hash: TestServer.hash)
    let query = try ServerTests.query("www.example")
    let far = await server.lengths(8, of: query, from: try ResponseRateLimitTests.address("198.51.100.7"))
    // REFUSED for all that is asked here, and every second beyond the limit is dropped.
    #expect(far == [query.count, query.count, query.count, 0, query.count, 0, query.count, 0])
    #expect(metrics.render().contains(#"rcode="refused"} 5"#))
    // Several loops share an allowance.
    let loops = DNSLoop(on: loop, of: 2, limits: limits, metrics: ServerMetrics(metrics), hash: TestServer.hash)
    #expect(await loops.lengths(3, of: query, from: .init(v4: 0xC633_6408)) == [query.count, query.count, 0])
    let near = await server.lengths(8, of: query, from: .loopbackV6)
    #expect(near == Array(repeating: query.count, count: 8))
    #expect(metrics.render().contains(#"utopia_dns_rate_limited_total{action="dropped"} 3"#))
  }
}

extension DNSLoop {
  /// How long the answers to a query are that comes so many times within a turn of the loop.
  func lengths(_ count: Int, of query: [UInt8], from client: IPAddress) -> [Int] {
    defer { report() }
    return (0..<count).map { _ in unsafe respond(datagram: query.span.bytes, from: client) }
  }
}
