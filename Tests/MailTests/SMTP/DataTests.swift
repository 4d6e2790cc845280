import MailWire
import Octets
import Testing

@testable import Mail

@Suite struct DataTests {
  /// Feeds it in two pieces and collects what came of it.
  static func decode(_ text: String, cut: Int, size: Int = 1000) -> (outcome: DataDecoder.Outcome, decoder: DataDecoder)
  {
    var decoder = DataDecoder(sizeLimit: size)
    let octets = Array(text.utf8)
    for piece in [Array(octets[..<cut]), Array(octets[cut...])] {
      let (outcome, _) = decoder.read(piece, from: 0)
      if outcome != .more { return (outcome, decoder) }
    }
    return (.more, decoder)
  }

  @Test(arguments: [
    ("a\r\nb\r\n.\r\n", "a\r\nb\r\n"), (".\r\n", ""), ("..\r\n.\r\n", ".\r\n"), (".a\r\n..b\r\n.\r\n", "a\r\n.b\r\n"),
    ("\r\n\r\n.\r\n", "\r\n\r\n"), ("a.\r\n.\r\n", "a.\r\n"),
  ])
  func lettersComeOutUnstuffedAtEveryCut(text: String, content: String) {
    for cut in 0...text.utf8.count {
      let (outcome, decoder) = Self.decode(text, cut: cut)
      #expect(outcome == .end)
      #expect(decoder.fault == nil)
      #expect(String(decoding: decoder.content, as: UTF8.self) == content)
    }
  }

  @Test(arguments: ["a\n.\n", "a\n.\r\n", "a\r\n.\n", "a\r.\r\n", "\n.\n"])
  func whatOthersMayTakeForAnEndIsAFalseOne(text: String) {
    for cut in 0...text.utf8.count {
      let (outcome, decoder) = Self.decode(text, cut: cut)
      #expect(outcome == .falseEnd)
      #expect(decoder.fault == .bareLineEnd)
    }
  }

  @Test(arguments: ["a\nb\r\n.\r\n", "a\rb\r\n.\r\n", ".\rb\r\n.\r\n", "a\r\r\n.\r\n", "a\n..\r\n.\r\n"])
  func aBareLineEndSpoilsTheLetterButNotItsEnd(text: String) {
    for cut in 0...text.utf8.count {
      let (outcome, decoder) = Self.decode(text, cut: cut)
      #expect(outcome == .end)
      #expect(decoder.fault == .bareLineEnd)
      #expect(decoder.content.isEmpty)
    }
  }

  @Test func aBareLineEndIsToldAlsoAfterTheLimit() {
    let text = String(repeating: "x", count: 500) + "\r\n" + "a\nb\r\n.\r\n"
    for cut in 0...text.utf8.count {
      #expect(Self.decode(text, cut: cut, size: 100).decoder.fault == .bareLineEnd)
    }
    #expect(Self.decode("aaaa\r\nbbbb\r\n.\r\n", cut: 0, size: 8).decoder.fault == .tooLarge)
    #expect(Self.decode("aaaa\r\nbb\r\n.\r\n", cut: 0, size: 10).decoder.fault == nil)
  }

  @Test func aLineHas998OctetsWithoutItsStuffing() {
    let fits = "." + String(repeating: ".", count: 998) + "\r\n.\r\n"
    #expect(Self.decode(fits, cut: 3, size: 5000).decoder.fault == nil)
    #expect(Self.decode("." + fits, cut: 3, size: 5000).decoder.fault == .lineTooLong)
  }

  @Test(arguments: [
    ("a\nb\r\n.\r\n", "500 5.5.2 lines end in CRLF; use telnet or nc -C\r\n", false),
    ("a\n.\nMAIL FROM:<x@y.z>\r\n", "500 5.5.2 lines end in CRLF; use telnet or nc -C\r\n", true),
    (String(repeating: "x", count: 999) + "\r\n.\r\n", "550 5.6.0 A line is longer than 998 octets\r\n", false),
  ])
  func theSessionTellsWhatIsWrong(text: String, reply: String, closes: Bool) {
    var talk = SMTPTalk()
    talk.send("EHLO a", "MAIL FROM:<a@b.c>", "RCPT TO:<b@h.edu>", "DATA")
    _ = talk.heard()
    talk.send(octets: Array(text.utf8))
    #expect(talk.heard() == reply)
    #expect(talk.isClosed == closes)
    #expect(talk.stored.isEmpty)
  }

  @Test func anOversizeLetterIsRefusedAtItsEnd() {
    var talk = SMTPTalk(limits: SMTPLimits(size: 100))
    talk.send("EHLO a", "MAIL FROM:<a@b.c>", "RCPT TO:<b@h.edu>", "DATA")
    _ = talk.heard()
    for _ in 0..<20 { talk.send("0123456789") }
    talk.send(".", "NOOP")
    #expect(talk.heard() == "552 5.3.4 The letter is larger than 100 octets\r\n250 2.0.0 Ok\r\n")
  }
}

@Suite struct LetterRoomTests {
  @Test func whatIsGivenBackCanBeTakenAgain() throws {
    let room = LetterRoom(limit: 10)
    let one = room.lease()
    #expect(one.hold(8))
    #expect(room.lease(3) == nil)
    #expect(one.hold(7))
    var other = room.lease(3)
    #expect(other != nil && !one.hold(8) && one.hold(7))
    other = nil
    #expect(one.hold(10))
  }

  @Test func largeLettersLeaveRoomToSmallOnes() throws {
    let large = LetterRoom.small + 1
    let room = LetterRoom(limit: 8 * large)
    let first = try #require(room.lease(3 * large))
    let second = try #require(room.lease(3 * large))
    #expect(room.lease(large) == nil)
    // Nor is there room for one that grows; it keeps what it has.
    let grown = try #require(room.lease(LetterRoom.small))
    #expect(!grown.hold(large))
    #expect(room.lease(LetterRoom.small) != nil)
    withExtendedLifetime((first, second, grown)) {}
  }

  @Test func whatIsLargerThanTheRoomIsLetInAlone() throws {
    let large = LetterRoom.small + 1
    let room = LetterRoom(limit: 8 * large)
    let huge = try #require(room.lease(100 * large))
    #expect(room.lease(large) == nil && room.lease(LetterRoom.small) != nil)
    #expect(huge.hold(200 * large) && huge.hold(large))
    #expect(room.lease(5 * large) != nil && room.lease(100 * large) == nil)
  }

  @Test func roomIsTakenUntilTheLetterIsStored() {
    var session = SMTPSession(hostname: "h")
    session.receive(Array("HELO a\r\nMAIL FROM:<a@b.c>\r\nRCPT TO:<b@h.edu>\r\nDATA\r\nsome\r\n.\r\n".utf8))
    while let action = session.next() {
      if case .ask(.verify) = action { session.recipient(.accepted) }
    }
    #expect(session.held == 6)
    session.giveUpLetter()
    #expect(session.held == 6)
    session.stored(.accepted(note: ""))
    #expect(session.held == 0)
  }

  @Test func aLetterWithoutRoomIsReadToItsEndAndPutOff() {
    var talk = SMTPTalk()
    talk.send("EHLO a", "MAIL FROM:<a@b.c>", "RCPT TO:<b@h.edu>", "DATA", "some")
    _ = talk.heard()
    #expect(talk.session.held == 6)
    talk.session.giveUpLetter()
    #expect(talk.session.held == 0)
    talk.send("more", ".", "NOOP")
    #expect(talk.codes() == [452, 250])
    #expect(talk.stored.isEmpty)
  }
}

@Suite struct TraceHeadersTests {
  static func stamp(_ letter: String, complete: Bool = false) -> String? {
    let headers = TraceHeaders(
      hostname: "hamburger.edu", client: "crepes.fr", peer: .loopbackV4, transport: "SMTP", now: 1_000_000_000,
      random: 7)
    let envelope = SMTPEnvelope(
      sender: MailAddress("alice@crepes.fr"), recipients: [MailAddress("bob@hamburger.edu")].compactMap { $0 })
    return headers.stamp(Array(letter.utf8), envelope, complete: complete).map { String(decoding: $0, as: UTF8.self) }
  }

  @Test func aLetterWithoutHeadersGetsThem() throws {
    let letter = try #require(Self.stamp("Do you like ketchup?\r\nHow about: pickles?\r\n"))
    #expect(letter.hasPrefix("Received: from crepes.fr ([127.0.0.1])\r\n\tby hamburger.edu with SMTP id 7\r\n"))
    #expect(letter.contains("\tfor <bob@hamburger.edu>;\r\n\tSun, 9 Sep 2001 01:46:40 +0000\r\n"))
    for field in ["Date: Sun, 9 Sep 2001", "From: alice@crepes.fr\r\n", "Message-ID: <"] {
      #expect(letter.contains("\r\n" + field))
    }
    #expect(letter.hasSuffix("\r\n\r\nDo you like ketchup?\r\nHow about: pickles?\r\n"))
  }

  @Test func anEmptyFirstLineIsTheSeparator() throws {
    #expect(try #require(Self.stamp("\r\nhello\r\n")).hasSuffix(">\r\n\r\nhello\r\n"))
  }

  @Test func othersLettersOnlyGetTheReceivedLine() throws {
    let letter = try #require(Self.stamp("Subject: hi\r\n\r\nbody\r\n"))
    #expect(letter.hasSuffix("+0000\r\nSubject: hi\r\n\r\nbody\r\n"))
    let own = try #require(Self.stamp("Subject: hi\r\nFROM : x@y.z\r\n\r\nbody\r\n", complete: true))
    #expect(own.contains("\r\nDate: ") && own.contains("\r\nMessage-ID: ") && !own.contains("\r\nFrom: "))
  }

  @Test(arguments: [
    "From bob@x.y Mon Nov 23 11:00:00 2026\r\n", ">From bob\r\n", "From bob\r\n>From eve Mon Nov 23 11:00:00 2026\r\n",
  ])
  func anEnvelopeLineOfAnMboxFileIsDropped(lines: String) throws {
    let letter = try #require(Self.stamp(lines + "Subject: hi\r\n\r\nFrom here on\r\n"))
    #expect(letter.hasSuffix("+0000\r\nSubject: hi\r\n\r\nFrom here on\r\n"))
    let own = try #require(Self.stamp(lines + "From: x@y.z\r\n\r\nbody\r\n", complete: true))
    #expect(own.hasSuffix(">\r\nFrom: x@y.z\r\n\r\nbody\r\n") && own.contains("\r\nMessage-ID: "))
  }

  @Test(arguments: ["From now on I eat ketchup.\r\nDo you?\r\n", "From afar", "From afar\r\n"])
  func aTextThatBeginsLikeAnEnvelopeLineStays(text: String) throws {
    #expect(try #require(Self.stamp(text)).hasSuffix("\r\n\r\n" + text))
  }

  @Test func moreThanFiftyReceivedLinesAreALoop() {
    let line = "Received: from a by b;\r\n\tdate\r\n"
    #expect(Self.stamp(String(repeating: line, count: 50) + "\r\n") != nil)
    #expect(Self.stamp(String(repeating: line, count: 51) + "\r\n") == nil)
  }
}
