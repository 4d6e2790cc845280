import MailWire
import Testing

@Suite struct BuilderTests {
  private func builder() throws -> MessageBuilder {
    let alice = try #require(NamedAddress("Alice <alice@crepes.fr>"))
    return MessageBuilder(from: [alice], date: 1_795_431_600, messageID: "<1.a@crepes.fr>")
  }

  private func written(_ builder: MessageBuilder) -> [UInt8] {
    var generator = Generator()
    let letter = builder.encoded(using: &generator)
    #expect(letter.allSatisfy { $0 < 0x80 })
    #expect(String(decoding: letter, as: UTF8.self).utf8.split(separator: 0x0A).allSatisfy { $0.count <= 79 })
    #expect(letter.elementsEqual(crlf(String(decoding: letter, as: UTF8.self).replacingCRLF)))
    return letter
  }

  struct Generator: RandomNumberGenerator {
    var state: UInt64 = 1
    mutating func next() -> UInt64 {
      state = state &* 6_364_136_223_846_793_005 &+ 1
      return state
    }
  }

  @Test func `a plain letter is plain`() throws {
    var builder = try builder()
    builder.to = [try #require(NamedAddress("bob@hamburger.edu"))]
    builder.subject = "Dinner"
    builder.text = "Do you like ketchup?\nHow about pickles?"
    #expect(
      String(decoding: written(builder), as: UTF8.self) == """
        Date: Mon, 23 Nov 2026 11:00:00 +0000\r
        From: Alice <alice@crepes.fr>\r
        To: bob@hamburger.edu\r
        Subject: Dinner\r
        Message-ID: <1.a@crepes.fr>\r
        MIME-Version: 1.0\r
        Content-Type: text/plain; charset=us-ascii\r
        \r
        Do you like ketchup?\r
        How about pickles?\r

        """)
  }

  @Test(arguments: [
    "", "plain", "Grüße\nan alle\n", String(repeating: "long ", count: 100), "From here\n.\n", "日本語", "tail \nx",
    "a\tb",
  ])
  func `text, html and files come back as they went in`(text: String) throws {
    var builder = try builder()
    builder.subject = "Ünïcode \(text.prefix(5).filter { $0 != "\n" && $0 != "\t" })"
    builder.text = text
    builder.html = "<p>\(text)</p><img src=cid:pic>"
    builder.attachments = [
      .init(fileName: "é \"1\".bin", type: "application/x-thing", content: Array(0...255)),
      .init(fileName: "pic.png", type: "image/png", content: [1, 2, 3], contentID: "pic"),
      .init(fileName: nil, type: "not a type", content: []),
      .init(fileName: "old.eml", type: "message/rfc822", content: Array("Subject: x\r\n\r\nhi\r\n".utf8)),
    ]
    let message = ParsedMessage(written(builder))
    #expect(message.problems.isEmpty)
    #expect(message.subject == builder.subject)
    let ended = text.isEmpty || text.hasSuffix("\n") ? text : text + "\n"
    #expect(message.text()?.text == ended)
    #expect(message.html()?.text == "<p>\(text)</p><img src=cid:pic>\n")
    #expect(message.attachments.map(\.fileName) == ["pic.png", "é \"1\".bin", nil, "old.eml"])
    #expect(message.attachments.map(\.isInline) == [true, false, false, false])
    #expect(message.attachments[0].contentID == "pic")
    #expect(message.content(of: message.attachments[1]).octets == Array(0...255))
    #expect(message.attachments[2].type == "application/octet-stream")
    #expect(message.content(of: message.attachments[3]).octets == Array("Subject: x\r\n\r\nhi\r\n".utf8))
  }

  @Test func `further fields can't forge the builder's own`() throws {
    #expect(MessageBuilder.isFreeField("X-Test"))
    for name in ["From", "content-type", "Bcc", "a b", "a:", "", "Ünï"] { #expect(!MessageBuilder.isFreeField(name)) }
    var builder = try builder()
    builder.fields = [("X-Test", "a\r\nBcc: b"), ("Bcc", "c@d")]
    let header = HeaderBlock(written(builder))
    #expect(header.first("X-Test")?.text == "a  Bcc: b")
    #expect(header.first("Bcc") == nil)
  }
}

extension String {
  var replacingCRLF: String { String(String.UnicodeScalarView(unicodeScalars.filter { $0 != "\r" })) }
}

@Suite struct DeliveryReportTests {
  @Test func `a report is a multipart of three parts`() throws {
    let alice = try #require(MailAddress("alice@crepes.fr"))
    let bob = try #require(MailAddress("bob@hamburger.edu"))
    let jörg = try #require(MailAddress("jörg@hamburger.edu"))
    var failed = DeliveryReport.Recipient(bob, .failed, EnhancedStatus(5, 1, 1))
    failed.remoteHost = "mail.hamburger.edu"
    failed.diagnostic = SMTPReply(550, EnhancedStatus(5, 1, 1), ["no such user", "here: ü"])
    failed.lastAttempt = 1_795_431_600
    var late = DeliveryReport.Recipient(jörg, .failed, EnhancedStatus(4, 4, 7))
    late.reason = "No host answered for 5 days."
    var report = DeliveryReport(
      reportingHost: "mail.crepes.fr", to: alice, recipients: [failed, late],
      original: Array("Subject: Grüße\r\nMessage-ID: <1@crepes.fr>\r\n\r\nsecret body".utf8), date: 1_795_431_700,
      messageID: "<2@mail.crepes.fr>")
    report.envelopeID = "QQ314159"
    report.arrival = 1_795_431_500
    var generator = BuilderTests.Generator()
    let letter = report.encoded(using: &generator)
    #expect(SevenBit.isSevenBit(letter))
    let message = ParsedMessage(letter)
    #expect(message.problems.isEmpty)
    #expect(message.root.type.value == "multipart/report")
    #expect(message.root.type["report-type"] == "delivery-status")
    #expect(message.root.parts.map(\.type.value) == ["text/plain", "message/delivery-status", "text/rfc822-headers"])
    #expect(message.to.map(\.raw) == ["alice@crepes.fr"])
    #expect(message.references == ["<1@crepes.fr>"])
    #expect(message.header.first("Auto-Submitted")?.text == "auto-replied")
    #expect(message.text()?.text.contains("550 5.1.1 no such user here: ü") == true)
    let status = message.root.parts[1].text(of: letter).text
    let groups = status.split(separator: "\n\n").map { HeaderBlock(Array(($0 + "\n").utf8)) }
    try #require(groups.count == 3)
    #expect(groups[0].fields.map(\.name) == ["Reporting-MTA", "Original-Envelope-Id", "Arrival-Date"])
    #expect(groups[1].first("Final-Recipient")?.text == "rfc822; bob@hamburger.edu")
    #expect(groups[1].first("Action")?.text == "failed")
    #expect(groups[1].first("Status")?.text == "5.1.1")
    #expect(groups[1].first("Remote-MTA")?.text == "dns; mail.hamburger.edu")
    #expect(groups[1].first("Diagnostic-Code")?.text == "smtp; 550 5.1.1 no such user here: \\x{FC}")
    #expect(groups[2].first("Final-Recipient")?.text == "utf-8; j\\x{F6}rg@hamburger.edu")
    #expect(groups[2].first("Status")?.text == "4.4.7")
    let original = message.root.parts[2].text(of: letter).text
    #expect(original == "Subject: Grüße\nMessage-ID: <1@crepes.fr>\n")
  }
}
