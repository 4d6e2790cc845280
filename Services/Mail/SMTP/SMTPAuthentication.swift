import Octets

/// AUTH PLAIN and LOGIN (RFC 4954, RFC 4616).
extension SMTPSession {
  /// Passwords are for those who hand in letters, and only where nobody can listen.
  var offersAuthentication: Bool { (door.submission && door.passwordsAllowed) || door.catchesAll }

  mutating func authenticate(_ argument: ArraySlice<UInt8>) {
    guard door.submission || door.catchesAll else {
      return bad(502, "5.5.1", "AUTH is for the submission port")
    }
    guard extended else { return bad(503, "5.5.1", "Say EHLO first") }
    guard door.passwordsAllowed || door.catchesAll else {
      return bad(538, "5.7.11", "A password needs an encrypted connection")
    }
    guard user == nil, envelope == nil else { return bad(503, "5.5.1", "AUTH comes once and before MAIL") }
    let words = argument.split(separator: 0x20)
    guard let mechanism = words.first, words.count <= 2 else {
      return bad(501, "5.5.4", "Say AUTH PLAIN or AUTH LOGIN")
    }
    // `=` is an initial response that is empty (RFC 4954 §4).
    let initial = words.count == 2 ? (words[1].elementsEqual([0x3D]) ? [] : Array(words[1])) : nil
    switch String(decoding: mechanism.map(\.asciiUppercased), as: UTF8.self) {
    case "PLAIN":
      phase = .credentials
      if let initial { return authentication(.line(initial, bare: false)) }
      challenge("")
    case "LOGIN":
      phase = .userName
      if let initial { return authentication(.line(initial, bare: false)) }
      challenge("VXNlcm5hbWU6")
    default:
      bad(504, "5.5.4", "Only PLAIN and LOGIN are known")
    }
  }

  /// The client answers a challenge.
  mutating func authentication(_ line: CommandLines.Line) {
    let before = phase
    phase = .command
    guard case .line(let octets, let bare) = line else { return bad(500, "5.5.6", "Line too long") }
    if bare { return bad(500, "5.5.2", "lines end in CRLF; use telnet or nc -C") }
    if octets == [0x2A] { return bad(501, "5.7.0", "Authentication cancelled") }
    guard let decoded = Base64.decode(octets) else { return bad(501, "5.5.2", "That is not base 64") }
    switch before {
    case .credentials:
      let parts = decoded.split(separator: 0, omittingEmptySubsequences: false)
      guard parts.count == 3, !parts[1].isEmpty else {
        return bad(501, "5.5.2", "PLAIN is authority NUL user NUL password")
      }
      // Nobody may act for somebody else here (RFC 4616 §2).
      guard parts[0].isEmpty || parts[0] == parts[1] else {
        return wrongPassword("The authority has to be the user, or empty")
      }
      check(parts[1], parts[2])
    case .userName:
      guard !decoded.isEmpty, let user = String(validating: decoded, as: UTF8.self) else {
        return bad(501, "5.5.2", "A user name is needed, in UTF-8")
      }
      phase = .password(user: user)
      challenge("UGFzc3dvcmQ6")
    case .password(let user):
      check(Array(user.utf8)[...], decoded[...])
    default:
      break
    }
  }

  private mutating func check(_ name: ArraySlice<UInt8>, _ password: ArraySlice<UInt8>) {
    // Read as something else, a password that is no text could be taken for another one that is none.
    guard let name = String(validating: name, as: UTF8.self),
      let password = String(validating: password, as: UTF8.self)
    else { return bad(501, "5.5.2", "User name and password are UTF-8") }
    phase = .authenticating(user: name)
    actions.append(.ask(.authenticate(user: name, password: password)))
  }

  private mutating func challenge(_ text: String) { reply(334, "", text) }
}
