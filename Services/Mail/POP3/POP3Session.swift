import MailWire
import Octets

/// A message as a POP3 session sees it: fixed when the session begins (RFC 1939 §3, §8).
struct POP3Message: Sendable, Equatable {
  var id: Int64
  /// Octets with CRLF, before dot-stuffing.
  var size: Int
  /// Printable, unique in the mailbox for ever (RFC 1939 §7, UIDL).
  var uid: String
}

/// A mailbox that a session has for itself, as it was at the login.
struct POP3Maildrop: Sendable {
  var mailbox: Int64
  /// Of the store, when it was opened: after a reset the numbers mean something else.
  var epoch: Int64 = 1
  var messages: [POP3Message]
  /// Letting go of it unlocks the mailbox.
  var lease: (any Sendable)?
}

/// What a login leads to.
enum POP3Login: Sendable {
  case opened(POP3Maildrop)
  case denied
  /// Too many from there were wrong.
  case tooMany
  /// Another session has the mailbox.
  case locked
  /// It could not be read.
  case failed
}

/// What a POP3 session has to be told.
enum POP3Request: Sendable, Equatable {
  /// Check the password, lock the mailbox, list its INBOX; answer with `loggedIn(_:)`.
  case login(user: String, password: String)
  /// Look for the letter; answer with `opened(_:)`.
  case open(Int64, mailbox: Int64, epoch: Int64)
  /// Read on in a letter; answer with `piece(_:)`.
  case read(POP3Letter, from: Int)
  /// Delete these for good; answer with `deleted(_:)`.
  case delete([Int64], mailbox: Int64, epoch: Int64)
}

/// The server's side of one POP3 connection (RFC 1939 with CAPA of RFC 2449).
struct POP3Session: LineSession {
  enum Phase: Equatable {
    case greeting, authorization, transaction
    case loggingIn
    /// A letter is looked for; the number of body lines wanted, nil for all.
    case opening(lines: Int?)
    /// It is handed over piece by piece.
    case fetching
    case updating
    case closed
  }

  /// Octets of a command line; RFC 2449 §4 asks for 255.
  static let lineLimit = 512
  /// Senseless commands in a row before the session ends.
  static let errorLimit = 10
  /// Wrong passwords before the session ends.
  static let loginLimit = 5

  /// Passwords may be sent: the stream is protected, or never leaves the machine.
  let passwordsAllowed: Bool
  private(set) var phase = Phase.greeting
  private var lines = CommandLines()
  private var actions: [LineAction<POP3Request>] = []
  private var user: String?
  private var maildrop: POP3Maildrop?
  private var marked: Set<Int> = []
  private var handover: POP3Handover?
  private var errors = 0
  private(set) var mistakes = 0
  private var failedLogins = 0

  init(passwordsAllowed: Bool = true) { self.passwordsAllowed = passwordsAllowed }

  var buffered: Int { lines.count }
  /// Nothing comes in but commands.
  var isReceiving: Bool { false }
  var held: Int { 0 }

  private var messages: [POP3Message] { maildrop?.messages ?? [] }

  mutating func giveUpLetter() {}

  mutating func receive(_ bytes: [UInt8]) {
    guard phase != .closed else { return }
    lines.append(bytes)
  }

  mutating func next() -> LineAction<POP3Request>? {
    while actions.isEmpty {
      switch phase {
      case .greeting:
        phase = .authorization
        good("POP3 server ready")
      case .authorization, .transaction:
        guard let line = lines.next(limit: Self.lineLimit) else { return nil }
        command(line)
      case .loggingIn, .opening, .fetching, .updating, .closed:
        return nil
      }
    }
    return actions.removeFirst()
  }

  // MARK: Answers

  mutating func loggedIn(_ login: POP3Login) {
    guard phase == .loggingIn else { return }
    phase = .authorization
    switch login {
    case .opened(let found):
      phase = .transaction
      maildrop = found
      good("user successfully logged on")
    case .denied:
      failedLogins += 1
      bad("[AUTH] user name or password is wrong")
      // A login needs two commands of which the first succeeds, so these are counted apart.
      if failedLogins >= Self.loginLimit, phase != .closed { close() }
    case .tooMany:
      bad("[SYS/TEMP] too many wrong passwords came from your address; try again in two minutes")
    case .locked:
      bad("[IN-USE] another session has this mailbox open")
    case .failed:
      bad("[SYS/TEMP] the mailbox can't be read now")
    }
  }

  /// The letter that was asked for; nil where it is gone, deleted by other means meanwhile.
  mutating func opened(_ letter: POP3Letter?) {
    guard case .opening(let wanted) = phase else { return }
    guard let letter else {
      phase = .transaction
      return bad("[SYS/TEMP] the message can't be read any more")
    }
    good(wanted == nil ? "\(letter.size) octets" : "top of message follows")
    handover = POP3Handover(letter, lines: wanted)
    phase = .fetching
    actions.append(.ask(.read(letter, from: 0)))
  }

  /// The next octets of the letter; nil where they can't be read: then the client must not take what it has for all of it, and
  /// there is no other way to say so than to go.
  mutating func piece(_ octets: [UInt8]?) {
    guard phase == .fetching, var letter = handover.take() else { return }
    guard let octets else { return close() }
    actions.append(.reply(letter.next(octets)))
    if letter.isOver {
      phase = .transaction
    } else {
      actions.append(.ask(.read(letter.letter, from: letter.offset)))
      handover = letter
    }
  }

  /// Whether the marked messages are gone.
  mutating func deleted(_ done: Bool) {
    guard phase == .updating else { return }
    if done {
      good("POP3 server signing off")
    } else {
      reply("-ERR [SYS/TEMP] some deleted messages were not removed")
    }
    close()
  }

  /// Nothing is deleted, and nothing said that could be taken for the answer to a command (RFC 1939 §3).
  mutating func end(_ reason: LineEnding) {
    guard phase != .closed else { return }
    if reason == .crowded { reply("-ERR [SYS/TEMP] too many connections, try again later") }
    close()
  }

  // MARK: Commands

  private mutating func command(_ line: CommandLines.Line) {
    guard case .line(let octets, _) = line else { return bad("line too long") }
    let split = octets.firstIndex(of: 0x20) ?? octets.count
    let verb = String(decoding: octets[..<split].map(\.asciiUppercased), as: UTF8.self)
    guard let argument = String(validating: octets[split...].dropFirst(), as: UTF8.self) else {
      return bad("a command is UTF-8")
    }
    switch verb {
    case "CAPA":
      good("Capability list follows")
      multiline(
        (passwordsAllowed ? ["USER"] : []) + [
          "TOP", "UIDL", "PIPELINING", "RESP-CODES", "AUTH-RESP-CODE", "EXPIRE NEVER",
        ])
    case "QUIT": quit()
    case "USER", "PASS":
      guard phase == .authorization else { return bad("you are logged on already") }
      authorization(verb, argument)
    case "STAT", "LIST", "UIDL", "RETR", "TOP", "DELE", "RSET", "NOOP":
      guard phase == .transaction else { return bad("say user and pass first") }
      transaction(verb, argument)
    default: bad("command unknown; there are USER PASS STAT LIST RETR DELE UIDL TOP NOOP RSET CAPA QUIT")
    }
  }

  private mutating func authorization(_ verb: String, _ argument: String) {
    // Told before the password comes.
    guard passwordsAllowed else { return bad("[AUTH] a password needs an encrypted connection") }
    if verb == "USER" {
      guard !argument.isEmpty else { return bad("user needs a name") }
      user = argument
      return good("")
    }
    guard let user else { return bad("say user first") }
    self.user = nil
    phase = .loggingIn
    actions.append(.ask(.login(user: user, password: argument)))
  }

  private mutating func transaction(_ verb: String, _ argument: String) {
    let words = argument.split(separator: " ")
    if verb != "TOP", words.count > (["STAT", "RSET", "NOOP"].contains(verb) ? 0 : 1) {
      return bad("\(verb.lowercased()) takes no more words")
    }
    switch verb {
    case "STAT":
      let left = remaining
      good("\(left.count) \(left.reduce(0) { $0 + messages[$1].size })")
    case "LIST": list(words.first, called: "messages") { "\($0 + 1) \($1.size)" }
    case "UIDL": list(words.first, called: "unique ids") { "\($0 + 1) \($1.uid)" }
    case "RETR":
      guard let index = number(words.first) else { return }
      fetch(index, lines: nil)
    case "TOP":
      guard words.count == 2, let lines = Array(words[1].utf8).parsedDecimal(as: Int.self) else {
        return bad("say top, a message number and a number of lines")
      }
      guard let index = number(words[0]) else { return }
      fetch(index, lines: lines)
    case "DELE":
      guard let index = number(words.first) else { return }
      marked.insert(index)
      good("message \(index + 1) deleted")
    case "RSET":
      marked = []
      good("\(messages.count) messages")
    default: good("")
    }
  }

  private var remaining: [Int] { messages.indices.filter { !marked.contains($0) } }

  /// The index of the message with this number; where there is none, the client is told.
  private mutating func number(_ text: Substring?) -> Int? {
    guard let text, let number = Array(text.utf8).parsedDecimal(as: Int.self) else {
      bad("that is no message number")
      return nil
    }
    guard number > 0, number <= messages.count, !marked.contains(number - 1) else {
      bad("no such message, \(remaining.count) messages in mailbox")
      return nil
    }
    return number - 1
  }

  private mutating func list(_ argument: Substring?, called: String, _ show: (Int, POP3Message) -> String) {
    if let argument {
      guard let index = number(argument) else { return }
      return good(show(index, messages[index]))
    }
    good("\(remaining.count) \(called)")
    multiline(remaining.map { show($0, messages[$0]) })
  }

  private mutating func fetch(_ index: Int, lines: Int?) {
    guard let maildrop else { return }
    phase = .opening(lines: lines)
    actions.append(
      .ask(.open(maildrop.messages[index].id, mailbox: maildrop.mailbox, epoch: maildrop.epoch)))
  }

  /// The messages go only when all that was said before has been handed over: a client that asked for a letter and for
  /// its deletion in one breath, and then lost the connection, has the letter still here (RFC 1939 §6).
  private mutating func quit() {
    guard let maildrop, !marked.isEmpty else {
      good("POP3 server signing off")
      return close()
    }
    phase = .updating
    actions.append(.flush)
    let messages = marked.sorted().map { maildrop.messages[$0].id }
    actions.append(.ask(.delete(messages, mailbox: maildrop.mailbox, epoch: maildrop.epoch)))
  }

  // MARK: Replies

  private mutating func close() {
    phase = .closed
    maildrop = nil
    handover = nil
    lines.drop()
    actions.append(.close)
  }

  private mutating func reply(_ text: String) {
    actions.append(.reply(Array((text + "\r\n").utf8)))
  }

  private mutating func good(_ text: String) {
    errors = 0
    reply(text.isEmpty ? "+OK" : "+OK \(text)")
  }

  private mutating func bad(_ text: String) {
    errors += 1
    mistakes += 1
    reply("-ERR \(text)")
    if errors >= Self.errorLimit { close() }
  }

  private mutating func multiline(_ lines: [String]) {
    var text = ""
    for line in lines { text += line + "\r\n" }
    actions.append(.reply(Array((text + ".\r\n").utf8)))
  }
}
