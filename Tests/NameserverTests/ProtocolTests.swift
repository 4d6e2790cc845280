import DNSWire
import Octets
import Testing

@testable import Nameserver

struct ProtocolTests {
  static func server() throws -> TestServer {
    let many = (1...60).map { "many A 192.0.2.\($0)" }.joined(separator: "\n")
    let servers = (1...20).map { number in
      "big NS \(String(repeating: "n", count: 40))\(number).big\n\(String(repeating: "n", count: 40))\(number).big AAAA 2001:db8::\(number)"
    }
    return try TestServer([("example", many + "\n" + servers.joined(separator: "\n") + "\nwww A 192.0.2.1\n")])
  }

  static func query(_ name: String = "www.example", _ type: RecordType = .a) throws -> Message {
    Message(id: 9, question: Question(name: try #require(Name(name)), type: type))
  }

  @Test func responsesAndFragmentsAreNotAnswered() throws {
    var server = try ProtocolTests.server()
    var message = try ProtocolTests.query()
    message.header.isResponse = true
    #expect(try server.exchange(message.encoded()) == nil)
    let octets = try ProtocolTests.query().encoded()
    for count in 0..<12 { #expect(try server.exchange(Array(octets[..<count])) == nil) }
  }

  @Test func aQueryCutAnywhereIsAFormatError() throws {
    var server = try ProtocolTests.server()
    let octets = try ProtocolTests.query().encoded()
    for count in 12..<octets.count {
      #expect(try server.exchange(Array(octets[..<count]))?.header.responseCode == .formatError)
    }
    #expect(try server.exchange(octets + [0])?.header.responseCode == .formatError)
  }

  @Test func noOctetOfAQueryTrapsTheServer() throws {
    var server = try ProtocolTests.server()
    let octets = try ProtocolTests.query().encoded()
    for index in octets.indices {
      for value in UInt8.min...UInt8.max {
        var broken = octets
        broken[index] = value
        _ = try server.exchange(broken)
      }
    }
  }

  @Test func otherOpcodesAreNotImplementedAndNoOrTwoQuestionsAFormatError() throws {
    var server = try ProtocolTests.server()
    for opcode in [1, 2, 4, 5, 15] as [UInt8] {
      var message = try ProtocolTests.query()
      message.header.opcode = Opcode(rawValue: opcode)
      let response = try server.ask(message)
      #expect(response.header.responseCode == .notImplemented && response.header.opcode.rawValue == opcode)
      #expect(response.questions == message.questions && response.edns != nil)
    }
    var message = try ProtocolTests.query()
    message.questions.append(message.questions[0])
    let two = try server.ask(message)
    #expect(two.header.responseCode == .formatError && two.edns != nil && two.questions.isEmpty)
    message.questions = []
    let response = try server.ask(message)
    #expect(response.header.responseCode == .formatError && response.edns != nil)
  }

  @Test func transfersAndOtherClassesAreRefused() throws {
    var server = try ProtocolTests.server()
    #expect(try server.ask("example", .axfr, over: .tcp).header.responseCode == .refused)
    #expect(try server.ask("example", .ixfr).header.responseCode == .refused)
    #expect(try server.ask("example", RecordType(rawValue: 250)).header.responseCode == .notImplemented)
    var message = try ProtocolTests.query()
    message.questions[0].class = .chaos
    #expect(try server.ask(message).header.responseCode == .refused)
    message.questions[0].class = .any
    #expect(try server.ask(message).summary == "NOERROR | www.example. A 192.0.2.1 |  | ")
  }

  @Test func flagsOfTheQueryAreEchoedAsTheyShould() throws {
    var server = try ProtocolTests.server()
    var message = try ProtocolTests.query()
    message.header.recursionDesired = true
    message.header.checkingDisabled = true
    message.header.authenticData = true
    message.header.reserved = true
    message.header.isAuthoritative = true
    let header = try server.ask(message).header
    #expect(header.flags == 0x8500, "QR, AA and RD")
  }

  @Test func ednsIsAnsweredWithEDNSOnly() throws {
    var server = try ProtocolTests.server()
    var message = try ProtocolTests.query()
    message.edns = EDNS(
      payloadSize: 4096, dnssecOK: true, options: [EDNSOption(code: 10, data: [1, 2, 3, 4, 5, 6, 7, 8])])
    #expect(try server.ask(message).edns == EDNS(payloadSize: 1232, dnssecOK: true))
    message.edns = nil
    #expect(try server.ask(message).edns == nil)
    message.edns = EDNS(version: 1)
    let response = try server.ask(message)
    #expect(response.header.responseCode == .badVersion && response.edns?.version == 0 && response.answers.isEmpty)
  }

  @Test func twoOPTRecordsAndBadOptionsAreFormatErrors() throws {
    var server = try ProtocolTests.server()
    let octets = try ProtocolTests.query().encoded()
    var twice = octets + octets.suffix(11)
    twice[11] = 2
    #expect(try server.exchange(twice)?.header.responseCode == .formatError)
    var options = octets + [0, 10, 0]
    options[octets.count - 1] = 3
    #expect(try server.exchange(options)?.header.responseCode == .formatError)
  }

  @Test func whatDoesNotFitIsTruncatedByUDPAndWholeByTCP() throws {
    var server = try ProtocolTests.server()
    let plain = try server.ask("many.example", edns: nil)
    #expect(plain.header.isTruncated && plain.answers.isEmpty)
    #expect(try server.ask("many.example", edns: EDNS(payloadSize: 512)).header.isTruncated)
    let wide = try server.ask("many.example", edns: EDNS(payloadSize: 4096))
    #expect(!wide.header.isTruncated && wide.answers.count == 60)
    let stream = try server.ask("many.example", edns: nil, over: .tcp)
    #expect(!stream.header.isTruncated && stream.answers.count == 60)
  }

  @Test func noResponseByUDPIsLongerThan1232Octets() throws {
    var server = try ProtocolTests.server()
    for size in stride(from: 0, through: 4096, by: 16) {
      for name in ["many.example", "x.big.example"] {
        var message = try ProtocolTests.query(name)
        message.edns = EDNS(payloadSize: UInt16(size))
        let count = unsafe server.responder.respond(message.encoded().span.bytes, .udp)
        #expect(count <= min(max(512, size), 1232))
      }
    }
  }

  @Test func glueThatDoesNotFitSetsTC() throws {
    var server = try ProtocolTests.server()
    let cut = try server.ask("x.big.example")
    #expect(cut.header.isTruncated && cut.authorities.count == 20 && cut.additionals.count < 20)
    let whole = try server.ask("x.big.example", over: .tcp)
    #expect(!whole.header.isTruncated && whole.additionals.count == 20)
  }
}
