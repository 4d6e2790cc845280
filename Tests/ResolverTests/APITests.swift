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
    #expect(outcome.steps.map(\.result) == [.delegation, .referral, .referral, .answer])
    let text = try Self.json(outcome, tracing: true)
    for part in [
      #""server":"127.0.9.1:5300""#, #""zone":"umass.edu.""#, #""server_name":"dns.umass.edu.""#, #""rcode":"NOERROR""#,
      #""flags":["qr","aa"]"#, #""counts":{"question":1,"answer":0,"authority":1,"additional":1}"#, #""rtt":0.001000"#,
    ] { #expect(text.contains(part)) }
    let again = try script.resolve("gaia.cs.umass.edu", tracing: true)
    #expect(again.steps.map(\.kind) == [.cache])
    #expect(again.steps.map(\.result) == [.answer])
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
