import DNSWire
import Octets
import Testing

@testable import Resolver

/// Servers that lie, loop and stall.
struct MaliceTests {
  /// The root delegates evil.test to 127.0.66.6 and bank.test to 127.0.77.7.
  static func world(_ evil: @escaping (Ask) throws -> Script.Reply) -> Script {
    Script { ask in
      switch ask.server.ip.description {
      case "127.0.9.1":
        return ask.name.isAtOrBelow(try #require(Name("evil.test")))
          ? try .says(ask, authority: ["evil.test. NS ns.evil.test."], additional: ["ns.evil.test. A 127.0.66.6"])
          : try .says(ask, authority: ["bank.test. NS ns.bank.test."], additional: ["ns.bank.test. A 127.0.77.7"])
      case "127.0.77.7": return try .says(ask, aa: true, answer: ["\(ask.name) A 127.0.77.80"])
      default: return try evil(ask)
      }
    }
  }

  @Test func recordsOutsideTheServersZoneAreLeftOut() throws {
    let script = Self.world {
      try .says(
        $0, aa: true, answer: ["www.evil.test. A 127.0.66.80", "www.bank.test. A 127.0.66.80"],
        authority: ["bank.test. NS ns.evil.test.", "test. NS ns.evil.test.", ". NS ns.evil.test."],
        additional: ["ns.bank.test. A 127.0.66.6", "www.bank.test. A 127.0.66.80"])
    }
    #expect(try script.resolve("www.evil.test").answers.map(text) == ["www.evil.test. A 127.0.66.80"])
    #expect(try script.resolve("www.bank.test").answers.map(text) == ["www.bank.test. A 127.0.77.80"])
  }

  @Test func anAliasIntoAForeignZoneIsResolvedThere() throws {
    let script = Self.world {
      try .says(
        $0, aa: true, answer: ["www.evil.test. CNAME www.bank.test.", "www.bank.test. A 127.0.66.80"],
        authority: ["bank.test. NS ns.evil.test."])
    }
    #expect(try script.resolve("www.evil.test").answers.map(\.address).last == IPAddress("127.0.77.80"))
  }

  @Test func aForeignNegativeAnswerIsNotBelieved() throws {
    let script = Self.world {
      try .says(
        $0, .nameError, aa: true, answer: ["www.evil.test. CNAME www.bank.test."],
        authority: ["bank.test. SOA ns.evil.test. a.evil.test. 1 2 3 4 500"])
    }
    #expect(try script.resolve("www.evil.test").answers.count == 2)
    #expect(try script.resolve("www.bank.test").answers.count == 1)
  }

  @Test func glueIsNeverAnAnswer() throws {
    let script = Self.world { ask in
      ask.name == Name("sub.evil.test")
        ? try .says(
          ask, authority: ["sub.evil.test. NS www.evil.test."], additional: ["www.evil.test. A 127.0.66.99"])
        : try .says(ask, aa: true, answer: ["www.evil.test. A 127.0.66.80"])
    }
    _ = try script.resolve("sub.evil.test")
    #expect(try script.resolve("www.evil.test").answers.map(text) == ["www.evil.test. A 127.0.66.80"])
  }

  @Test func referralsThatLeadNowhereEnd() throws {
    for zone in ["evil.test.", "test.", ".", "other.evil.test."] {
      let script = Self.world {
        try .says($0, authority: ["\(zone) NS ns.evil.test."], additional: ["ns.evil.test. A 127.0.66.6"])
      }
      #expect(try script.resolve("www.evil.test").code == .serverFailure)
      #expect(script.asked.count < 8)
    }
  }

  @Test func endlessReferralsDownwardsSpendTheBudget() throws {
    let name = Array(repeating: "a", count: 100).joined(separator: ".") + ".evil.test"
    var cuts = 2
    let script = Self.world { ask in
      // Each answer delegates one label further down.
      cuts += 1
      let cut = ask.name.suffix(labels: cuts)
      return try .says(ask, authority: ["\(cut) NS ns.evil.test."], additional: ["ns.evil.test. A 127.0.66.6"])
    }
    let outcome = try script.resolve(name)
    #expect(outcome.code == .serverFailure)
    #expect(script.asked.count == 50)
  }

  @Test func nameServersWithoutAddressAreLookedUpFiveADelegation() throws {
    // Each name server's name leads to twenty more: the amplification called NXNSAttack.
    let script = Self.world { ask in
      try .says(ask, authority: (1...20).map { "\(ask.name) NS n\($0).x\(ask.name.labelCount).victim.evil.test." })
    }
    let outcome = try script.resolve("www.evil.test")
    #expect(outcome.code == .serverFailure)
    #expect(script.asked.count <= 50)
    let first = Set(script.asked.map(\.name).filter { $0.description.hasSuffix(".x3.victim.evil.test.") })
    #expect(first.count <= 5)
  }

  @Test func nameServersThatNeedEachOtherEnd() throws {
    let script = Script { ask in
      ask.name.isAtOrBelow(try #require(Name("a.test")))
        ? try .says(ask, authority: ["a.test. NS ns.b.test."])
        : try .says(ask, authority: ["b.test. NS ns.a.test."])
    }
    #expect(try script.resolve("www.a.test").code == .serverFailure)
    #expect(script.asked.count < 10)
  }

  @Test func aliasesInACircleEnd() throws {
    let oneMessage = Self.world {
      try .says($0, aa: true, answer: ["a.evil.test. CNAME b.evil.test.", "b.evil.test. CNAME a.evil.test."])
    }
    #expect(try oneMessage.resolve("a.evil.test").code == .serverFailure)
    let oneByOne = Self.world {
      try .says(
        $0, aa: true,
        answer: [$0.name == Name("a.evil.test") ? "a.evil.test. CNAME b.evil.test." : "b.evil.test. CNAME a.evil.test."]
      )
    }
    #expect(try oneByOne.resolve("a.evil.test").code == .serverFailure)
    #expect(oneByOne.asked.count < 6)
  }

  @Test func noMoreThanThirteenAliasesAreFollowed() throws {
    func chain(_ count: Int) throws -> Outcome {
      let script = Self.world { ask in
        let label = ask.name.labels.first.flatMap { Array($0.dropFirst()).parsedDecimal(as: Int.self) } ?? 0
        return label < count
          ? try .says(ask, aa: true, answer: ["\(ask.name) CNAME a\(label + 1).evil.test."])
          : try .says(ask, aa: true, answer: ["\(ask.name) A 127.0.66.80"])
      }
      return try script.resolve("a0.evil.test")
    }
    #expect(try chain(13).answers.count == 14)
    let outcome = try chain(14)
    #expect(outcome.code == .serverFailure)
    #expect(outcome.comment == "more than 13 aliases in a row")
  }

  @Test func aChildCannotOutliveItsDelegation() throws {
    var isDelegated = true
    let script = Script { ask in
      switch ask.server.ip.description {
      case "127.0.9.1":
        return isDelegated
          ? try .says(ask, authority: ["gone.test. NS ns.gone.test."], additional: ["ns.gone.test. A 127.0.66.6"])
          : try .says(ask, .nameError, aa: true, authority: [". SOA a. b. 1 2 3 4 5"])
      default:
        return ask.type == .ns
          ? try .says(ask, aa: true, answer: ["gone.test. 86400 NS ns.gone.test."])
          : try .says(ask, aa: true, answer: ["\(ask.name) 1 A 127.0.66.80"])
      }
    }
    _ = try script.resolve("www.gone.test")
    isDelegated = false
    script.world += 200
    _ = try script.resolve("gone.test", .ns)
    #expect(try script.resolve("www.gone.test").code == .noError)
    script.world += 100
    #expect(try script.resolve("www.gone.test").code == .nameError)
  }

  /// The answer about name servers is no better than what the cache keeps of it.
  @Test func aZonesOwnWordOnItsNameServersIsToldForAsLongAsItIsKept() throws {
    let script = Self.world { try .says($0, aa: true, answer: ["evil.test. 86400 NS ns.evil.test."]) }
    #expect(try script.resolve("evil.test", .ns).answers.map(\.ttl) == [300])
  }

  @Test func aZoneThatMovedIsFoundAtOnceByAllThatComeLater() throws {
    var hasMoved = false
    let script = Script { ask in
      switch ask.server.ip.description {
      case "127.0.9.1":
        return try .says(
          ask, authority: ["evil.test. 86400 NS ns.evil.test."],
          additional: ["ns.evil.test. 86400 A \(hasMoved ? "127.0.66.7" : "127.0.66.6")"])
      case "127.0.66.6" where hasMoved: return .silence
      default:
        return ask.type == .ns
          ? try .says(ask, aa: true, answer: ["evil.test. 86400 NS ns.evil.test."])
          : try .says(ask, aa: true, answer: ["\(ask.name) 86400 A 127.0.66.6"])
      }
    }
    // What the zone itself says of its servers is more credible than its parent's word.
    _ = try script.resolve("evil.test", .ns)
    _ = try script.resolve("ns.evil.test")
    hasMoved = true
    #expect(try script.resolve("a.evil.test").code == .noError)
    let asked = script.asked.count
    #expect(try script.resolve("b.evil.test").code == .noError)
    #expect(script.trail.dropFirst(asked) == ["127.0.66.7 b.evil.test. A"])
  }

  @Test func thousandsOfNameServersAndAddressesAreNotAllLookedAt() throws {
    let many = (0..<3000).map { "evil.test. NS n\($0).evil.test." }
    let addresses = (0..<3000).map { "n0.evil.test. A 127.1.\($0 / 250).\($0 % 250)" }
    let script = Self.world { ask in
      try .says(ask, aa: true, answer: ask.type == .ns ? many : addresses)
    }
    #expect(try script.resolve("evil.test", .ns).answers.count == 3000)
    #expect(try script.resolve("n0.evil.test").answers.count == 3000)
    var walk = Walk(try #require(Name("www.evil.test")), .a)
    _ = walk.handle(.start, at: script.moment, &script.knowledge)
    let delegation = try #require(walk.top.delegation)
    #expect(delegation.origin == .cached && delegation.servers.count == Delegation.mostServers)
    #expect(delegation.addresses.count == Delegation.mostAddresses)
  }

  /// Type 0 in the cache stands for a name that doesn't exist.
  @Test func recordsOfTypesThatAreNoDataAreLeftOut() throws {
    let script = Self.world { ask in
      guard ask.type == .any else { return try .says(ask, aa: true, answer: ["\(ask.name) A 127.0.66.80"]) }
      var message = try Message.response(ask, aa: true, answer: ["\(ask.name) TXT x"])
      for type in [UInt16(0), 128, 255] {
        message.answers.append(
          ResourceRecord(name: ask.name, ttl: 300, data: .unknown(RecordType(rawValue: type), [1])))
      }
      return .message(message)
    }
    #expect(try script.resolve("www.evil.test", .any).answers.map(\.type) == [.txt])
    #expect(try script.resolve("www.evil.test").code == .noError)
    #expect(try script.resolve("below.www.evil.test").code == .noError)
  }

  @Test(arguments: [RecordType.cname, .any])
  func theAliasBelowADNAMEIsMadeHereAlsoWhenItIsAskedFor(type: RecordType) throws {
    let script = Self.world {
      try .says(
        $0, aa: true,
        answer: [
          "sub.evil.test. 60 DNAME other.evil.test.", "www.sub.evil.test. 500 CNAME www.bank.test.",
          "www.sub.evil.test. TXT lie",
        ])
    }
    let expected = ["sub.evil.test. DNAME other.evil.test.", "www.sub.evil.test. CNAME www.other.evil.test."]
    for _ in 0..<2 {
      let outcome = try script.resolve("www.sub.evil.test", type)
      #expect(outcome.answers.map(text) == expected)
      #expect(outcome.answers.map(\.ttl) == [60, 60])
    }
    // Another name below is made of the DNAME that is known, and isn't followed.
    let asked = script.asked.count
    #expect(
      try script.resolve("ftp.sub.evil.test", type).answers.last.map(text)
        == "ftp.sub.evil.test. CNAME ftp.other.evil.test.")
    #expect(script.asked.count == asked)
  }

  @Test func aNameThatADNAMEMakesTooLongIsYXDOMAIN() throws {
    let label = String(repeating: "a", count: 63)
    let long = "\(label).\(label).\(label)"
    for code in [ResponseCode.noError, .yxDomain] {
      let script = Self.world { try .says($0, code, aa: true, answer: ["evil.test. DNAME \(long).bank.test."]) }
      for _ in 0..<2 { #expect(try script.resolve("\(label).evil.test").code == .yxDomain) }
    }
    let bare = Self.world { try .says($0, .yxDomain, aa: true) }
    #expect(try bare.resolve("www.evil.test").code == .serverFailure)
  }

  @Test func addressesOutsideTheWorldAreNotAsked() throws {
    let script = Self.world { try .says($0, aa: true, answer: ["www.evil.test. A 127.0.66.80"]) }
    script.knowledge.mayAsk = { $0.description != "127.0.66.6" }
    #expect(try script.resolve("www.evil.test").code == .serverFailure)
    #expect(!script.asked.contains { $0.server.ip.description == "127.0.66.6" })
  }
}

/// RFC 5452 §9.1.
struct MatchTests {
  static func ask() throws -> Ask {
    Ask(
      exchange: 1, id: 0xBEEF, name: try #require(Name("www.Example.com")), type: .a,
      server: try #require(SocketAddress("127.0.9.1:5300")), transport: .udp, withEDNS: true,
      recursionDesired: false, patience: .seconds(1))
  }

  static func isResponse(_ message: Message, from source: String, _ ask: Ask) throws -> Bool {
    let octets = message.encoded()
    let source = try #require(SocketAddress(source))
    if case .response = unsafe Match(octets.span.bytes, from: source, for: ask) { return true }
    return false
  }

  @Test func onlyTheAskedServersAnswerToTheVeryQuestionCounts() throws {
    let ask = try Self.ask()
    let good = try Message.response(ask, aa: true, answer: ["www.example.com. A 127.0.0.1"])
    #expect(try Self.isResponse(good, from: "127.0.9.1:5300", ask))
    #expect(try !Self.isResponse(good, from: "127.0.9.1:5301", ask))
    #expect(try !Self.isResponse(good, from: "127.0.9.2:5300", ask))
    var wrongID = good
    wrongID.header.id ^= 1
    #expect(try !Self.isResponse(wrongID, from: "127.0.9.1:5300", ask))
    var query = good
    query.header.isResponse = false
    #expect(try !Self.isResponse(query, from: "127.0.9.1:5300", ask))
    var otherName = good
    otherName.questions = [Question(name: try #require(Name("www.example.org")), type: .a)]
    #expect(try !Self.isResponse(otherName, from: "127.0.9.1:5300", ask))
    var otherType = good
    otherType.questions = [Question(name: ask.name, type: .mx)]
    #expect(try !Self.isResponse(otherType, from: "127.0.9.1:5300", ask))
    var noQuestion = good
    noQuestion.questions = []
    #expect(try !Self.isResponse(noQuestion, from: "127.0.9.1:5300", ask))
    noQuestion.header.responseCode = .formatError
    #expect(try Self.isResponse(noQuestion, from: "127.0.9.1:5300", ask))
  }

  @Test func aResponseCutAnywhereIsMalformedOrForeign() throws {
    let ask = try Self.ask()
    let octets = try Message.response(ask, aa: true, answer: ["www.example.com. A 127.0.0.1"]).encoded()
    for length in 0..<octets.count {
      let part = Array(octets[..<length])
      if case .response = unsafe Match(part.span.bytes, from: ask.server, for: ask) {
        Issue.record("\(length) octets were taken for a response")
      }
    }
  }
}
