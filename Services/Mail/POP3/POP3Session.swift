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

/// What a login leads to.
enum POP3Login: Sendable, Equatable {
  case opened([POP3Message])
  case denied
  /// The password would go over a stream that others may listen to.
  case exposed
  /// Another session has the mailbox.
  case locked
  /// It could not be read.
  case failed
}

/// What the loop around a session has to do.
enum POP3Action: Sendable, Equatable {
  case reply([UInt8])
  /// Check the password, lock the mailbox, list its INBOX; answer with `loggedIn(_:)`.
  case login(user: String, password: String)
  /// Read the letter; answer with `letter(_:)`.
  case fetch(Int64)
  /// Delete these for good; answer with `deleted(_:)`.
  case delete([Int64])
  /// Nothing follows: let the output go out, then close and unlock the mailbox.
  case close
}

/// The server's side of one POP3 connection (RFC 1939 with CAPA of RFC 2449), apart from all input and output.
struct POP3Session: Sendable {
  enum Phase: Equatable {
    case greeting, authorization, transaction
    case loggingIn
    /// A letter is fetched; the number of body lines wanted, nil for all.
    case fetching(lines: Int?)
    case updating
    case closed
  }

  /// Octets of a command line; RFC 2449 §4 asks for 255.
  static let lineLimit = 512
  /// Failed logins or senseless commands in a row before the session ends.
  static let errorLimit = 10

  private(set) var phase = Phase.greeting
  private var lines = CommandLines()
  private var actions: [POP3Action] = []
  private var user: String?
  private(set) var messages: [POP3Message] = []
  private var marked: Set<Int> = []
  private var errors = 0

  /// Octets that wait to be read.
  var buffered: Int { lines.count }

  mutating func receive(_ bytes: [UInt8]) {
    guard phase != .closed else { return }
    lines.append(bytes)
  }

  /// What to do next; nil when input or an answer has to come first.
  mutating func next() -> POP3Action? {
    while actions.isEmpty {
      switch phase {
      case .greeting:
        phase = .authorization
        good("POP3 server ready")
      case .authorization, .transaction:
        guard let line = lines.next(limit: Self.lineLimit) else { return nil }
        command(line)
      case .loggingIn, .fetching, .updating, .closed:
        return nil
      }
    }
    return actions.removeFirst()
  }

  // MARK: Answers of the loop

  mutating func loggedIn(_ login: POP3Login) {
    guard phase == .loggingIn else { return }
    phase = .authorization
    switch login {
    case .opened(let found):
      phase = .transaction
      messages = found
      good("user successfully logged on")
    case .denied:
      bad("[AUTH] user name or password is wrong")
    case .exposed:
      bad("[AUTH] a password needs an encrypted connection")
    case .locked:
      bad("[IN-USE] another session has this mailbox open")
    case .failed:
      bad("[SYS/TEMP] the mailbox can't be read now")
    }
  }

  /// The letter that was asked for; nil where it is gone, deleted by other means meanwhile.
  mutating func letter(_ content: [UInt8]?) {
    guard case .fetching(let wanted) = phase else { return }
    phase = .transaction
    guard let content else { return bad("[SYS/TEMP] the message can't be read any more") }
    good(wanted == nil ? "\(content.count) octets" : "top of message follows")
    actions.append(.reply(DotStuffer.encode(wanted.map { Self.top(content, lines: $0) } ?? content)))
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

  /// The loop ends the session after a silence: nothing is deleted (RFC 1939 §3).
  mutating func end() {
    if phase != .closed { close() }
  }

  // MARK: Commands

  private mutating func command(_ line: CommandLines.Line) {
    guard case .line(let octets, _) = line else { return bad("line too long") }
    let split = octets.firstIndex(of: 0x20) ?? octets.count
    let verb = String(decoding: octets[..<split].map(\.asciiUppercased), as: UTF8.self)
    let argument = String(decoding: octets[split...].dropFirst(), as: UTF8.self)
    switch verb {
    case "CAPA":
      good("Capability list follows")
      multiline(["TOP", "USER", "UIDL", "PIPELINING", "RESP-CODES", "AUTH-RESP-CODE", "EXPIRE NEVER"])
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
    if verb == "USER" {
      guard !argument.isEmpty else { return bad("user needs a name") }
      user = argument
      return good("")
    }
    guard let user else { return bad("say user first") }
    self.user = nil
    phase = .loggingIn
    actions.append(.login(user: user, password: argument))
  }

  private mutating func transaction(_ verb: String, _ argument: String) {
    let words = argument.split(separator: " ")
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
    phase = .fetching(lines: lines)
    actions.append(.fetch(messages[index].id))
  }

  private mutating func quit() {
    guard phase == .transaction, !marked.isEmpty else {
      good("POP3 server signing off")
      return close()
    }
    phase = .updating
    actions.append(.delete(marked.sorted().map { messages[$0].id }))
  }

  /// The header, the empty line and so many lines of the body (RFC 1939 §7, TOP).
  static func top(_ letter: [UInt8], lines: Int) -> [UInt8] {
    var left = lines
    var start = 0
    var inBody = false
    while start < letter.count {
      if inBody && left == 0 { return Array(letter[..<start]) }
      guard let end = letter[start...].firstIndex(of: 0x0A) else { return letter }
      if inBody {
        left -= 1
      } else if end - start == 1 && letter[start] == 0x0D {
        inBody = true
      }
      start = end + 1
    }
    return letter
  }

  // MARK: Replies

  private mutating func close() {
    phase = .closed
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
    reply("-ERR \(text)")
    if errors >= Self.errorLimit { close() }
  }

  private mutating func multiline(_ lines: [String]) {
    var text = ""
    for line in lines { text += line + "\r\n" }
    actions.append(.reply(Array((text + ".\r\n").utf8)))
  }
}
