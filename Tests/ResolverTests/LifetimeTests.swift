import DNSWire
import EventLoop
import Octets
import Testing

@testable import Resolver

/// How long what a server says counts: the same for cache, answer and packet.
struct LifetimeTests {
  private static func message(_ answer: [String], authority: [String] = []) throws -> Message {
    try .response(try MatchTests.ask(), answer: answer, authority: authority).settled()
  }

  @Test func aSetHasItsSmallestTTLAndNoRecordTwice() throws {
    let settled = try Self.message([
      "a.test. 50 A 127.0.0.1", "A.TEST. 20 A 127.0.0.2", "a.test. 9 A 127.0.0.2", "a.test. 70 AAAA ::1",
      "b.test. 60 A 127.0.0.1",
    ])
    #expect(settled.answers.map(\.ttl) == [9, 9, 70, 60])
    #expect(settled.answers.map(\.data.text) == ["127.0.0.1", "127.0.0.2", "::1", "127.0.0.1"])
  }

  @Test func noTTLIsAboveTheCap() throws {
    #expect(try Self.message(["b.test. 2147483647 A 127.0.0.1"]).answers.map(\.ttl) == [RecordCache.longestTTL])
  }

  @Test(arguments: [(100, 30, 30), (30, 100, 30), (90_000, 90_000, 10_800), (60, 0, 0)] as [(Int, Int, UInt32)])
  func aNegativeAnswersSOALivesForTheLesserOfTTLAndMinimum(ttl: Int, minimum: Int, expected: UInt32) throws {
    let soa = "test. \(ttl) SOA a. b. 1 2 3 4 \(minimum)"
    #expect(try Self.message([], authority: [soa]).authorities.map(\.ttl) == [expected])
    // One that is the answer itself is a record like others.
    #expect(try Self.message([soa]).answers.map(\.ttl) == [min(UInt32(ttl), RecordCache.longestTTL)])
  }

  @Test(arguments: [ResponseCode.nameError, .noError])
  func theFirstNegativeAnswerTellsWhatTheCacheKeeps(code: ResponseCode) throws {
    let script = Script { try .says($0, code, aa: true, authority: [". 3600 SOA a. b. 1 2 3 4 2"]) }
    #expect(try script.resolve("a.test").authorities.map(\.ttl) == [2])
    script.world += 1
    #expect(try script.resolve("a.test").authorities.map(\.ttl) == [1])
    #expect(script.asked.count == 1)
    script.world += 1
    #expect(try script.resolve("a.test").authorities.map(\.ttl) == [2])
    #expect(script.asked.count == 2)
  }

  /// A house whose clock the test moves.
  private struct Aging {
    let house: House
    let now: Lock<Int64>

    init(_ reply: @escaping @Sendable (Message) -> [Message]) async throws {
      let now = Lock<Int64>(1000)
      self.now = now
      house = try await House(change: { $0.clock = { now.withLock { $0 } } }, reply)
    }

    func ask(_ name: String) async throws -> Message {
      try #require(try await Framed.ask([.asking(name)], house.address, house.loop).first)
    }
  }

  @Test(arguments: [ResponseCode.nameError, .noError])
  func theServerIsAskedAgainAfterTheSOAsMinimum(code: ResponseCode) async throws {
    let aging = try await Aging { query in
      var message = Message(respondingTo: query, responseCode: code)
      message.authorities = (try? record("zz. 3600 SOA a. b. 1 2 3 4 2")).map { [$0] } ?? []
      return [message]
    }
    #expect(try await aging.ask("a.zz").authorities.map(\.ttl) == [2])
    aging.now.withLock { $0 += 1 }
    #expect(try await aging.ask("a.zz").authorities.map(\.ttl) == [1])
    #expect(await aging.house.server.asked == 1)
    aging.now.withLock { $0 += 1 }
    #expect(try await aging.ask("a.zz").authorities.map(\.ttl) == [2])
    #expect(await aging.house.server.asked == 2)
    aging.house.loop.stop()
  }

  @Test func theServerIsAskedAgainAfterADayWhateverItsTTL() async throws {
    let aging = try await Aging { query in
      var message = Message.positive(query)
      message.answers[0].ttl = ResourceRecord.maximumTTL
      return [message]
    }
    #expect(try await aging.ask("a.test").answers.map(\.ttl) == [86_400])
    aging.now.withLock { $0 += 86_399 }
    #expect(try await aging.ask("a.test").answers.map(\.ttl) == [1])
    #expect(await aging.house.server.asked == 1)
    aging.now.withLock { $0 += 1 }
    #expect(try await aging.ask("a.test").answers.map(\.ttl) == [86_400])
    #expect(await aging.house.server.asked == 2)
    aging.house.loop.stop()
  }

  @Test func nothingOutlivesAClockThatGoesBack() async throws {
    let aging = try await Aging { [.positive($0)] }
    aging.now.withLock { $0 += 34_560_000 }
    _ = try await aging.ask("a.test")
    aging.now.withLock { $0 = 1000 }
    _ = try await aging.ask("a.test")
    #expect(await aging.house.server.asked == 2)
    aging.house.loop.stop()
  }
}
