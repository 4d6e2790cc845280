import Testing

@testable import Mail

/// A client that says its lines and a loop that answers at once.
struct POP3Talk {
  var session: POP3Session
  var text = ""
  var deleted: [Int64] = []
  var isClosed = false
  var login = POP3Login.opened(
    POP3Maildrop(
      mailbox: 3,
      messages: [POP3Message(id: 11, size: 498, uid: "11"), POP3Message(id: 12, size: 912, uid: "12")]))
  /// Octets of a letter that are read at once.
  var pieceSize = 1000
  var letter: String? = "Subject: x\r\n\r\n.one\r\ntwo\r\nthree\r\n"

  init(passwordsAllowed: Bool = true) {
    session = POP3Session(passwordsAllowed: passwordsAllowed)
    drain()
  }

  mutating func send(_ lines: String...) { send(octets: Array((lines.joined(separator: "\r\n") + "\r\n").utf8)) }

  mutating func send(octets: [UInt8]) {
    session.receive(octets)
    drain()
  }

  mutating func drain() {
    while let action = session.next() {
      switch action {
      case .reply(let octets): text += String(decoding: octets, as: UTF8.self)
      case .flush: break
      case .ask(.login(let user, let password)):
        session.loggedIn(user == "bob" && password == "hungry" ? login : .denied)
      case .ask(.open): session.opened(letter.map { POP3Letter(Array($0.utf8)) })
      case .ask(.read(let letter, let offset)):
        let octets = Array((self.letter ?? "").utf8)
        session.piece(Array(octets[offset..<min(offset + pieceSize, letter.size)]))
      case .ask(.delete(let ids, _, _)):
        deleted += ids
        session.deleted(true)
      case .close: isClosed = true
      }
    }
  }

  mutating func heard() -> String {
    defer { text = "" }
    return text
  }
}

@Suite struct POP3SessionTests {
  static let slide = ["user bob", "pass hungry", "list", "retr 1", "dele 1", "retr 2", "dele 2", "quit"]

  static let letter = "Subject: x\r\n\r\n..one\r\ntwo\r\nthree\r\n.\r\n"
  static let answer =
    "+OK POP3 server ready\r\n+OK\r\n+OK user successfully logged on\r\n+OK 2 messages\r\n1 498\r\n2 912\r\n.\r\n"
    + "+OK 32 octets\r\n" + letter + "+OK message 1 deleted\r\n" + "+OK 32 octets\r\n" + letter
    + "+OK message 2 deleted\r\n+OK POP3 server signing off\r\n"

  @Test func theSlidesDialogueGoesAsPrinted() {
    var talk = POP3Talk()
    for line in Self.slide { talk.send(line) }
    #expect(talk.heard() == Self.answer)
    #expect(talk.deleted == [11, 12])
    #expect(talk.isClosed)
  }

  @Test func everyCutOfTheInputMeansTheSame() {
    let octets = Array((Self.slide.joined(separator: "\r\n") + "\r\n").utf8)
    for cut in 0...octets.count {
      var talk = POP3Talk()
      talk.send(octets: Array(octets[..<cut]))
      talk.send(octets: Array(octets[cut...]))
      #expect(talk.heard() == Self.answer)
    }
  }

  @Test func withoutQuitNothingIsDeleted() {
    var talk = POP3Talk()
    talk.send("USER bob", "PASS hungry", "DELE 1")
    talk.session.end(.silence)
    talk.drain()
    #expect(talk.deleted.isEmpty)
    #expect(talk.isClosed)
  }

  @Test func rsetTakesDeletionsBack() {
    var talk = POP3Talk()
    talk.send("USER bob", "PASS hungry", "DELE 1", "RETR 1", "STAT", "LIST", "RSET", "STAT", "QUIT")
    let text = talk.heard()
    #expect(
      text.contains("-ERR no such message, 1 messages in mailbox\r\n+OK 1 912\r\n+OK 1 messages\r\n2 912\r\n.\r\n"))
    #expect(text.contains("+OK 2 1410\r\n"))
    #expect(talk.deleted.isEmpty)
  }

  @Test func topGivesTheHeaderAndSomeLines() {
    var talk = POP3Talk()
    talk.send("USER bob", "PASS hungry")
    _ = talk.heard()
    talk.send("TOP 1 0", "TOP 1 2", "TOP 1 99", "TOP 1", "TOP 9 1")
    let head = "+OK top of message follows\r\nSubject: x\r\n\r\n"
    #expect(
      talk.heard() == head + ".\r\n" + head + "..one\r\ntwo\r\n.\r\n" + head + "..one\r\ntwo\r\nthree\r\n.\r\n"
        + "-ERR say top, a message number and a number of lines\r\n-ERR no such message, 2 messages in mailbox\r\n")
  }

  @Test func everyCutOfALetterMeansTheSame() throws {
    var whole = POP3Talk()
    whole.send("USER bob", "PASS hungry", "RETR 1", "TOP 1 0", "TOP 1 2", "TOP 1 3", "QUIT")
    let text = whole.heard()
    let octets = try #require(whole.letter).utf8.count
    for size in 1...octets {
      var talk = POP3Talk()
      talk.pieceSize = size
      talk.send("USER bob", "PASS hungry", "RETR 1", "TOP 1 0", "TOP 1 2", "TOP 1 3", "QUIT")
      #expect(talk.heard() == text)
    }
  }

  @Test func aLetterThatBreaksOffIsNotEnded() throws {
    var talk = POP3Talk()
    talk.pieceSize = 5
    talk.send("USER bob", "PASS hungry")
    talk.session.receive(Array("RETR 1\r\n".utf8))
    while let action = talk.session.next() {
      switch action {
      case .ask(.open): talk.session.opened(POP3Letter(Array("Subject: x\r\n\r\n".utf8)))
      case .ask(.read(_, let offset)): talk.session.piece(offset == 0 ? Array("Subje".utf8) : nil)
      case .reply(let octets): talk.text += String(decoding: octets, as: UTF8.self)
      case .close: talk.isClosed = true
      default: break
      }
    }
    #expect(talk.isClosed && talk.heard().hasSuffix("+OK 14 octets\r\nSubje"))
  }

  @Test func uidlAndCapa() {
    var talk = POP3Talk()
    talk.send("CAPA", "USER bob", "PASS hungry", "UIDL", "UIDL 2", "LIST 1")
    let text = talk.heard()
    #expect(text.contains("\r\nUIDL\r\n") && text.contains("\r\nPIPELINING\r\n") && text.contains("\r\nTOP\r\n"))
    #expect(text.hasSuffix("+OK 2 unique ids\r\n1 11\r\n2 12\r\n.\r\n+OK 2 12\r\n+OK 1 498\r\n"))
  }

  @Test(arguments: [
    (POP3Login.denied, "-ERR [AUTH]"), (.tooMany, "-ERR [SYS/TEMP]"), (.locked, "-ERR [IN-USE]"),
    (.failed, "-ERR [SYS/TEMP]"),
  ])
  func aFailedLoginMayBeTriedAgain(login: POP3Login, reply: String) {
    var talk = POP3Talk()
    talk.login = login
    talk.send("PASS x", "LIST", "USER bob", "PASS hungry")
    #expect(talk.heard().contains("\r\n+OK\r\n" + reply))
    talk.login = .opened(POP3Maildrop(mailbox: 3, messages: []))
    talk.send("USER bob", "PASS hungry", "LIST")
    #expect(talk.heard().hasSuffix("+OK 0 messages\r\n.\r\n"))
  }

  @Test func aMessageThatWasDeletedElsewhereIsAnErrorOnly() {
    var talk = POP3Talk()
    talk.letter = nil
    talk.send("USER bob", "PASS hungry", "RETR 1", "NOOP")
    #expect(talk.heard().hasSuffix("-ERR [SYS/TEMP] the message can't be read any more\r\n+OK\r\n"))
  }

  @Test func nothingIsDeletedBeforeTheOutputHasLeft() {
    var session = POP3Session()
    session.receive(Array("USER bob\r\nPASS hungry\r\nRETR 1\r\nDELE 1\r\nQUIT\r\n".utf8))
    var kinds: [String] = []
    while let action = session.next() {
      switch action {
      case .reply, .close: kinds.append("output")
      case .flush: kinds.append("flush")
      case .ask(.login): session.loggedIn(POP3Talk().login)
      case .ask(.open(let message, let mailbox, let epoch)):
        #expect(mailbox == 3 && message == 11 && epoch == 1)
        session.opened(POP3Letter([]))
      case .ask(.read): session.piece([])
      case .ask(.delete(let messages, let mailbox, let epoch)):
        #expect(mailbox == 3 && messages == [11] && epoch == 1)
        kinds.append("delete")
      }
    }
    #expect(kinds.suffix(3) == ["output", "flush", "delete"])
    session.deleted(true)
    #expect(session.next() == .reply(Array("+OK POP3 server signing off\r\n".utf8)))
    #expect(session.next() == .close)
  }

  @Test func aPasswordIsNotAskedForWhereOthersMayListen() {
    var talk = POP3Talk(passwordsAllowed: false)
    talk.send("CAPA", "USER bob", "PASS hungry")
    let text = talk.heard()
    #expect(!text.contains("\r\nUSER\r\n"))
    let refusal = "-ERR [AUTH] a password needs an encrypted connection\r\n"
    #expect(text.hasSuffix(".\r\n" + refusal + refusal))
  }

  @Test func guessesAreCountedOverTheWholeSession() {
    var talk = POP3Talk()
    for _ in 0..<4 { talk.send("USER bob", "PASS wrong", "CAPA") }
    #expect(!talk.isClosed)
    talk.send("USER bob", "PASS wrong")
    #expect(talk.heard().hasSuffix("-ERR [AUTH] user name or password is wrong\r\n"))
    #expect(talk.isClosed)
  }

  @Test func theLockGoesWithTheGoodbye() {
    final class Lease: Sendable {}
    weak var lease: Lease?
    var talk = POP3Talk()
    do {
      let held = Lease()
      lease = held
      talk.login = .opened(POP3Maildrop(mailbox: 3, messages: [], lease: held))
    }
    talk.send("USER bob", "PASS hungry")
    talk.login = .denied
    #expect(lease != nil)
    talk.send("QUIT")
    #expect(lease == nil)
  }

  @Test func aPasswordMayHaveBlanksAndMustBeText() {
    var session = POP3Session()
    session.receive(Array("USER bob\r\nPASS  a b \r\n".utf8))
    var asked: POP3Request?
    while let action = session.next() {
      if case .ask(let request) = action { asked = request }
    }
    #expect(asked == .login(user: "bob", password: " a b "))
    var talk = POP3Talk()
    talk.send(octets: Array("USER bob\r\nPASS ".utf8) + [0xFF] + Array("\r\n".utf8))
    #expect(talk.heard().hasSuffix("-ERR a command is UTF-8\r\n"))
  }

  @Test func aRunOfErrorsEndsTheSession() {
    var talk = POP3Talk()
    for _ in 0..<10 { talk.send("NONSENSE") }
    #expect(talk.isClosed)
  }
}

extension POP3Letter {
  /// A letter in memory.
  fileprivate convenience init(_ octets: [UInt8]) { self.init(size: octets.count) { Array(octets[$0...]) } }
}
