import MailWire

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
