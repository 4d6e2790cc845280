import Octets

/// Why a path or an address was refused; the text says it to the person at the other end.
public struct AddressError: Error, Equatable, CustomStringConvertible {
  public let description: String
  init(_ description: String) { self.description = description }
}

/// Reads paths and mailboxes from the front of a line, strictly by RFC 5321 §4.1.2.
struct AddressReader {
  private(set) var rest: ArraySlice<UInt8>

  init(_ octets: ArraySlice<UInt8>) { rest = octets }

  var isAtEnd: Bool { rest.isEmpty }

  private mutating func skip(_ octet: UInt8) -> Bool {
    guard rest.first == octet else { return false }
    rest.removeFirst()
    return true
  }

  /// `Mailbox`: local part, `@`, and a domain or an address literal.
  mutating func mailbox() throws(AddressError) -> MailAddress {
    let local = try localPart()
    guard skip(0x40) else { throw AddressError("an address needs @ and a domain") }
    return MailAddress(checkedLocal: local, domain: try domain())
  }

  /// `Path`, source route included and dropped (RFC 5321 §4.1.1.3); nil is the null path `<>`.
  mutating func path() throws(AddressError) -> MailAddress? {
    guard skip(0x3C) else { throw AddressError("an address stands in angle brackets: <user@example.org>") }
    if skip(0x3E) { return nil }
    if rest.first == 0x40 {
      repeat {
        guard skip(0x40) else { throw AddressError("a source route is a list of @domain") }
        _ = try domain()
      } while skip(0x2C)
      guard skip(0x3A) else { throw AddressError("a source route ends in a colon") }
    }
    let local = try localPart()
    var address = MailAddress(checkedLocal: local, domain: "")
    if skip(0x40) {
      address = MailAddress(checkedLocal: local, domain: try domain())
    } else {
      guard address.isPostmaster else { throw AddressError("an address needs @ and a domain") }
    }
    guard skip(0x3E) else { throw AddressError("the address is not closed by >") }
    return address
  }

  private mutating func localPart() throws(AddressError) -> String {
    let octets = rest.first == 0x22 ? try quotedString() : try dotString()
    guard octets.count <= MailAddress.localLimit else { throw AddressError("the local part exceeds 64 octets") }
    guard MailAddress.isLocal(octets) else { throw AddressError("the local part is not UTF-8 without controls") }
    return String(decoding: octets, as: UTF8.self)
  }

  private mutating func dotString() throws(AddressError) -> [UInt8] {
    let text = rest.prefix { $0 == 0x2E || MailAddress.isAtomText($0) }
    guard MailAddress.isDotString(text) else {
      throw AddressError("the local part is not a dot-string; other characters need quotes")
    }
    rest = rest[text.endIndex...]
    return Array(text)
  }

  private mutating func quotedString() throws(AddressError) -> [UInt8] {
    rest.removeFirst()
    var octets: [UInt8] = []
    while let octet = rest.popFirst() {
      switch octet {
      case 0x22:
        guard !octets.isEmpty else { throw AddressError("the local part is empty") }
        return octets
      case 0x5C:
        guard let escaped = rest.popFirst(), !escaped.isASCIIControl, escaped < 128 else {
          throw AddressError("a backslash escapes one printable character")
        }
        octets.append(escaped)
      default:
        guard !octet.isASCIIControl else { throw AddressError("a control character in the local part") }
        octets.append(octet)
      }
    }
    throw AddressError("the quoted local part does not end")
  }

  private mutating func domain() throws(AddressError) -> String {
    if rest.first == 0x5B {
      guard let close = rest.firstIndex(of: 0x5D), MailAddress.isLiteral(rest[...close]) else {
        throw AddressError("an address literal is [127.0.0.1] or [IPv6:::1]")
      }
      defer { rest = rest[(close + 1)...] }
      return String(decoding: rest[...close], as: UTF8.self)
    }
    let text = rest.prefix { $0 >= 128 || $0.isASCIIAlphanumeric || $0 == 0x2D || $0 == 0x2E || $0 == 0x5F }
    guard MailAddress.isDomain(text) else { throw AddressError("the domain is not a host name") }
    rest = rest[text.endIndex...]
    return String(decoding: text, as: UTF8.self)
  }
}

/// What follows `MAIL FROM:` and `RCPT TO:` on the line.
public struct SMTPPath: Equatable, Sendable {
  /// Nil is the null path `<>`. `postmaster` may come without a domain.
  public let address: MailAddress?
  /// The ESMTP parameters in their order (RFC 5321 §4.1.2 `esmtp-param`).
  public let parameters: [Parameter]

  /// One `KEYWORD` or `KEYWORD=value`.
  public struct Parameter: Equatable, Sendable {
    /// In upper case.
    public let keyword: String
    public let value: String?
  }

  /// Reads `<path> KEY=VALUE …`; blanks before the path are let through, since many clients send `FROM: <a@b>`.
  ///
  /// Throws what is wrong with the path or the parameters; 501 is the reply for it.
  public init(_ line: some Collection<UInt8>) throws(AddressError) {
    let (address, rest) = try SMTPPath.split(Array(line)[...])
    self.address = address
    parameters = try SMTPPath.parameters(rest)
  }

  /// Reads the path at the front alone and returns what follows it.
  public static func split(
    _ octets: ArraySlice<UInt8>
  ) throws(AddressError) -> (address: MailAddress?, rest: ArraySlice<UInt8>) {
    var reader = AddressReader(octets.drop { $0.isASCIIBlank })
    let address = try reader.path()
    return (address, reader.rest)
  }

  private static func parameters(_ rest: ArraySlice<UInt8>) throws(AddressError) -> [Parameter] {
    guard rest.first.map(\.isASCIIBlank) ?? true else { throw AddressError("a blank has to follow the path") }
    var parameters: [Parameter] = []
    for word in rest.split(whereSeparator: \.isASCIIBlank) {
      let equals = word.firstIndex(of: 0x3D)
      let keyword = word[..<(equals ?? word.endIndex)]
      guard let first = keyword.first, first.isASCIIAlphanumeric,
        keyword.allSatisfy({ $0.isASCIIAlphanumeric || $0 == 0x2D })
      else { throw AddressError("a parameter is KEYWORD or KEYWORD=value") }
      let value = equals.map { word[($0 + 1)...] }
      if let value {
        guard !value.isEmpty, value.allSatisfy({ $0 > 0x20 && $0 != 0x7F && $0 != 0x3D }), MailAddress.isUTF8(value)
        else { throw AddressError("a parameter's value is printable text without =") }
      }
      parameters.append(
        Parameter(
          keyword: String(decoding: keyword.map(\.asciiUppercased), as: UTF8.self),
          value: value.map { String(decoding: $0, as: UTF8.self) }))
    }
    return parameters
  }

  /// The value of the first parameter with this keyword (upper case); empty text where it has none.
  public func value(_ keyword: String) -> String? {
    parameters.first { $0.keyword == keyword }.map { $0.value ?? "" }
  }
}
