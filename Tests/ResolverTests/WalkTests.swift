import DNSWire
import Octets
import Testing

@testable import Resolver

struct WalkTests {
  @Test func aNameIsFoundFromTheRootDownwards() throws {
    let script = Script(umass)
    let outcome = try script.resolve("gaia.cs.umass.edu")
    #expect(outcome.code == .noError)
    #expect(outcome.answers.map(text) == ["gaia.cs.umass.edu. A 127.0.50.1"])
    #expect(
      script.trail == [
        "127.0.9.1 gaia.cs.umass.edu. A", "127.0.10.2 gaia.cs.umass.edu. A", "127.0.11.1 gaia.cs.umass.edu. A",
      ])
    #expect(script.asked.allSatisfy { !$0.recursionDesired && $0.server.port == 5300 })
  }

  @Test func whatIsKnownIsNotAskedAgain() throws {
    let script = Script(umass)
    _ = try script.resolve("gaia.cs.umass.edu")
    _ = try script.resolve("GAIA.cs.umass.edu")
    #expect(script.asked.count == 3)
    _ = try script.resolve("other.umass.edu")
    #expect(script.trail.dropFirst(3) == ["127.0.11.1 other.umass.edu. A"])
  }

  @Test func answersExpireByTheWorldsClock() throws {
    let script = Script(umass)
    _ = try script.resolve("gaia.cs.umass.edu")
    script.world += 100
    #expect(try script.resolve("gaia.cs.umass.edu").answers.map(\.ttl) == [200])
    script.world += 200
    #expect(try script.resolve("gaia.cs.umass.edu").answers.map(\.ttl) == [300])
    #expect(script.asked.count == 6)
  }

  @Test func negativeAnswersAreKeptForTheSOAsMinimum() throws {
    let script = Script(umass)
    #expect(try script.resolve("none.umass.edu").code == .nameError)
    let again = try script.resolve("none.umass.edu", .mx)
    #expect(again.code == .nameError)
    #expect(again.authorities.map(\.ttl) == [60])
    // RFC 8020: nothing is below what doesn't exist.
    #expect(try script.resolve("below.none.umass.edu").code == .nameError)
    #expect(script.asked.count == 3)
    let noData = try script.resolve("gaia.cs.umass.edu", .mx)
    #expect(noData.code == .noError && noData.answers.isEmpty && noData.authorities.count == 1)
    #expect(script.asked.count == 4)
    script.world += 60
    _ = try script.resolve("none.umass.edu")
    #expect(script.asked.count == 5)
  }

  @Test func anAliasIsFollowedAcrossZones() throws {
    let script = Script { ask in
      switch ask.server.ip.description {
      case "127.0.9.1":
        return ask.name.isAtOrBelow(try #require(Name("com.")))
          ? try .says(ask, authority: ["com. NS a.com."], additional: ["a.com. A 127.0.10.1"])
          : try .says(ask, authority: ["net. NS b.net."], additional: ["b.net. A 127.0.10.9"])
      case "127.0.10.1": return try .says(ask, aa: true, answer: ["www.ibm.com. CNAME east.ibm.net."])
      default: return try .says(ask, aa: true, answer: ["east.ibm.net. A 127.0.60.1"])
      }
    }
    let outcome = try script.resolve("www.ibm.com")
    #expect(outcome.answers.map(text) == ["www.ibm.com. CNAME east.ibm.net.", "east.ibm.net. A 127.0.60.1"])
    // The alias itself is no alias to follow.
    #expect(try script.resolve("www.ibm.com", .cname).answers.count == 1)
  }

  @Test func aNameServersAddressIsLookedUpWhereNoGlueTellsIt() throws {
    let script = Script { ask in
      switch ask.server.ip.description {
      case "127.0.9.1":
        return ask.name.isAtOrBelow(try #require(Name("com.")))
          ? try .says(ask, authority: ["com. NS ns.host.net."])
          : try .says(ask, authority: ["net. NS a.net."], additional: ["a.net. A 127.0.10.9"])
      case "127.0.10.9": return try .says(ask, aa: true, answer: ["ns.host.net. A 127.0.10.1"])
      default: return try .says(ask, aa: true, answer: ["www.x.com. A 127.0.60.1"])
      }
    }
    let outcome = try script.resolve("www.x.com", tracing: true)
    #expect(outcome.answers.map(text) == ["www.x.com. A 127.0.60.1"])
    #expect(outcome.steps.map(\.depth).max() == 1)
    #expect(outcome.steps.filter { $0.kind == .query }.map(\.result) == [.referral, .referral, .answer, .answer])
  }

  @Test func deadRootServersArePassedOver() throws {
    let roots = (1...13).map { SocketAddress(ip: IPAddress(v4: 0x7F00_0900 + UInt32($0)), port: 5300) }
    for seed in 1...20 {
      let script = Script(roots: roots, seed: UInt64(seed)) { ask in
        ask.server.ip.description.hasPrefix("127.0.9.")
          ? (roots.prefix(3).contains(ask.server)
            ? try .says(ask, authority: ["edu. NS tld.edu."], additional: ["tld.edu. A 127.0.10.2"]) : .silence)
          : try umass(ask)
      }
      #expect(try script.resolve("gaia.cs.umass.edu").code == .noError)
    }
  }

  @Test func allServersDeadIsAFailureThatIsRememberedBriefly() throws {
    let script = Script { _ in .silence }
    let outcome = try script.resolve("gaia.cs.umass.edu")
    #expect(outcome.code == .serverFailure)
    #expect(outcome.comment == "127.0.9.1:5300 doesn't answer")
    let asked = script.asked.count
    #expect(asked == WorkBudget.triesPerServer)
    #expect(try script.resolve("gaia.cs.umass.edu").code == .serverFailure)
    #expect(script.asked.count == asked)
    script.world += RecordCache.failureTTL
    _ = try script.resolve("gaia.cs.umass.edu")
    #expect(script.asked.count > asked)
  }

  @Test func aQuestionGetsSevenSecondsHoweverManyServersAreSilent() throws {
    let roots = (1...13).map { SocketAddress(ip: IPAddress(v4: 0x7F00_0900 + UInt32($0)), port: 5300) }
    let script = Script(roots: roots) { _ in .silence }
    let outcome = try script.resolve("gaia.cs.umass.edu")
    #expect(outcome.code == .serverFailure && outcome.comment == "no answer within 7 s")
    #expect(script.steady == .seconds(7))
    // All were asked before any was asked again.
    #expect(Set(script.asked.prefix(13).map(\.server)) == Set(roots))
  }

  @Test func anUnreachableServerIsLeftForAnother() throws {
    let other = SocketAddress(ip: IPAddress(v4: 0x7F00_0902), port: 5300)
    for seed in 1...8 {
      let script = Script(roots: [Script.root, other], seed: UInt64(seed)) {
        $0.server == other ? .unreachable : try umass($0)
      }
      #expect(try script.resolve("gaia.cs.umass.edu").code == .noError)
    }
  }

  @Test func aTruncatedAnswerIsAskedForOverTCP() throws {
    let script = Script { ask in
      guard ask.transport == .udp else { return try .says(ask, aa: true, answer: ["big. TXT \"much\""]) }
      var message = try Message.response(ask, aa: true)
      message.header.isTruncated = true
      return .message(message)
    }
    #expect(try script.resolve("big.", .txt).answers.count == 1)
    #expect(script.asked.map(\.transport) == [.udp, .tcp])
  }

  @Test(arguments: [ResponseCode.formatError, .notImplemented, .badVersion])
  func aServerWithoutEDNSIsAskedWithout(_ code: ResponseCode) throws {
    let script = Script { ask in
      ask.withEDNS
        ? try .says(ask, code) : try .says(ask, aa: true, answer: ["old. A 127.0.0.9"])
    }
    #expect(try script.resolve("old.").answers.count == 1)
    #expect(script.asked.map(\.withEDNS) == [true, false])
    script.knowledge.cache.removeAll()
    _ = try script.resolve("old.")
    #expect(script.asked.map(\.withEDNS) == [true, false, false])
  }

  @Test func withoutRecursionOnlyTheCacheAnswers() throws {
    let script = Script(umass)
    #expect(try script.resolve("gaia.cs.umass.edu", cacheOnly: true).answers.isEmpty)
    #expect(script.asked.isEmpty)
    _ = try script.resolve("gaia.cs.umass.edu")
    #expect(try script.resolve("gaia.cs.umass.edu", cacheOnly: true).answers.count == 1)
    let near = try script.resolve("other.umass.edu", cacheOnly: true)
    #expect(near.answers.isEmpty && near.authorities.map(text) == ["umass.edu. NS dns.umass.edu."])
  }

  @Test func aForwardedZoneIsAskedRecursively() throws {
    let upstream = SocketAddress(ip: IPAddress(v4: 0x7F00_0C09), port: 53)
    let script = Script { ask in
      ask.server == upstream
        ? try .says(
          ask, answer: ["www.corp.test. CNAME elsewhere.org.", "elsewhere.org. A 127.0.70.1"])
        : try .says(ask, .nameError, aa: true, authority: [". SOA a. b. 1 2 3 4 5"])
    }
    script.knowledge.forwarders = [Forwarder(zone: try #require(Name("corp.test")), servers: [upstream])]
    let outcome = try script.resolve("www.corp.test")
    #expect(script.asked.first?.recursionDesired == true)
    // The forwarder of a zone is believed about this zone alone.
    #expect(outcome.code == .nameError && outcome.answers.count == 1)
    script.knowledge.forwarders = [Forwarder(zone: .root, servers: [upstream])]
    script.knowledge.cache.removeAll()
    #expect(try script.resolve("www.corp.test").answers.count == 2)
  }

  @Test func specialNamesNeverLeave() throws {
    let script = Script { _ in .silence }
    #expect(try script.resolve("localhost").answers.map(text) == ["localhost. A 127.0.0.1"])
    #expect(try script.resolve("db.localhost", .aaaa).answers.map(text) == ["db.localhost. AAAA ::1"])
    #expect(try script.resolve("some.invalid").code == .nameError)
    #expect(script.asked.isEmpty)
  }

  @Test func aMovedZoneIsFoundThroughItsParent() throws {
    var home = "127.0.11.1"
    let script = Script { ask in
      switch ask.server.ip.description {
      case "127.0.9.1":
        return try .says(ask, authority: ["com. NS a.com."], additional: ["a.com. A 127.0.10.1"])
      case "127.0.10.1":
        return try .says(ask, authority: ["x.com. NS ns.x.com."], additional: ["ns.x.com. A \(home)"])
      case home: return try .says(ask, aa: true, answer: ["\(ask.name) A 127.0.60.1"])
      default: return try .says(ask, .refused)
      }
    }
    #expect(try script.resolve("www.x.com").code == .noError)
    home = "127.0.11.2"
    #expect(try script.resolve("mail.x.com").code == .noError)
  }

  @Test func aDNAMERewritesWhatIsBelowIt() throws {
    let script = Script { ask in
      try .says(
        ask, aa: true,
        answer: ask.name == Name("a.old.")
          ? ["old. DNAME new.", "a.old. CNAME liar."] : ["\(ask.name) A 127.0.60.1"])
    }
    let outcome = try script.resolve("a.old.")
    #expect(outcome.answers.map(text) == ["old. DNAME new.", "a.old. CNAME a.new.", "a.new. A 127.0.60.1"])
    #expect(try script.resolve("b.old.").answers.map(text).suffix(1) == ["b.new. A 127.0.60.1"])
    #expect(script.trail.last == "127.0.9.1 b.new. A")
  }

  @Test func theSameSeedMakesTheSameWalk() throws {
    let roots = (1...13).map { SocketAddress(ip: IPAddress(v4: 0x7F00_0900 + UInt32($0)), port: 5300) }
    func ids(_ seed: UInt64) throws -> [String] {
      let script = Script(roots: roots, seed: seed) { ask in
        roots.contains(ask.server)
          ? try .says(ask, authority: ["edu. NS tld.edu."], additional: ["tld.edu. A 127.0.10.2"]) : try umass(ask)
      }
      _ = try script.resolve("gaia.cs.umass.edu")
      return script.asked.map { "\($0.id) \($0.server)" }
    }
    #expect(try ids(7) == ids(7))
    #expect(try ids(7) != ids(8))
  }
}
