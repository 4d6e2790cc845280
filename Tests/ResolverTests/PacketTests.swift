import DNSWire
import Octets
import Testing

@testable import Resolver

struct PacketTests {
  private static let seed: UInt64 = 42

  private static func query(
    _ name: String, _ type: RecordType = .a, id: UInt16 = 7, edns: EDNS? = nil
  ) throws -> [UInt8] {
    Message(id: id, question: Question(name: try #require(Name(name)), type: type), recursionDesired: true, edns: edns)
      .encoded()
  }

  private static func parse(_ octets: [UInt8]) -> ClientQuery? {
    unsafe ClientQuery(octets.span.bytes, seed: seed)
  }

  /// Puts an outcome into a cache and asks for it with another query.
  private static func answer(
    _ cache: inout PacketCache, _ octets: [UInt8], now: Int64 = 0, limit: Int? = nil
  ) throws -> Message? {
    let query = try #require(parse(octets))
    var output: [UInt8] = []
    let found = unsafe cache.answer(
      query, octets.span.bytes, now: now, limit: limit ?? query.udpLimit, to: &output)
    return found ? try Message(decoding: output) : nil
  }

  private static func keep(
    _ cache: inout PacketCache, _ name: String, _ type: RecordType = .a, _ outcome: Outcome, now: Int64 = 0
  ) throws {
    let octets = try query(name, type)
    let packet = Packet(Question(name: try #require(Name(name)), type: type), outcome, now: now)
    unsafe cache.insert(packet, for: try #require(parse(octets)), octets.span.bytes)
  }

  @Test func aCachedAnswerIsTheAskersOwn() throws {
    var cache = PacketCache(limit: 1 << 20)
    try Self.keep(&cache, "www.test", .a, Outcome(code: .noError, answers: [try record("www.test. A 127.0.0.1")]))
    let octets = try Self.query("WwW.tEsT", id: 0xABCD, edns: EDNS(payloadSize: 4096, dnssecOK: true))
    let message = try #require(try Self.answer(&cache, octets, now: 100))
    #expect(message.header.id == 0xABCD)
    #expect(message.header.isResponse && message.header.recursionDesired && message.header.recursionAvailable)
    #expect(!message.header.isAuthoritative)
    #expect(message.questions.first?.name.wire == Name("WwW.tEsT")?.wire)
    #expect(message.answers.map(\.ttl) == [200])
    #expect(message.edns?.dnssecOK == true)
    #expect(try Self.answer(&cache, Self.query("www.test", .aaaa)) == nil)
    #expect(try Self.answer(&cache, Self.query("xww.test")) == nil)
    #expect(try Self.answer(&cache, octets, now: 300) == nil)
  }

  @Test func addressesRotate() throws {
    var cache = PacketCache(limit: 1 << 20)
    let records = try (1...3).map { try record("c.test. A 127.0.0.\($0)") }
    let alias = try record("www.test. CNAME c.test.")
    try Self.keep(&cache, "www.test", .a, Outcome(code: .noError, answers: [alias] + records))
    var firsts: Set<String> = []
    for _ in 0..<3 {
      let message = try #require(try Self.answer(&cache, Self.query("www.test")))
      #expect(message.answers.first == alias)
      #expect(Set(message.answers.dropFirst()) == Set(records))
      firsts.insert(message.answers[1].data.text)
    }
    #expect(firsts.count == 3)
  }

  @Test func eachQuestionHasItsOwnTurns() throws {
    var cache = PacketCache(limit: 1 << 20)
    let addresses = try (1...2).map { try record("c.test. A 127.0.0.\($0)") }
    try Self.keep(&cache, "c.test", .a, Outcome(code: .noError, answers: addresses))
    let others = try (1...2).map { try record("c.test. AAAA ::\($0)") }
    try Self.keep(&cache, "c.test", .aaaa, Outcome(code: .noError, answers: others))
    // As getaddrinfo asks: A and AAAA in turn.
    var firsts: [[String]] = [[], []]
    for _ in 0..<4 {
      for (index, type) in [RecordType.a, .aaaa].enumerated() {
        let message = try #require(try Self.answer(&cache, Self.query("c.test", type)))
        firsts[index].append(try #require(message.answers.first).data.text)
      }
    }
    for first in firsts {
      #expect(Set(first).count == 2)
      #expect(first[0] == first[2] && first[1] == first[3] && first[0] != first[1])
    }
  }

  @Test func aPacketMadeAnewGoesOnInTurn() throws {
    var cache = PacketCache(limit: 1 << 20)
    let records = try (1...2).map { try record("c.test. 10 A 127.0.0.\($0)") }
    let octets = try Self.query("c.test")
    let query = try #require(Self.parse(octets))
    var turns: [Int] = []
    for now in stride(from: Int64(0), to: 40, by: 10) {
      #expect(try Self.answer(&cache, octets, now: now) == nil)
      let packet = Packet(
        Question(name: try #require(Name("c.test")), type: .a), Outcome(code: .noError, answers: records), now: now)
      turns.append(unsafe cache.insert(packet, for: query, octets.span.bytes))
    }
    #expect(turns == [1, 2, 3, 4])
  }

  @Test func aPacketFromATimeThatIsStillToComeIsNotServed() throws {
    var cache = PacketCache(limit: 1 << 20)
    let outcome = Outcome(code: .noError, answers: [try record("www.test. A 127.0.0.1")])
    try Self.keep(&cache, "www.test", .a, outcome, now: 1000)
    #expect(try Self.answer(&cache, Self.query("www.test"), now: 10) == nil)
  }

  @Test func whatNoMessageCanHoldIsTruncatedOverTCPToo() throws {
    var cache = PacketCache(limit: 1 << 20)
    let text = String(repeating: "x", count: 250)
    let records = try (0..<300).map { try record("m.test. TXT \"\(text)\" \"\($0)\"") }
    let alias = try record("a.test. CNAME m.test.")
    try Self.keep(&cache, "a.test", .txt, Outcome(code: .noError, answers: [alias] + records))
    let answer = try #require(try Self.answer(&cache, Self.query("a.test", .txt), limit: 65535))
    #expect(answer.header.isTruncated && answer.answers == [alias])
  }

  @Test func whatDoesNotFitIsTruncatedToItsQuestion() throws {
    var cache = PacketCache(limit: 1 << 20)
    let records = try (1...60).map { try record("m.test. A 127.0.0.\($0)") }
    try Self.keep(&cache, "m.test", .a, Outcome(code: .noError, answers: records))
    let plain = try #require(try Self.answer(&cache, Self.query("m.test")))
    #expect(plain.header.isTruncated && plain.answers.isEmpty && plain.questions.count == 1)
    let large = try #require(try Self.answer(&cache, Self.query("m.test", edns: EDNS())))
    #expect(!large.header.isTruncated && large.answers.count == 60)
    let tcp = try #require(try Self.answer(&cache, Self.query("m.test"), limit: 65535))
    #expect(tcp.answers.count == 60)
  }

  @Test func typesThatDifferByABitOfCaseAreApart() throws {
    var cache = PacketCache(limit: 1 << 20)
    let upper = RecordType(rawValue: 0x0041)
    let lower = RecordType(rawValue: 0x0061)
    let data = ResourceRecord(name: try #require(Name("x.test")), ttl: 60, data: .unknown(upper, [1]))
    try Self.keep(&cache, "x.test", upper, Outcome(code: .noError, answers: [data]))
    #expect(try Self.answer(&cache, Self.query("x.test", lower)) == nil)
    #expect(try Self.answer(&cache, Self.query("x.test", upper)) != nil)
  }

  @Test func theCacheStaysWithinItsBytesAndFindsWhatItKeeps() throws {
    var cache = PacketCache(limit: 200_000)
    for index in 0..<3000 {
      let name = "n\(index).test"
      try Self.keep(&cache, name, .a, Outcome(code: .noError, answers: [try record("\(name). A 127.0.0.1")]))
      #expect(cache.bytes <= cache.limit)
      #expect(try Self.answer(&cache, Self.query(name)) != nil)
    }
    var found = 0
    for index in 0..<3000 where try Self.answer(&cache, Self.query("n\(index).test")) != nil { found += 1 }
    #expect(found == cache.count)
    cache.removeAll()
    #expect(cache.count == 0 && cache.bytes == 0)
  }

  @Test func aQueryCutOrGrownIsNotOfTheCommonForm() throws {
    for edns in [nil, EDNS()] {
      let octets = try Self.query("www.example.com", edns: edns)
      #expect(Self.parse(octets) != nil)
      for length in 0..<octets.count { #expect(Self.parse(Array(octets[..<length])) == nil) }
      #expect(Self.parse(octets + [0]) == nil)
    }
  }

  @Test func uncommonQueriesGoTheLongWay() throws {
    let octets = try Self.query("www.example.com")
    for (offset, value) in [(2, UInt8(0x81)), (2, 0x11), (5, 2), (7, 1), (9, 1), (11, 2), (octets.count - 1, 3)] {
      var changed = octets
      changed[offset] = value
      #expect(Self.parse(changed) == nil)
    }
  }
}

struct IntakeTests {
  private static func intake(_ octets: [UInt8]) -> Intake { unsafe Intake(octets.span.bytes) }

  private static func reply(_ message: Message) throws -> Message? {
    if case .reply(let octets) = intake(message.encoded()) { return try Message(decoding: octets) }
    return nil
  }

  private static func query(_ type: RecordType = .a, _ class: RecordClass = .internet) throws -> Message {
    Message(id: 9, question: Question(name: try #require(Name("a.test")), type: type, class: `class`))
  }

  @Test func aResponseIsNeverAnswered() throws {
    var message = try Self.query()
    message.header.isResponse = true
    if case .ignore = Self.intake(message.encoded()) {} else { Issue.record("answered") }
    if case .ignore = Self.intake([1, 2, 3]) {} else { Issue.record("answered") }
  }

  @Test func errorsAreThoseOfTheRFCs() throws {
    var notify = try Self.query()
    notify.header.opcode = .notify
    #expect(try Self.reply(notify)?.header.responseCode == .notImplemented)
    #expect(try Self.reply(notify)?.header.opcode == .notify)
    var two = try Self.query()
    two.questions += two.questions
    #expect(try Self.reply(two)?.header.responseCode == .formatError)
    var version = try Self.query()
    version.edns?.version = 1
    #expect(try Self.reply(version)?.header.responseCode == .badVersion)
    #expect(try Self.reply(Self.query(.axfr))?.header.responseCode == .notImplemented)
    #expect(try Self.reply(Self.query(.opt))?.header.responseCode == .formatError)
    #expect(try Self.reply(Self.query(.a, .chaos))?.header.responseCode == .refused)
    let garbage = try Self.query().encoded().prefix(20)
    if case .reply(let octets) = Self.intake(Array(garbage)) {
      #expect(try Message(decoding: octets).header.responseCode == .formatError)
    } else {
      Issue.record("not answered")
    }
  }

  @Test func anOddButValidQueryIsPutIntoTheCommonForm() throws {
    var message = try Self.query()
    message.edns?.options = [EDNSOption(code: EDNSOption.cookie, data: [1, 2, 3, 4, 5, 6, 7, 8])]
    message.additionals = [try record("x. A 127.0.0.1")]
    guard case .resolve(let question, let octets, _) = Self.intake(message.encoded()) else {
      Issue.record("not resolved")
      return
    }
    #expect(question.type == .a)
    #expect(unsafe ClientQuery(octets.span.bytes, seed: 1) != nil)
  }
}
