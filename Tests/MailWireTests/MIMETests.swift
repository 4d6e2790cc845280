import MailWire
import Testing

/// The letter of RFC 2049 appendix A, with its elided parts filled in.
private let complexLetter = """
  MIME-Version: 1.0
  From: Nathaniel Borenstein <nsb@nsb.fv.com>
  To: Ned Freed <ned@innosoft.com>
  Date: Fri, 07 Oct 1994 16:15:05 -0700 (PDT)
  Subject: A multipart example
  Content-Type: multipart/mixed;
                boundary=unique-boundary-1

  This is the preamble area of a multipart message.
  Mail readers that understand multipart format
  should ignore this preamble.

  --unique-boundary-1

    ... Some text appears here ...
  --unique-boundary-1
  Content-type: text/plain; charset=US-ASCII

  This could have been part of the previous part, but
  illustrates explicit versus implicit typing of body parts.
  --unique-boundary-1
  Content-Type: multipart/parallel; boundary=unique-boundary-2

  --unique-boundary-2
  Content-Type: audio/basic
  Content-Transfer-Encoding: base64

  aGVsbG8=
  --unique-boundary-2
  Content-Type: image/jpeg
  Content-Transfer-Encoding: base64

  d29ybGQ=
  --unique-boundary-2--
  --unique-boundary-1
  Content-type: text/enriched

  This is <bold><italic>enriched.</italic></bold>
  --unique-boundary-1
  Content-Type: message/rfc822

  From: (mailbox in US-ASCII)
  To: (address in US-ASCII)
  Subject: (subject in US-ASCII)
  Content-Type: Text/plain; charset=ISO-8859-1
  Content-Transfer-Encoding: Quoted-printable

    ... Additional text in ISO-8859-1 goes here ... =E9
  --unique-boundary-1--
  epilogue

  """

func crlf(_ text: String) -> [UInt8] {
  Array(text.split(separator: "\n", omittingEmptySubsequences: false).joined(separator: "\r\n").utf8)
}

@Suite struct MIMETests {
  @Test(arguments: [true, false])
  func `the letter of RFC 2049 is taken apart, whichever its line ends`(isCRLF: Bool) {
    let message = ParsedMessage(isCRLF ? crlf(complexLetter) : Array(complexLetter.utf8))
    #expect(message.subject == "A multipart example")
    #expect(message.from.map(\.text) == ["Nathaniel Borenstein <nsb@nsb.fv.com>"])
    #expect(message.date == 781_571_705)
    #expect(
      message.root.parts.map(\.type.value) == [
        "text/plain", "text/plain", "multipart/parallel", "text/enriched", "message/rfc822",
      ])
    #expect(message.text()?.text.hasPrefix("  ... Some text appears here ...\nThis could") == true)
    #expect(message.html() == nil)
    #expect(message.attachments.map(\.type) == ["audio/basic", "image/jpeg", "text/enriched", "message/rfc822"])
    #expect(message.content(of: message.attachments[1]).octets == Array("world".utf8))
    let inner = message.root.parts[4].parts[0]
    #expect(inner.text(of: message.letter).text == "  ... Additional text in ISO-8859-1 goes here ... é")
    #expect(message.problems.isEmpty)
  }

  @Test func `every prefix of a letter is read`() {
    let letter = crlf(complexLetter)
    for end in 0...letter.count {
      let message = ParsedMessage(Array(letter[..<end]))
      _ = (message.text(), message.html(), message.attachments.map { message.content(of: $0).octets.count })
    }
  }

  @Test func `an alternative has its text and its html, a disposition makes an attachment`() {
    let message = ParsedMessage(
      crlf(
        """
        Content-Type: multipart/mixed; boundary="a b"

        --a b
        Content-Type: multipart/alternative; boundary=c

        --c

        plain
        --c
        Content-Type: text/html; charset=utf-8
        Content-Transfer-Encoding: quoted-printable

        <b>h=C3=A9</b>
        --c--
        --a b
        Content-Type: text/plain; name="../../etc/notes.txt"
        Content-Disposition: attachment

        note
        --a b--

        """))
    #expect(message.text()?.text == "plain")
    #expect(message.html()?.text == "<b>hé</b>")
    #expect(message.attachments.map(\.fileName) == ["notes.txt"])
    #expect(message.attachments.map(\.number) == [1])
  }

  @Test(arguments: [
    "Content-Type: multipart/mixed\n\nbody", "Content-Type: multipart/mixed; boundary=x\n\nbody",
    "Content-Type: multipart/mixed; boundary=x\n\n--x\n\nbody", "Content-Type: nonsense\n\nbody",
    "Content-Type: text/plain\nContent-Transfer-Encoding: x-odd\n\nbody",
    "Content-Type: multipart/mixed; boundary=x\nContent-Transfer-Encoding: base64\n\nbody",
  ])
  func `what can't be understood is shown as it stands, with the reason`(letter: String) {
    let message = ParsedMessage(crlf(letter))
    #expect(message.text()?.text == "body")
    #expect(message.problems.count == 1)
  }

  @Test func `depth and number of parts are bounded`() {
    var deep = "x"
    for level in 0..<40 {
      deep = "Content-Type: multipart/mixed; boundary=b\(level)\n\n--b\(level)\n\(deep)\n--b\(level)--\n"
    }
    #expect(ParsedMessage(crlf(deep)).problems.count == 1)
    let wide = "Content-Type: multipart/mixed; boundary=b\n\n" + String(repeating: "--b\n\nx\n", count: 3000)
    let message = ParsedMessage(crlf(wide))
    #expect(message.root.parts.count == MIMEPart.countLimit - 1)
    #expect(!message.problems.isEmpty)
  }

  @Test func `a delimiter needs its whole line`() {
    let message = ParsedMessage(crlf("Content-Type: multipart/mixed; boundary=b\n\n--b  \n\none\n--bc\n --b\n--b--\n"))
    #expect(message.text()?.text == "one\n--bc\n --b")
  }

  @Test func `a text is cut at a whole character`() {
    let message = ParsedMessage(Array("Content-Type: text/plain; charset=utf-8\r\n\r\nééé".utf8))
    #expect(message.text(limit: 3)?.text == "é")
    #expect(message.text(limit: 3)?.problem == nil)
  }

  @Test func `html gives its words`() {
    #expect(
      PlainText.ofHTML("<style>a{}</style><!-- no > --><p>Tom &amp; <b>Jerry</b>&nbsp;&#233;&#x20ac; &foo; 1 < 2")
        == "Tom & Jerry é€ &foo; 1")
  }
}

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

@Suite struct SevenBitTests {
  @Test func `a letter in ASCII stays as it is`() throws {
    let letter = crlf(complexLetter)
    #expect(try SevenBit.convert(letter) == letter)
  }

  @Test func `a bare 8-bit letter becomes MIME`() throws {
    let letter = Array("Subject: x\r\n\r\nGrüße\r\n".utf8)
    #expect(!SevenBit.isSevenBit(letter))
    let converted = try SevenBit.convert(letter)
    #expect(SevenBit.isSevenBit(converted))
    let message = ParsedMessage(converted)
    #expect(message.header.first("MIME-Version") != nil)
    #expect(message.text()?.text == "Grüße\n")
    #expect(message.problems.isEmpty)
  }

  @Test func `each part is converted for itself`() throws {
    var letter = crlf(
      """
      MIME-Version: 1.0
      Content-Type: multipart/mixed; boundary=b
      Content-Transfer-Encoding: 8bit

      --b
      Content-Type: text/plain; charset=utf-8
      Content-Transfer-Encoding: 8bit

      Grüße
      --b
      Content-Type: text/plain

      untouched
      --b
      Content-Type: message/rfc822
      Content-Transfer-Encoding: 8bit

      Subject: inner
      Content-Type: text/plain; charset=utf-8
      Content-Transfer-Encoding: 8bit

      drinnen: ä
      --b
      Content-Type: application/x-octets

      """)
    letter += [0x0D, 0x0A, 0xFF, 0xFE, 0x0D, 0x0A] + Array("--b--\r\n".utf8)
    let before = ParsedMessage(letter)
    let converted = try SevenBit.convert(letter)
    #expect(SevenBit.isSevenBit(converted))
    let after = ParsedMessage(converted)
    #expect(after.problems.isEmpty)
    #expect(after.root.encoding == .sevenBit)
    #expect(after.text()?.text == before.text()?.text)
    #expect(after.root.parts.map(\.encoding) == [.quotedPrintable, .sevenBit, .sevenBit, .base64])
    #expect(after.root.parts[2].parts[0].text(of: converted).text == "drinnen: ä")
    #expect(after.attachments.map { after.content(of: $0).octets.count }.last == 2)
    #expect(after.root.parts[3].content(of: converted).octets == [0xFF, 0xFE])
  }

  @Test func `a line over 998 octets is folded away`() throws {
    let letter = Array(("Subject: x\r\n\r\n" + String(repeating: "a", count: 999) + "\r\n").utf8)
    let converted = try SevenBit.convert(letter)
    #expect(ParsedMessage(converted).text()?.text == String(repeating: "a", count: 999) + "\n")
  }

  @Test(arguments: [
    "Received: from ü\n\nx", "To: ü@x.y\n\nx", "Message-ID: <ü@x>\n\nx", "List-Id: <ü>\n\nx",
    "Content-Type: multipart/signed; boundary=b\n\n--b\n\nü\n--b--\n",
    "Content-Type: multipart/mixed\n\nü", "Content-Transfer-Encoding: base64\n\nü",
    "Content-Type: message/delivery-status\n\nü",
  ])
  func `what would change its meaning is not converted`(letter: String) {
    #expect(throws: SevenBit.Obstacle.self) { try SevenBit.convert(crlf(letter)) }
  }

  @Test func `header fields are encoded where their grammar allows`() throws {
    let letter = crlf(
      """
      Received: by x
      Subject: Grüße an alle, die schon lange keine mehr bekommen haben, und noch einmal Grüße
      From: Alice Bürger <alice@crepes.fr>
      To: bob@hamburger.edu, "Käse, Carol" <carol@hamburger.edu>
      X-Mood: hungrig wie ein Bär
      Content-Type: application/octet-stream; name="Gürkchen.png"
      Content-Disposition: attachment; filename="Gürkchen.png"

      x
      """)
    let converted = try SevenBit.convert(letter)
    #expect(SevenBit.isSevenBit(converted))
    let (before, after) = (ParsedMessage(letter), ParsedMessage(converted))
    #expect(after.subject == before.subject)
    #expect(after.from == before.from && after.to == before.to)
    #expect(after.header.first("X-Mood")?.text == "hungrig wie ein Bär")
    #expect(after.attachments.map(\.fileName) == ["Gürkchen.png"])
    #expect(after.header.fields.map(\.name) == before.header.fields.map(\.name))
    #expect(String(decoding: converted, as: UTF8.self).hasPrefix("Received: by x\r\nSubject:"))
  }

  @Test func `octets of an unknown character set are not given out as a known one`() throws {
    let converted = try SevenBit.convert(Array("Subject: ".utf8) + [0xE9, 0x20, 0x78] + Array("\r\n\r\nx\r\n".utf8))
    #expect(String(decoding: converted, as: UTF8.self) == "Subject: =?unknown-8bit?Q?=E9_x?=\r\n\r\nx\r\n")
  }

  @Test func `a header in UTF-8 is found in parts too`() {
    #expect(!SevenBit.hasUTF8Header(Array("Subject: x\r\n\r\nü\r\n".utf8)))
    #expect(SevenBit.hasUTF8Header(Array("Subject: ü\r\n\r\nx\r\n".utf8)))
    #expect(
      SevenBit.hasUTF8Header(
        crlf("Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Description: ü\n\nx\n--b--\n")))
  }
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
