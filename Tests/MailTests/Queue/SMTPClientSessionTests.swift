import MailWire
import Testing

@testable import Mail

@Suite struct SMTPClientSessionTests {
  static func letter(_ recipients: String..., content: String = "Subject: x\r\n\r\n.hi\r\n") -> Consignment {
    Consignment(
      sender: MailAddress("alice@crepes.fr"), recipients: recipients.compactMap { MailAddress($0) },
      content: Array(content.utf8))
  }

  static func ready(_ extensions: String...) -> SMTPClientSession {
    var session = SMTPClientSession(hostname: "crepes.fr")
    session.receive(Array("220 hamburger.edu\r\n".utf8))
    _ = session.takeOutput()
    let lines = ["hamburger.edu"] + extensions
    for (index, line) in lines.enumerated() {
      session.receive(Array("250\(index + 1 == lines.count ? " " : "-")\(line)\r\n".utf8))
    }
    return session
  }

  static func output(_ session: inout SMTPClientSession) -> String {
    String(decoding: session.takeOutput(), as: UTF8.self)
  }

  static func say(_ session: inout SMTPClientSession, _ text: String) {
    session.receive(Array((text + "\r\n").utf8))
  }

  @Test func withoutPipeliningOneCommandAtATime() {
    var session = SMTPClientSession(hostname: "crepes.fr")
    var said: [String] = []
    var isBegun = false
    for reply in ["220 hi", "500 what", "250 hello", "250 ok", "250 ok", "250 ok", "354 go", "250 taken", "221 bye"] {
      Self.say(&session, reply)
      if session.phase == .ready && !isBegun {
        isBegun = true
        session.begin(Self.letter("bob@hamburger.edu", "eve@hamburger.edu"))
      } else if session.phase == .ready {
        #expect(session.takeVerdicts()?.map(\.kind) == [.delivered, .delivered])
        session.quit()
      }
      said.append(Self.output(&session))
    }
    #expect(
      said == [
        "EHLO crepes.fr\r\n", "HELO crepes.fr\r\n", "MAIL FROM:<alice@crepes.fr>\r\n",
        "RCPT TO:<bob@hamburger.edu>\r\n", "RCPT TO:<eve@hamburger.edu>\r\n", "DATA\r\n",
        "Subject: x\r\n\r\n..hi\r\n.\r\n", "QUIT\r\n", "",
      ])
    #expect(session.phase == .closed)
  }

  @Test func withPipeliningEverythingUpToDataAtOnce() {
    var session = Self.ready("PIPELINING", "SIZE 1000", "8BITMIME")
    session.begin(Self.letter("bob@h.edu", "no@h.edu"))
    #expect(
      Self.output(&session)
        == "MAIL FROM:<alice@crepes.fr> SIZE=19\r\nRCPT TO:<bob@h.edu>\r\nRCPT TO:<no@h.edu>\r\nDATA\r\n")
    let replies = Array("250 ok\r\n250 ok\r\n550 5.1.1 no\r\n354 go\r\n".utf8)
    for cut in 0...replies.count {
      var copy = session
      copy.receive(Array(replies[..<cut]))
      copy.receive(Array(replies[cut...]))
      #expect(Self.output(&copy) == "Subject: x\r\n\r\n..hi\r\n.\r\n")
      #expect(copy.takeVerdicts() == nil)
      Self.say(&copy, "250 2.0.0 taken")
      let verdicts = copy.takeVerdicts()
      #expect(verdicts?.map(\.kind) == [.delivered, .refused])
      #expect(verdicts?.map(\.status) == [EnhancedStatus(2, 0, 0), EnhancedStatus(5, 1, 1)])
    }
  }

  @Test func a354ForNobodyGetsAnEmptyLetter() {
    var session = Self.ready("PIPELINING")
    session.begin(Self.letter("no@h.edu"))
    _ = session.takeOutput()
    for reply in ["250 ok", "550 no", "354 go"] { Self.say(&session, reply) }
    #expect(Self.output(&session) == ".\r\n")
    Self.say(&session, "554 no valid recipients")
    #expect(session.takeVerdicts()?.map(\.kind) == [.refused])
    #expect(session.phase == .ready)
  }

  @Test func oneConnectionCarriesSeveralLetters() {
    var session = Self.ready()
    session.begin(Self.letter("no@h.edu"))
    #expect(Self.output(&session) == "MAIL FROM:<alice@crepes.fr>\r\n")
    Self.say(&session, "250 ok")
    Self.say(&session, "450 later")
    #expect(session.takeVerdicts()?.map(\.kind) == [.deferred])
    _ = session.takeOutput()
    session.begin(Self.letter("bob@h.edu"))
    #expect(Self.output(&session) == "RSET\r\n")
    for reply in ["250 ok", "250 ok", "250 ok", "354 go", "250 ok"] { Self.say(&session, reply) }
    #expect(session.takeVerdicts()?.map(\.kind) == [.delivered])
    _ = session.takeOutput()
    session.begin(Self.letter("bob@h.edu"))
    #expect(Self.output(&session) == "MAIL FROM:<alice@crepes.fr>\r\n")
  }

  @Test(arguments: [("451 4.3.0 later", DeliveryVerdict.Kind.deferred), ("554 5.6.0 never", .refused)])
  func theReplyToTheLetterCountsForAll(reply: String, kind: DeliveryVerdict.Kind) {
    var session = Self.ready("PIPELINING")
    session.begin(Self.letter("a@h.edu", "b@h.edu"))
    for line in ["250 ok", "250 ok", "250 ok", "354 go", reply] { Self.say(&session, line) }
    #expect(session.takeVerdicts()?.map(\.kind) == [kind, kind])
  }

  @Test func aSuccessToDataIsNoDelivery() {
    var session = Self.ready()
    session.begin(Self.letter("a@h.edu"))
    for line in ["250 ok", "250 ok", "250 ok"] { Self.say(&session, line) }
    #expect(session.takeVerdicts()?.map(\.kind) == [.deferred])
  }

  @Test func aLostConnectionPutsTheLetterOff() {
    var session = Self.ready()
    session.begin(Self.letter("a@h.edu"))
    Self.say(&session, "250 ok")
    session.disconnected("gone")
    #expect(session.takeVerdicts()?.map(\.text) == ["gone"])
    #expect(session.failure?.kind == .deferred)
    #expect(session.dialogue.last == "* gone")
    // Nothing of it can have been taken, so another host may be asked.
    #expect(session.isOffered)
  }

  @Test func aLetterWhoseAnswerWasLostMayHaveBeenTaken() {
    var session = Self.ready()
    session.begin(Self.letter("a@h.edu", "no@h.edu"))
    for line in ["250 ok", "250 ok", "450 later", "354 go"] { Self.say(&session, line) }
    _ = session.takeOutput()
    var unsent = session
    session.disconnected("gone")
    #expect(session.takeVerdicts()?.map(\.maySearchOn) == [false, true])
    unsent.disconnected("gone", hasLeft: false)
    #expect(unsent.takeVerdicts()?.map(\.maySearchOn) == [true, true])
  }

  @Test func aLetterIsOfferedOnceItsMailIsAnswered() {
    var session = Self.ready()
    session.begin(Self.letter("a@h.edu"))
    #expect(!session.isOffered)
    var refused = session
    Self.say(&refused, "421 enough")
    #expect(!refused.isOffered)
    Self.say(&session, "250 ok")
    #expect(session.isOffered)
  }

  @Test func eachReplyHasItsOwnPatience() {
    let patience = SMTPPatience()
    var session = SMTPClientSession(hostname: "a")
    #expect(session.patience(patience) == patience.greeting)
    session = Self.ready()
    session.begin(Self.letter("a@h.edu"))
    #expect(session.patience(patience) == patience.command)
    for line in ["250 ok", "250 ok"] { Self.say(&session, line) }
    #expect(session.patience(patience) == patience.data)
    Self.say(&session, "354 go")
    #expect(session.patience(patience) == patience.letter)
    Self.say(&session, "250 ok")
    _ = session.takeVerdicts()
    session.quit()
    #expect(session.patience(patience) == patience.quit)
  }

  @Test func aLongReplyIsKeptShort() {
    let verdict = DeliveryVerdict(SMTPReply(550, EnhancedStatus(5, 1, 1), Array(repeating: "no such user", count: 200)))
    #expect(verdict.text.hasPrefix("550 5.1.1 no such user no such user"))
    #expect(verdict.text.utf8.count < 1100 && verdict.reply?.description == verdict.text)
  }

  @Test(arguments: ["554 go away", "421 busy", "nonsense", "250-a\r\n251 b"])
  func aHostThatTalksToNobodyIsOfNoUseButDecidesNothing(greeting: String) {
    var session = SMTPClientSession(hostname: "a")
    Self.say(&session, greeting == "250-a\r\n251 b" ? greeting : greeting)
    #expect(session.phase == .closed)
    #expect(session.failure?.kind == .deferred)
  }

  @Test func whatTheHostCanNotTakeIsNotSent() {
    var small = Self.ready("SIZE 10")
    small.begin(Self.letter("a@h.edu"))
    #expect(small.takeVerdicts()?.map(\.status) == [EnhancedStatus(5, 3, 4)])
    #expect(small.takeOutput().isEmpty)
    var plain = Self.ready()
    plain.begin(Self.letter("\u{e9}@h.edu"))
    #expect(plain.takeVerdicts()?.map(\.status) == [EnhancedStatus(5, 6, 7)])
  }

  @Test func theFlagAloneIsNoReasonForSMTPUTF8() {
    var letter = Self.letter("a@h.edu", content: "Subject: x\r\n\r\nplain\r\n")
    letter.utf8 = true
    var old = Self.ready("8BITMIME")
    old.begin(letter)
    #expect(Self.output(&old) == "MAIL FROM:<alice@crepes.fr>\r\n")
    var modern = Self.ready("8BITMIME", "SMTPUTF8")
    modern.begin(letter)
    #expect(Self.output(&modern) == "MAIL FROM:<alice@crepes.fr>\r\n")
    // A body is no reason either.
    letter.content = Array("Subject: x\r\n\r\n\u{e9}\r\n".utf8)
    old = Self.ready("8BITMIME")
    old.begin(letter)
    #expect(Self.output(&old) == "MAIL FROM:<alice@crepes.fr> BODY=8BITMIME\r\n")
    // A header is.
    letter.content = Array("Subject: \u{e9}\r\n\r\nx\r\n".utf8)
    old = Self.ready("8BITMIME")
    old.begin(letter)
    #expect(old.takeVerdicts()?.map(\.status) == [EnhancedStatus(5, 6, 9)])
    modern = Self.ready("SMTPUTF8")
    modern.begin(letter)
    #expect(Self.output(&modern) == "MAIL FROM:<alice@crepes.fr> BODY=8BITMIME SMTPUTF8\r\n")
  }

  @Test func aDomainBeyondASCIINeedsNoSMTPUTF8() {
    var old = Self.ready("PIPELINING")
    old.begin(Self.letter("bob@b\u{fc}cher.example"))
    #expect(Self.output(&old) == "MAIL FROM:<alice@crepes.fr>\r\nRCPT TO:<bob@xn--bcher-kva.example>\r\nDATA\r\n")
    var modern = Self.ready("PIPELINING", "SMTPUTF8")
    modern.begin(Self.letter("bob@b\u{fc}cher.example"))
    #expect(
      Self.output(&modern) == "MAIL FROM:<alice@crepes.fr> SMTPUTF8\r\nRCPT TO:<bob@b\u{fc}cher.example>\r\nDATA\r\n")
  }

  @Test func oneForeignAddressDoesNotSpoilTheOthers() {
    var session = Self.ready("8BITMIME", "PIPELINING")
    session.begin(Self.letter("\u{e9}@h.edu", "bob@h.edu"))
    #expect(Self.output(&session) == "MAIL FROM:<alice@crepes.fr>\r\nRCPT TO:<bob@h.edu>\r\nDATA\r\n")
    for line in ["250 ok", "250 ok", "354 go", "250 ok"] { Self.say(&session, line) }
    let verdicts = session.takeVerdicts()
    #expect(verdicts?.map(\.kind) == [.refused, .delivered])
    #expect(verdicts?.first?.status == EnhancedStatus(5, 6, 7))
  }

  @Test func anObstacleToSevenBitsIsNamed() {
    var session = Self.ready()
    session.begin(Self.letter("a@h.edu", content: "Received: from \u{e9}\r\n\r\nx\r\n"))
    let verdict = session.takeVerdicts()?.first
    #expect(verdict?.status == EnhancedStatus(5, 6, 3) && verdict?.text.contains("Received") == true)
  }

  @Test func eightBitGoesAsItIsOrIsConverted() {
    let content =
      "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\u{e9}\r\n"
    var modern = Self.ready("8BITMIME")
    modern.begin(Self.letter("a@h.edu", content: content))
    #expect(Self.output(&modern) == "MAIL FROM:<alice@crepes.fr> BODY=8BITMIME\r\n")
    var old = Self.ready("PIPELINING")
    old.begin(Self.letter("a@h.edu", content: content))
    for line in ["250 ok", "250 ok", "354 go"] { Self.say(&old, line) }
    let sent = Self.output(&old)
    #expect(sent.utf8.allSatisfy { $0 < 128 })
    #expect(sent.contains("=C3=A9"))
  }

  @Test func theDialogueIsKept() {
    var session = Self.ready()
    session.begin(Self.letter("a@h.edu"))
    Self.say(&session, "250 2.1.0 ok")
    let dialogue = session.takeDialogue()
    #expect(
      dialogue.lines == [
        "S: 220 hamburger.edu", "C: EHLO crepes.fr", "S: 250 hamburger.edu", "C: MAIL FROM:<alice@crepes.fr>",
        "S: 250 2.1.0 ok", "C: RCPT TO:<a@h.edu>",
      ])
  }
}
