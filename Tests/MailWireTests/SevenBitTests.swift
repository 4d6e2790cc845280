import MailWire
import Testing

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
