import DNSWire
import Octets
import Testing

@testable import Resolver

struct DNSJSONTests {
  private static func json(_ outcome: Outcome, tracing: Bool = false) throws -> String {
    let question = Question(name: try #require(Name("www.test")), type: .a)
    return String(
      decoding: DNSJSON.resolution(
        question, outcome, recursionDesired: true, checkingDisabled: false, tracing: tracing), as: UTF8.self)
  }

  @Test func anAnswerHasTheUsualShape() throws {
    let text = try Self.json(Outcome(code: .noError, answers: [try record("www.test. A 127.0.0.1")]))
    #expect(
      text == #"{"Status":0,"TC":false,"RD":true,"RA":true,"AD":false,"CD":false,"#
        + #""Question":[{"name":"www.test.","type":1}],"#
        + #""Answer":[{"name":"www.test.","type":1,"TTL":300,"data":"127.0.0.1"}]}"#)
  }

  @Test func quotesInRecordsAreEscaped() throws {
    let text = try Self.json(Outcome(code: .noError, answers: [try record(#"www.test. TXT "a \"b\"""#)]))
    #expect(text.contains(#""data":"\"a \\\"b\\\"\"""#))
  }

  @Test func aFailureSaysWhy() throws {
    #expect(try Self.json(Outcome(code: .serverFailure, comment: "no answer")).contains(#""Comment":"no answer""#))
  }

  @Test func aTraceTellsEveryStep() throws {
    let script = Script(umass)
    let outcome = try script.resolve("gaia.cs.umass.edu", tracing: true)
    let text = try Self.json(outcome, tracing: true)
    let question = #""question":{"name":"gaia.cs.umass.edu.","type":1}"#
    let ids = script.asked.map(\.id)
    /// A query's step, from its result on.
    func asked(
      _ id: UInt16, _ result: String, zone: String, server: String, flags: String, counts: [Int], _ sections: String
    ) -> String {
      #""result":"\#(result),"zone":"\#(zone)","server":\#(server),"transport":"udp","id":\#(id),"#
        + #""recursion_desired":false,"rtt":0.001000,"rcode":"NOERROR","flags":[\#(flags)],"#
        + #""counts":{"question":\#(counts[0]),"answer":\#(counts[1]),"authority":\#(counts[2]),"#
        + #""additional":\#(counts[3])},\#(sections)}"#
    }
    func record(_ name: String, _ type: Int, _ data: String) -> String {
      #"[{"name":"\#(name)","type":\#(type),"TTL":300,"data":"\#(data)"}]"#
    }
    let steps = [
      #"{"step":1,"kind":"cache","depth":0,\#(question),"at":0.000000,"result":"delegation","detail":"root hints","zone":"."}"#,
      #"{"step":2,"kind":"query","depth":0,\#(question),"at":0.000000,"#
        + asked(
          ids[0], #"referral","detail":"to the servers of edu.""#, zone: ".", server: #""127.0.9.1:5300""#,
          flags: #""qr""#, counts: [1, 0, 1, 1],
          #""Authority":\#(record("edu.", 2, "tld.edu.")),"Additional":\#(record("tld.edu.", 1, "127.0.10.2"))"#),
      #"{"step":3,"kind":"query","depth":0,\#(question),"at":0.001000,"#
        + asked(
          ids[1], #"referral","detail":"to the servers of umass.edu.""#, zone: "edu.",
          server: #""127.0.10.2:5300","server_name":"tld.edu.""#, flags: #""qr""#, counts: [1, 0, 1, 1],
          #""Authority":\#(record("umass.edu.", 2, "dns.umass.edu.")),"#
            + #""Additional":\#(record("dns.umass.edu.", 1, "127.0.11.1"))"#),
      #"{"step":4,"kind":"query","depth":0,\#(question),"at":0.002000,"#
        + asked(
          ids[2], #"answer""#, zone: "umass.edu.", server: #""127.0.11.1:5300","server_name":"dns.umass.edu.""#,
          flags: #""qr","aa""#, counts: [1, 1, 0, 0], #""Answer":\#(record("gaia.cs.umass.edu.", 1, "127.0.50.1"))"#),
    ]
    #expect(text.hasSuffix(#""Trace":[\#(steps.joined(separator: ","))]}"#), "\(text)")
    script.world += 100
    let again = try Self.json(script.resolve("gaia.cs.umass.edu", tracing: true), tracing: true)
    #expect(
      again.hasSuffix(
        #""Trace":[{"step":1,"kind":"cache","depth":0,\#(question),"at":0.000000,"result":"answer","#
          + #""Answer":[{"name":"gaia.cs.umass.edu.","type":1,"TTL":200,"data":"127.0.50.1"}]}]}"#), "\(again)")
  }
}

struct CacheItemTests {
  @Test func anEntryNamesItsLoop() throws {
    let entry = CacheEntry(
      kind: .records, credibility: .answer, records: [try record("a.test. A 127.0.0.1")], stored: 0, expires: 300)
    var item = CacheItem(CacheKey(name: try #require(Name("a.test")), type: 1), entry, bytes: 200, now: 100)
    item.loop = 3
    let text = String(decoding: DNSJSON.cache([item], next: nil, bytes: 200, limit: 1000), as: UTF8.self)
    #expect(text.contains(#""TTL":200,"bytes":200,"loop":3,"data":["127.0.0.1"]"#))
  }
}

struct ForwardRuleTests {
  @Test(arguments: [
    (".=127.0.12.1", "127.0.12.1:5300"), ("corp.test=127.0.12.1:53", "127.0.12.1:53"), (".=::1", "[::1]:5300"),
    (".=[::1]:53", "[::1]:53"),
  ])
  func aRuleNamesAZoneAndAServer(_ text: String, _ server: String) throws {
    let rule = try #require(ForwardRule(text))
    #expect(ForwardRule.forwarders([rule], port: 5300).first?.servers.map(\.description) == [server])
  }

  @Test(arguments: ["", ".", "=127.0.0.1", "a..b=127.0.0.1", ".=host", ".=127.0.0.1:99999"])
  func allElseIsNone(_ text: String) { #expect(ForwardRule(text) == nil) }

  @Test func rulesOfOneZoneShareAForwarder() throws {
    let rules = [".=127.0.0.1", "a.=127.0.0.2", ".=127.0.0.3"].compactMap { ForwardRule($0) }
    #expect(ForwardRule.forwarders(rules, port: 53).map(\.servers.count) == [2, 1])
  }
}

struct ParametersTests {
  @Test(arguments: ["a", "a.b.", "*.a", "_25._tcp.mail.test", "@", "!", "."])
  func aNameIsTakenAsItIsWritten(_ text: String) throws {
    let name = try Parameters.name(text)
    #expect(name.labelCount == text.split(separator: ".").count)
  }

  @Test(arguments: ["", "..", ".a", "a..b", "a b", "a\\.b", "bücher", "a\n"])
  func anythingElseIsNoName(_ text: String) { #expect(throws: (any Error).self) { try Parameters.name(text) } }

  @Test func lengthsAreThoseOfTheRFC() throws {
    let label = String(repeating: "a", count: 63)
    let long = [label, label, label, String(repeating: "a", count: 61)].joined(separator: ".")
    #expect(try Parameters.name(long).wire.count == 255)
    #expect(throws: (any Error).self) { try Parameters.name(long + "a") }
    #expect(throws: (any Error).self) { try Parameters.name(label + "a") }
  }

  @Test func aTypeIsANameOrANumber() throws {
    #expect(try Parameters.type("mx") == .mx)
    #expect(try Parameters.type("TYPE257") == .caa)
    #expect(try Parameters.type("28") == .aaaa)
    for text in ["", "NOSUCH", "65536", "A B", "TYPE99999"] {
      #expect(throws: (any Error).self) { try Parameters.type(text) }
    }
  }
}
