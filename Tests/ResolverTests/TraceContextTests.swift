import DNSWire
import EventLoop
import Octets
import Testing

@testable import Resolver

/// EDNS option 65500, in dnsdist's layout: version, reserved, trace, span, flags.
@Suite(.timeLimit(.minutes(1))) struct TraceContextTests {
  private static let option = [0, 0] + [UInt8](1...16) + [UInt8](101...108) + [1]

  private static func asking(_ name: String) throws -> Message {
    var query = try Message.asking(name)
    query.edns = EDNS(options: [EDNSOption(code: EDNSOption.trace, data: option)])
    return query
  }

  /// What a server at 127.0.0.7 hears of the trace of a client at 127.0.0.1 when the resolver is told these networks.
  private static func heard(_ networks: String...) async throws -> [[UInt8]?] {
    let seen = Lock<[[UInt8]?]>([])
    let networks = networks.compactMap { IPNetwork($0) }
    let server = try #require(IPAddress("127.0.0.7"))
    let house = try await House(serverAt: server, change: { $0.tracing = networks }) { query in
      seen.withLock { $0.append(query.edns?.option(EDNSOption.trace)) }
      return [.positive(query)]
    }
    // The second is the same question, so that neither key nor answer may tell the traces apart.
    let answers = try await Framed.ask([asking("a.test"), .asking("a.test", id: 2)], house.address, house.loop)
    #expect(answers.allSatisfy { $0.answers.count == 1 && $0.edns?.options.isEmpty != false })
    house.loop.stop()
    return seen.withLock { $0 }
  }

  @Test func aTraceIsHandedOnWithASpanOfItsOwn() async throws {
    let heard = try await Self.heard("127.0.0.0/8")
    let option = try #require(heard.first.flatMap { $0 })
    #expect(heard.count == 1)
    #expect(option.count == 27 && option[..<18] == Self.option[..<18] && option[26] == 1)
    #expect(option[18..<26] != Self.option[18..<26])
  }

  @Test func nobodyElseIsBelievedOrTold() async throws {
    #expect(try await Self.heard() == [nil])
    #expect(try await Self.heard("10.0.0.0/8") == [nil])
    // Neither a client for the server's sake, nor a server for the client's.
    #expect(try await Self.heard("127.0.0.7/32") == [nil])
    #expect(try await Self.heard("127.0.0.1/32") == [nil])
    #expect(try await Self.heard("127.0.0.7/32", "127.0.0.1/32").allSatisfy { $0 != nil })
  }
}
