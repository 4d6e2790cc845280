import MailWire
import Octets

/// The commands of RFC 5321 §4.1.1, one function each.
extension SMTPSession {
  mutating func command(_ line: CommandLines.Line) {
    guard case .line(let octets, let bare) = line else {
      return bad(500, "5.5.2", "Line too long")
    }
    if bare { return bad(500, "5.5.2", "lines end in CRLF; use telnet or nc -C") }
    let verbEnd = octets.firstIndex(of: 0x20) ?? octets.count
    let verb = String(decoding: octets[..<verbEnd].map(\.asciiUppercased), as: UTF8.self)
    let argument = trimmed(octets[verbEnd...])
    switch verb {
    case "HELO": hello(argument, extended: false)
    case "EHLO": hello(argument, extended: true)
    case "MAIL": mail(argument)
    case "RCPT": recipient(argument)
    case "DATA": startData(argument)
    case "RSET":
      reset()
      good(250, "2.0.0", "Reset")
    case "NOOP": good(250, "2.0.0", "Ok")
    case "QUIT":
      reply(221, "2.0.0", "\(hostname) closing connection")
      close()
    case "VRFY" where argument.isEmpty, "EXPN" where argument.isEmpty: bad(501, "5.5.4", "\(verb) needs a name")
    case "VRFY": good(252, "2.1.5", "Can't tell, but mail for a user here will be taken")
    case "EXPN": bad(502, "5.5.1", "There are no mailing lists here")
    case "HELP": help()
    case "AUTH": authenticate(argument)
    case "STARTTLS", "BDAT", "TURN", "ETRN", "SEND", "SOML", "SAML": bad(502, "5.5.1", "\(verb) is not implemented")
    case "GET", "POST", "PUT", "HEAD", "CONNECT":
      // A web page made someone's browser talk to this port: what follows is not mail.
      sayGoodbye("4.7.0", "this is a mail server, closing connection")
    default: bad(500, "5.5.1", "Command unknown; HELP lists the commands")
    }
  }

  private func trimmed(_ octets: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
    var rest = octets.drop(while: \.isASCIIBlank)
    while let last = rest.last, last.isASCIIBlank { rest.removeLast() }
    return rest
  }

  private mutating func hello(_ argument: ArraySlice<UInt8>, extended wanted: Bool) {
    let name = String(decoding: argument, as: UTF8.self)
    guard !argument.isEmpty, argument.count <= 255, argument.allSatisfy(Self.isNameOctet) else {
      // No reply to EHLO or HELO has an enhanced code (RFC 2034 §4).
      return bad(501, "", "Say \(wanted ? "EHLO" : "HELO") and the name of your host")
    }
    reset()
    client = name
    extended = wanted
    errors = 0
    guard wanted else { return reply(250, "", "Hello \(name), pleased to meet you") }
    var text = "250-\(hostname) Hello \(name), pleased to meet you\r\n"
    text += "250-PIPELINING\r\n250-SIZE \(limits.size)\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n"
    if offersAuthentication { text += "250-AUTH PLAIN LOGIN\r\n" }
    text += "250-ENHANCEDSTATUSCODES\r\n250 HELP\r\n"
    actions.append(.reply(Array(text.utf8)))
  }

  /// Letters, digits, `-`, `.`, `_`, an address literal's brackets and colons: nothing that could break the Received line
  /// the name goes into. An international name comes in its ASCII form (RFC 6531 §3.7.1).
  private static func isNameOctet(_ octet: UInt8) -> Bool {
    octet.isASCIIAlphanumeric || [0x2D, 0x2E, 0x5F, 0x5B, 0x5D, 0x3A].contains(octet)
  }

  /// The path after `FROM:` or `TO:` and its parameters. A space after the colon, as people type it, is let through.
  /// - Parameter badAddress: the enhanced code for an address that is none.
  private func path(
    _ argument: ArraySlice<UInt8>, after keyword: String, usage: String, badAddress: String
  ) throws(Complaint) -> SMTPPath {
    guard argument.prefix(keyword.utf8.count).equalsIgnoringASCIICase(keyword.utf8) else {
      throw Complaint(enhanced: "5.5.4", text: "Say \(usage)")
    }
    do throws(AddressError) {
      return try SMTPPath(argument.dropFirst(keyword.utf8.count))
    } catch {
      throw Complaint(enhanced: badAddress, text: "\(error); say \(usage)")
    }
  }

  private struct Complaint: Error {
    var enhanced: String
    var text: String
  }

  private mutating func mail(_ argument: ArraySlice<UInt8>) {
    guard client != nil else { return bad(503, "5.5.1", "Say HELO or EHLO first") }
    guard envelope == nil else { return bad(503, "5.5.1", "A letter is begun already; RSET forgets it") }
    if door.submission && user == nil && !door.catchesAll {
      return bad(530, "5.7.0", "Authentication required")
    }
    let path: SMTPPath
    do throws(Complaint) {
      path = try self.path(argument, after: "FROM:", usage: "MAIL FROM:<user@domain>", badAddress: "5.1.7")
    } catch {
      return bad(501, error.enhanced, error.text)
    }
    if let sender = path.address, sender.domain.isEmpty {
      return bad(553, "5.1.7", "\(sender)... the sender needs a domain")
    }
    if let problem = foreignSender(path.address) { return bad(553, "5.7.1", problem) }
    let parameters = path.parameters
    var letter = SMTPEnvelope(sender: path.address)
    if !parameters.isEmpty && !extended { return bad(555, "5.5.4", "Parameters need EHLO") }
    guard Set(parameters.map(\.keyword)).count == parameters.count else {
      return bad(501, "5.5.4", "A parameter is given twice")
    }
    for parameter in parameters {
      switch (parameter.keyword, parameter.value?.uppercased()) {
      case ("SIZE", let text?):
        // More digits than an Int holds are certainly too many octets.
        guard text.utf8.count <= 20, text.utf8.allSatisfy(\.isASCIIDigit) else {
          return bad(501, "5.5.4", "SIZE is a number of octets")
        }
        if (Int(text) ?? .max) > limits.size {
          return bad(552, "5.3.4", "The letter is larger than \(limits.size) octets")
        }
      case ("BODY", "7BIT"?): break
      case ("BODY", "8BITMIME"?): letter.eightBit = true
      case ("SMTPUTF8", nil): letter.utf8 = true
      case ("AUTH", .some) where offersAuthentication: break
      case ("SIZE", nil), ("BODY", _), ("SMTPUTF8", _):
        return bad(501, "5.5.4", "\(parameter.keyword) has a wrong value")
      default: return bad(555, "5.5.4", "Parameter \(parameter.keyword) is not known")
      }
    }
    if path.address?.needsUTF8 == true && !letter.utf8 { return bad(553, "5.6.7", "This address needs SMTPUTF8") }
    envelope = letter
    good(250, "2.1.0", "\(path.address?.description ?? "<>")... Sender ok")
  }

  /// Who has logged in sends in nobody else's name (RFC 6409 §6.1). The null path belongs to nobody and is everyone's: the
  /// receipts that mail programs send have to carry it (RFC 8098 §3).
  private func foreignSender(_ sender: MailAddress?) -> String? {
    guard let sender, let owner, sender.folded != owner.folded else { return nil }
    return "\(sender)... this address is not yours; you are logged in as \(owner)"
  }

  private mutating func recipient(_ argument: ArraySlice<UInt8>) {
    guard let envelope else { return bad(503, "5.5.1", "Say MAIL first") }
    let path: SMTPPath
    do throws(Complaint) {
      path = try self.path(argument, after: "TO:", usage: "RCPT TO:<user@domain>", badAddress: "5.1.3")
    } catch {
      return refuse(501, error.enhanced, error.text)
    }
    guard let address = path.address else { return refuse(501, "5.1.3", "<> is no recipient") }
    if let parameter = path.parameters.first {
      return refuse(555, "5.5.4", "Parameter \(parameter.keyword) is not known")
    }
    if address.needsUTF8 && !envelope.utf8 { return refuse(553, "5.6.7", "This address needs SMTPUTF8") }
    guard envelope.recipients.count < limits.recipients else {
      return reply(452, "4.5.3", "Too many recipients; send the rest in another transaction")
    }
    phase = .verifying(address)
    actions.append(.ask(.verify(address, trusted: user != nil)))
  }

  private mutating func startData(_ argument: ArraySlice<UInt8>) {
    guard argument.isEmpty else { return bad(501, "5.5.4", "DATA stands alone") }
    guard let envelope else { return bad(503, "5.5.1", "Say MAIL and RCPT first") }
    guard !envelope.recipients.isEmpty else { return bad(554, "5.5.1", "No valid recipients") }
    phase = .data
    data = DataDecoder(sizeLimit: limits.size, lineLimit: limits.textLine)
    good(354, "", "Enter mail, end with \".\" on a line by itself")
  }

  private mutating func help() {
    let lines = [
      "HELO EHLO MAIL RCPT DATA RSET NOOP VRFY HELP QUIT" + (offersAuthentication ? " AUTH" : ""),
      "A letter: HELO your.host, MAIL FROM:<you@your.domain>, RCPT TO:<user@domain>,",
      "DATA, the letter's lines, a line with a single dot, QUIT.",
    ]
    errors = 0
    for (index, line) in lines.enumerated() {
      let code = extended ? "2.0.0 " : ""
      actions.append(.reply(Array("214\(index + 1 < lines.count ? "-" : " ")\(code)\(line)\r\n".utf8)))
    }
  }
}
