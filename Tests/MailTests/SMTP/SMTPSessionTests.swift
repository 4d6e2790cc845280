import MailWire
import Testing

@testable import Mail

/// A client that says its lines and a loop that answers at once: everything the session replied, and what it stored.
struct SMTPTalk {
  var session: SMTPSession
  var text = ""
  var stored: [(envelope: SMTPEnvelope, content: String)] = []
  var isClosed = false
  var verdicts: [String: RecipientVerdict] = [:]
  var storage = StorageVerdict.accepted(note: "")
  var login = SMTPLogin.accepted(owner: MailAddress("alice@crepes.fr"))

  init(door: SMTPDoor = SMTPDoor(), limits: SMTPLimits = SMTPLimits()) {
    session = SMTPSession(hostname: "hamburger.edu", door: door, limits: limits)
    drain()
  }

  mutating func send(_ lines: String...) {
    send(octets: Array((lines.joined(separator: "\r\n") + "\r\n").utf8))
  }

  mutating func send(octets: [UInt8]) {
    session.receive(octets)
    drain()
  }

  mutating func drain() {
    while let action = session.next() {
      switch action {
      case .reply(let octets): text += String(decoding: octets, as: UTF8.self)
      case .flush: break
      case .ask(.verify(let address, _)): session.recipient(verdicts[address.description] ?? .accepted)
      case .ask(.authenticate(let user, let password)):
        session.authenticated(user == "alice@crepes.fr" && password == "ketchup" ? login : .denied)
      case .ask(.store(let letter)):
        stored.append((letter.envelope, String(decoding: letter.content, as: UTF8.self)))
        session.stored(storage)
      case .close: isClosed = true
      }
    }
  }

  /// What was replied since the last call.
  mutating func heard() -> String {
    defer { text = "" }
    return text
  }

  /// The codes alone.
  mutating func codes() -> [Int] {
    heard().split(separator: "\r\n").filter { $0.dropFirst(3).first != "-" }.compactMap { Int($0.prefix(3)) }
  }
}

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

  @Test func everyCutOfAnAuthenticatedDialogueMeansTheSame() {
    let lines = [
      "EHLO crepes.fr", "AUTH PLAIN", "AGFsaWNlAGE=", "AUTH LOGIN", "YWxpY2VAY3JlcGVzLmZy", "a2V0Y2h1cA==",
      "MAIL FROM:<alice@crepes.fr> SIZE=10 BODY=8BITMIME", "RCPT TO:<bob@hamburger.edu>", "DATA", "..x", ".", "QUIT",
    ]
    let octets = Array((lines.joined(separator: "\r\n") + "\r\n").utf8)
    var whole = SMTPTalk(door: SMTPDoor(submission: true))
    whole.send(octets: octets)
    let answer = whole.heard()
    #expect(answer.contains("535 5.7.8 ") && answer.contains("235 2.7.0 ") && answer.contains("250 2.0.0 Message"))
    for cut in 0...octets.count {
      var talk = SMTPTalk(door: SMTPDoor(submission: true))
      talk.send(octets: Array(octets[..<cut]))
      talk.send(octets: Array(octets[cut...]))
      #expect(talk.heard() == answer)
      #expect(talk.stored.map(\.content) == [".x\r\n"])
    }
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

  @Test func passwordsAreForTheSubmissionPort() {
    var talk = SMTPTalk()
    talk.send("EHLO crepes.fr", "AUTH PLAIN AGFsaWNlAGE=")
    #expect(!talk.text.contains("AUTH PLAIN"))
    #expect(talk.codes() == [220, 250, 502])
  }

  @Test func authPlainWithAndWithoutInitialResponse() {
    var talk = SMTPTalk(door: SMTPDoor(submission: true))
    talk.send("EHLO a", "MAIL FROM:<alice@crepes.fr>", "AUTH PLAIN AGFsaWNlQGNyZXBlcy5mcgB3cm9uZw==")
    #expect(talk.codes() == [220, 250, 530, 535])
    talk.send("AUTH PLAIN", "AGFsaWNlQGNyZXBlcy5mcgBrZXRjaHVw", "AUTH PLAIN AA==", "MAIL FROM:<alice@crepes.fr>")
    #expect(talk.codes() == [334, 235, 503, 250])
  }

  @Test func authLoginAsksForNameAndPassword() {
    var talk = SMTPTalk(door: SMTPDoor(submission: true))
    talk.send("EHLO a", "AUTH LOGIN", "YWxpY2VAY3JlcGVzLmZy", "a2V0Y2h1cA==")
    #expect(talk.heard().hasSuffix("334 VXNlcm5hbWU6\r\n334 UGFzc3dvcmQ6\r\n235 2.7.0 Authentication successful\r\n"))
    #expect(talk.session.transport == "ESMTPA")
  }

  @Test(arguments: [("*", 501), ("!!!", 501), ("AA==", 501), ("AABh", 501)])
  func aBrokenAuthExchangeEndsInAnError(answer: String, code: Int) {
    var talk = SMTPTalk(door: SMTPDoor(submission: true))
    talk.send("EHLO a", "AUTH PLAIN", answer, "NOOP")
    #expect(talk.codes() == [220, 250, 334, code, 250])
  }

  @Test func noPasswordWhereOthersMayListen() {
    var talk = SMTPTalk(door: SMTPDoor(submission: true, passwordsAllowed: false))
    talk.send("EHLO a", "AUTH LOGIN")
    #expect(talk.codes() == [220, 250, 538])
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

  @Test(arguments: [
    ("<alice@crepes.fr>", "250 2.1.0"), ("<Alice@CREPES.fr>", "250 2.1.0"), ("<>", "250 2.1.0"),
    ("<bob@hamburger.edu>", "553 5.7.1"), ("<alice@hamburger.edu>", "553 5.7.1"), ("<alice+x@crepes.fr>", "553 5.7.1"),
  ])
  func whoLoggedInSendsInTheirOwnName(path: String, reply: String) {
    var talk = SMTPTalk(door: SMTPDoor(submission: true))
    talk.send("EHLO a", "AUTH PLAIN AGFsaWNlQGNyZXBlcy5mcgBrZXRjaHVw")
    _ = talk.heard()
    talk.send("MAIL FROM:\(path)")
    #expect(talk.heard().hasPrefix(reply))
  }

  @Test func catchModeTakesEverySender() {
    var talk = SMTPTalk(door: SMTPDoor(catchesAll: true))
    talk.login = .accepted(owner: nil)
    talk.send("EHLO a", "AUTH PLAIN AGFsaWNlQGNyZXBlcy5mcgBrZXRjaHVw", "MAIL FROM:<who@ever.org>")
    #expect(talk.codes() == [220, 250, 235, 250])
  }

  @Test func guessesAreCountedOverTheWholeSession() {
    var talk = SMTPTalk(door: SMTPDoor(submission: true))
    talk.send("EHLO a")
    for _ in 0..<5 { talk.send("AUTH PLAIN AGFsaWNlAGE=", "NOOP") }
    #expect(talk.codes().suffix(4) == [535, 250, 535, 421])
    #expect(talk.isClosed)
  }

  @Test(arguments: [
    (SMTPLogin.denied, "535 5.7.8"), (.tooMany, "454 4.7.0"), (.failed, "454 4.7.0"),
    (.accepted(owner: nil), "235 2.7.0"),
  ])
  func aLoginsOutcomeIsTold(login: SMTPLogin, reply: String) {
    var talk = SMTPTalk(door: SMTPDoor(submission: true))
    talk.login = login
    talk.send("EHLO a")
    _ = talk.heard()
    talk.send("AUTH PLAIN AGFsaWNlQGNyZXBlcy5mcgBrZXRjaHVw")
    #expect(talk.heard().hasPrefix(reply))
  }

  @Test(arguments: [
    // alice for bob; alice as herself; a password that is no UTF-8.
    ("Ym9iAGFsaWNlQGNyZXBlcy5mcgBrZXRjaHVw", 535), ("YWxpY2VAY3JlcGVzLmZyAGFsaWNlQGNyZXBlcy5mcgBrZXRjaHVw", 235),
    ("AGFsaWNlQGNyZXBlcy5mcgD/", 501),
  ])
  func plainHasAnAuthorityAndText(response: String, code: Int) {
    var talk = SMTPTalk(door: SMTPDoor(submission: true))
    talk.send("EHLO a", "AUTH PLAIN \(response)")
    #expect(talk.codes() == [220, 250, code])
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
    for (verdict, code) in [(StorageVerdict.loop, 554), (.full, 452), (.failed, 451)] {
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
