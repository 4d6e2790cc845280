import MailWire
import Testing

@testable import Mail

@Suite struct SMTPSessionTests {
  static let slide = [
    "HELO crepes.fr", "MAIL FROM: <alice@crepes.fr>", "RCPT TO: <bob@hamburger.edu>", "DATA", "Do you like ketchup?",
    "How about pickles?", ".", "QUIT",
  ]

  static let answer = """
    220 hamburger.edu ESMTP\r
    250 Hello crepes.fr, pleased to meet you\r
    250 alice@crepes.fr... Sender ok\r
    250 bob@hamburger.edu... Recipient ok\r
    354 Enter mail, end with "." on a line by itself\r
    250 Message accepted for delivery\r
    221 hamburger.edu closing connection\r

    """

  @Test func theSlidesDialogueGoesAsPrinted() {
    var talk = SMTPTalk()
    for line in Self.slide { talk.send(line) }
    #expect(talk.heard() == Self.answer)
    #expect(talk.stored.map(\.content) == ["Do you like ketchup?\r\nHow about pickles?\r\n"])
    #expect(talk.isClosed)
  }

  @Test func everyCutOfTheInputMeansTheSame() {
    let octets = Array((Self.slide.joined(separator: "\r\n") + "\r\n").utf8)
    for cut in 0...octets.count {
      var talk = SMTPTalk()
      talk.send(octets: Array(octets[..<cut]))
      talk.send(octets: Array(octets[cut...]))
      #expect(talk.heard() == Self.answer)
      #expect(talk.stored.map(\.content) == ["Do you like ketchup?\r\nHow about pickles?\r\n"])
    }
    var talk = SMTPTalk()
    for octet in octets { talk.send(octets: [octet]) }
    #expect(talk.heard() == Self.answer)
  }

  @Test func ehloListsTheExtensionsAndTurnsEnhancedCodesOn() {
    var talk = SMTPTalk(door: SMTPDoor(submission: true))
    talk.send("EHLO crepes.fr", "NOOP")
    let text = talk.heard()
    for word in ["PIPELINING", "SIZE 35000000", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES", "AUTH PLAIN LOGIN"] {
      #expect(text.contains("250-\(word)\r\n"))
    }
    #expect(text.hasSuffix("250 2.0.0 Ok\r\n"))
  }

  @Test func internationalAddressesNeedSMTPUTF8AndOctetsAreKept() {
    var talk = SMTPTalk()
    talk.send(
      "EHLO a", "MAIL FROM:<a@b.c>", "RCPT TO:<b\u{fc}b@h.edu>", "RSET",
      "MAIL FROM:<\u{e9}@b.c> SMTPUTF8 BODY=8BITMIME",
      "RCPT TO:<b\u{fc}b@h.edu>", "DATA", "Subject: caf\u{e9}", ".")
    #expect(talk.codes() == [220, 250, 250, 553, 250, 250, 250, 354, 250])
    #expect(talk.stored.first?.content == "Subject: caf\u{e9}\r\n")
    #expect(talk.stored.first?.envelope.utf8 == true && talk.stored.first?.envelope.eightBit == true)
    #expect(talk.stored.first?.envelope.recipients.first?.local == "b\u{fc}b")
  }

  @Test func aBadRecipientDoesNotSpoilTheGoodOnes() {
    var talk = SMTPTalk()
    talk.verdicts = ["x@hamburger.edu": .unknownUser, "y@elsewhere.org": .relayingDenied, "z@h.edu": .tryLater]
    talk.send(
      "EHLO a", "MAIL FROM:<>", "RCPT TO:<x@hamburger.edu>", "RCPT TO:<bob@hamburger.edu>", "RCPT TO:<y@elsewhere.org>",
      "RCPT TO:<z@h.edu>", "RCPT TO:<bob@hamburger.edu>", "DATA")
    let text = talk.heard()
    #expect(text.contains("550 5.1.1 x@hamburger.edu"))
    #expect(text.contains("550 5.7.1 y@elsewhere.org"))
    #expect(text.contains("451 4.3.0 z@h.edu"))
    talk.send("hello", ".")
    #expect(talk.codes() == [250])
    #expect(talk.stored.first?.envelope.recipients.map(\.description) == ["bob@hamburger.edu"])
    #expect(talk.stored.first?.envelope.sender == nil)
  }

  @Test func manyBadRecipientsDoNotEndTheLetterOfAGoodOne() {
    var talk = SMTPTalk()
    talk.verdicts = ["x@h.edu": .unknownUser]
    talk.send("EHLO a", "MAIL FROM:<a@b.c>", "RCPT TO:<bob@h.edu>")
    for _ in 0..<300 { talk.send("RCPT TO:<x@h.edu>", "RCPT TO:<>", "RCPT TO:x") }
    talk.send("DATA", "hello", ".")
    #expect(talk.codes().suffix(3) == [501, 354, 250])
    #expect(talk.stored.count == 1)
  }

  @Test func refusalsAreCountedInARow() {
    var talk = SMTPTalk(limits: SMTPLimits(refusals: 3))
    talk.verdicts = ["x@h.edu": .unknownUser]
    for _ in 0..<5 {
      talk.send("HELO a", "MAIL FROM:<a@b.c>", "RCPT TO:<x@h.edu>", "RCPT TO:<x@h.edu>", "RCPT TO:<bob@h.edu>", "RSET")
    }
    #expect(!talk.isClosed)
    talk.send("MAIL FROM:<a@b.c>", "RCPT TO:<x@h.edu>", "RCPT TO:<x@h.edu>", "RCPT TO:<x@h.edu>")
    #expect(talk.codes().suffix(2) == [550, 421])
    #expect(talk.isClosed)
  }

  /// RFC 2034 §4: all but the greeting, the answer to EHLO and HELO, and what only asks for more.
  @Test func everyReplyHasAnEnhancedCodeOfItsClass() {
    var talk = SMTPTalk(door: SMTPDoor(submission: true), limits: SMTPLimits(size: 100, recipients: 2, errors: 1000))
    talk.verdicts = ["x@h.edu": .unknownUser, "y@z.org": .relayingDenied, "later@h.edu": .tryLater]
    talk.send("EHLO a")
    _ = talk.heard()
    talk.send(
      "HELP", "VRFY bob", "VRFY", "EXPN x", "NOOP", "NONSENSE", "STARTTLS", "RCPT TO:<a@h.edu>", "DATA",
      "MAIL FROM:<a@b.c>", "AUTH PLAIN !", "AUTH X", "AUTH", "AUTH PLAIN AGFsaWNlAGE=",
      "AUTH PLAIN AGFsaWNlQGNyZXBlcy5mcgBrZXRjaHVw", "AUTH PLAIN =", "MAIL", "MAIL FROM:<", "MAIL FROM:<bob@h.edu>",
      "MAIL FROM:<> SIZE=1000", "MAIL FROM:<> X=1", "MAIL FROM:<>", "MAIL FROM:<>", "RCPT", "RCPT TO:<>", "DATA",
      "RCPT TO:<x@h.edu>", "RCPT TO:<y@z.org>", "RCPT TO:<later@h.edu>", "RCPT TO:<a@h.edu> X", "RCPT TO:<a@h.edu>",
      "RCPT TO:<b@h.edu>", "RCPT TO:<c@h.edu>", "DATA x", "DATA", String(repeating: "x", count: 200), ".", "RSET",
      String(repeating: "x", count: 5000), "QUIT")
    let lines = talk.heard().split(separator: "\r\n").filter { $0.first != "3" }
    #expect(lines.count > 35)
    for line in lines {
      let status = line.dropFirst(4).split(separator: " ").first.flatMap { EnhancedStatus(Array($0.utf8)) }
      #expect(status.map { Character("\($0.kind)") } == line.first, "\(line)")
    }
  }

  @Test(arguments: ["EHLO", "EHLO a b", "HELO <x>", "EHLO caf\u{e9}.fr"])
  func aBadNameIsRefusedWithoutAnEnhancedCode(line: String) {
    var talk = SMTPTalk()
    talk.send("EHLO a")
    _ = talk.heard()
    talk.send(line)
    #expect(talk.heard().hasPrefix("501 Say "))
  }

  @Test func dataWithoutARecipientIsRefused() {
    var talk = SMTPTalk()
    talk.verdicts = ["x@h.edu": .unknownUser]
    talk.send("EHLO a", "DATA", "MAIL FROM:<a@b.c>", "RCPT TO:<x@h.edu>", "DATA", "RSET", "DATA")
    #expect(talk.codes() == [220, 250, 503, 250, 550, 554, 250, 503])
  }

  @Test func tooManyRecipientsArePutOff() {
    var talk = SMTPTalk(limits: SMTPLimits(recipients: 2))
    talk.send("EHLO a", "MAIL FROM:<a@b.c>", "RCPT TO:<1@h.edu>", "RCPT TO:<2@h.edu>", "RCPT TO:<3@h.edu>")
    #expect(talk.heard().hasSuffix("452 4.5.3 Too many recipients; send the rest in another transaction\r\n"))
  }

  @Test(arguments: [
    ("MAIL FROM:<a@b.c> SIZE=35000001", "552 5.3.4"), ("MAIL FROM:<a@b.c> SIZE=99999999999999999999", "552 5.3.4"),
    ("MAIL FROM:<a@b.c> SIZE=x", "501 5.5.4"), ("MAIL FROM:<a@b.c> SIZE=1 SIZE=1", "501 5.5.4"),
    ("MAIL FROM:<a@b.c> BODY=9BIT", "501 5.5.4"), ("MAIL FROM:<a@b.c> COLOUR=red", "555 5.5.4"),
    ("MAIL FROM:<\u{e9}@b.c>", "553 5.6.7"), ("MAIL FROM:a@b.c", "501 5.1.7"), ("MAIL <a@b.c>", "501 5.5.4"),
    ("MAIL FROM:<a@b.c> SIZE=10 BODY=8BITMIME SMTPUTF8", "250 2.1.0"), ("MAIL FROM:<\"a b\"@b.c>", "250 2.1.0"),
    ("mail from:<a@b.c>", "250 2.1.0"), ("MAIL FROM:<@x.org,@y.org:a@b.c>", "250 2.1.0"),
  ])
  func mailParameters(line: String, reply: String) {
    var talk = SMTPTalk()
    talk.send("EHLO a")
    _ = talk.heard()
    talk.send(line)
    #expect(talk.heard().hasPrefix(reply))
  }

  @Test func postmasterNeedsNoDomain() {
    var talk = SMTPTalk()
    talk.send("HELO a", "MAIL FROM:<a@b.c>", "RCPT TO:<Postmaster>", "RCPT TO:<bob>")
    #expect(talk.codes() == [220, 250, 250, 250, 501])
  }

  @Test func theCaseOfALocalPartIsKept() {
    var talk = SMTPTalk()
    talk.send("HELO a", "MAIL FROM:<a@b.c>", "RCPT TO:<\"Bob the B\"@Hamburger.EDU>", "DATA", "x", ".")
    #expect(talk.stored.first?.envelope.recipients.first?.local == "Bob the B")
  }

  @Test func ehloForgetsTheLetterThatWasBegun() {
    var talk = SMTPTalk()
    talk.send(
      "EHLO a", "MAIL FROM:<a@b.c>", "RCPT TO:<b@h.edu>", "EHLO a", "DATA", "MAIL FROM:<a@b.c>", "MAIL FROM:<a@b.c>")
    #expect(talk.codes() == [220, 250, 250, 250, 250, 503, 250, 503])
  }

  @Test func aRunOfErrorsEndsTheSession() {
    var talk = SMTPTalk()
    for _ in 0..<9 { talk.send("NONSENSE") }
    talk.send("NOOP")
    #expect(talk.session.mistakes == 9)
    for _ in 0..<10 { talk.send("NONSENSE") }
    talk.send("NOOP")
    #expect(talk.codes().suffix(3) == [500, 500, 421])
    #expect(talk.isClosed)
  }

  @Test func aBrowserIsSentAway() {
    var talk = SMTPTalk()
    talk.send("POST / HTTP/1.1", "Host: x", "MAIL FROM:<a@b.c>")
    #expect(talk.codes() == [220, 421])
    #expect(talk.isClosed)
  }

  @Test func linesThatEndInLFAreRefusedWithAHint() {
    var talk = SMTPTalk()
    talk.send(octets: Array("HELO crepes.fr\nHELO a\rb\r\n".utf8))
    let hint = "500 lines end in CRLF; use telnet or nc -C\r\n"
    #expect(talk.heard() == "220 hamburger.edu ESMTP\r\n" + hint + hint)
  }

  @Test func aLineTooLongIsRefusedOnce() {
    var talk = SMTPTalk()
    talk.send(octets: Array(repeating: 0x41, count: 9000))
    talk.send(octets: Array(repeating: 0x41, count: 9000) + Array("\r\nNOOP\r\n".utf8))
    #expect(talk.codes() == [220, 500, 250])
  }

  @Test func helpVrfyAndTheRest() {
    var talk = SMTPTalk()
    talk.send("HELP", "VRFY bob", "VRFY", "EXPN list", "STARTTLS", "HELO", "MAIL FROM:<a@b.c>", "BDAT 5 LAST")
    #expect(talk.codes() == [220, 214, 252, 501, 502, 502, 501, 503, 502])
  }

  @Test func storageFailuresAreTold() {
    for (verdict, code) in [(StorageVerdict.loop, 554), (.nobodyLeft, 550), (.full, 452), (.failed, 451)] {
      var talk = SMTPTalk()
      talk.storage = verdict
      talk.send("HELO a", "MAIL FROM:<a@b.c>", "RCPT TO:<b@h.edu>", "DATA", "x", ".", "MAIL FROM:<a@b.c>")
      #expect(talk.codes().suffix(2) == [code, 250])
    }
  }

  @Test func nothingIsReadWhileALetterIsStored() {
    var session = SMTPSession(hostname: "h")
    session.receive(Array("HELO a\r\nMAIL FROM:<a@b.c>\r\nRCPT TO:<b@h.edu>\r\nDATA\r\nx\r\n.\r\nNOOP\r\n".utf8))
    var kinds: [String] = []
    while let action = session.next() {
      if case .ask(.verify) = action { session.recipient(.accepted) }
      if case .ask(.store) = action { kinds.append("store") }
    }
    #expect(kinds == ["store"])
    #expect(session.next() == nil)
    session.stored(.accepted(note: ""))
    #expect(session.next() == .reply(Array("250 Message accepted for delivery\r\n".utf8)))
    #expect(session.next() == .reply(Array("250 Ok\r\n".utf8)))
  }
}
