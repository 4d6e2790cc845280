import MailWire
import Testing

@Suite struct ReplyTests {
  @Test func `a reply of several lines is written with hyphens but for the last`() {
    let reply = SMTPReply(250, ["mail.crepes.fr", "PIPELINING", "SIZE 1000"])
    #expect(String(decoding: reply.bytes, as: UTF8.self) == "250-mail.crepes.fr\r\n250-PIPELINING\r\n250 SIZE 1000\r\n")
    let status = SMTPReply(550, EnhancedStatus(5, 1, 1), "no such user")
    #expect(String(decoding: status.bytes, as: UTF8.self) == "550 5.1.1 no such user\r\n")
  }

  @Test func `no text can forge a line`() {
    let reply = SMTPReply(250, "a\r\n550 b")
    #expect(String(decoding: reply.bytes, as: UTF8.self) == "250 a  550 b\r\n")
  }

  static let dialogue =
    "220 hi\r\n250-one\r\n250-two\r\n250 three\r\n550-5.1.1 no\r\n550 5.1.1 such user\r\n354\r\n250 2.0.0\r\n"
  static let replies = [
    SMTPReply(220, "hi"), SMTPReply(250, ["one", "two", "three"]),
    SMTPReply(550, EnhancedStatus(5, 1, 1), ["no", "such user"]), SMTPReply(354, ""),
    SMTPReply(250, EnhancedStatus(2, 0, 0), ""),
  ]

  @Test func `replies are read whatever the pieces`() throws {
    let octets = Array(Self.dialogue.utf8)
    for split in 0...octets.count {
      var parser = SMTPReplyParser()
      var found: [SMTPReply] = []
      for piece in [octets[..<split], octets[split...]] {
        parser.append(piece)
        while let reply = try parser.next() { found.append(reply) }
      }
      #expect(found == Self.replies)
      #expect(parser.isEmpty)
    }
  }

  @Test(arguments: ["hello\r\n", "25\r\n", "199 x\r\n", "600 x\r\n", "250x\r\n", "+50 x\r\n"])
  func `what is no reply is an error`(line: String) {
    var parser = SMTPReplyParser()
    parser.append(Array(line.utf8))
    #expect(throws: SMTPReplyError.self) { try parser.next() }
  }

  @Test func `a reply is bounded`() {
    var parser = SMTPReplyParser()
    parser.append([UInt8](repeating: 0x32, count: 3000))
    #expect(throws: SMTPReplyError.tooLong) { try parser.next() }
    var many = SMTPReplyParser()
    many.append(Array(String(repeating: "250-x\r\n", count: 300).utf8))
    #expect(throws: SMTPReplyError.tooLong) { try many.next() }
  }

  @Test func `the lines of a reply have one code`() {
    var parser = SMTPReplyParser()
    parser.append(Array("250-a\r\n251 b\r\n".utf8))
    #expect(throws: SMTPReplyError.codesDiffer) { try parser.next() }
  }

  @Test func `an enhanced status of another class is text`() throws {
    var parser = SMTPReplyParser()
    parser.append(Array("250 5.1.1 odd\n".utf8))
    #expect(try parser.next() == SMTPReply(250, "5.1.1 odd"))
  }

  @Test(arguments: ["2.0.0", "4.7.28", "5.999.999"])
  func `an enhanced status is read and written`(text: String) {
    #expect(EnhancedStatus(text.utf8)?.description == text)
  }

  @Test(arguments: ["3.0.0", "2.0", "2.0.0.0", "2.00.1", "5.1000.1", "a.b.c", "", "5.1.-1"])
  func `what is no enhanced status is refused`(text: String) {
    #expect(EnhancedStatus(text.utf8) == nil)
  }
}

@Suite struct DotStuffingTests {
  @Test(arguments: [
    ("Hi\r\n", "Hi\r\n.\r\n"),
    ("Hi", "Hi\r\n.\r\n"),
    ("Hi\r", "Hi\r\n.\r\n"),
    ("", ".\r\n"),
    (".\r\n", "..\r\n.\r\n"),
    ("a\r\n.b\r\n..c\r\n", "a\r\n..b\r\n...c\r\n.\r\n"),
    ("a.b\r\n.", "a.b\r\n..\r\n.\r\n"),
  ])
  func `a letter is stuffed whatever the pieces`(letter: String, wire: String) {
    let octets = Array(letter.utf8)
    for split in 0...octets.count {
      var stuffer = DotStuffer()
      var output: [UInt8] = []
      stuffer.encode(octets.span.extracting(0..<split), into: &output)
      stuffer.encode(octets.span.extracting(split..<octets.count), into: &output)
      stuffer.finish(into: &output)
      #expect(String(decoding: output, as: UTF8.self) == wire)
    }
  }
}
