public import Octets

/// A mailbox: who on which host (RFC 5321 §4.1.2 `Mailbox`, RFC 6531 §3.3 for UTF-8).
///
/// The local part keeps its case and counts with it; domains are compared without case (RFC 5321 §2.4).
public struct MailAddress: Sendable {
  /// What stands before the `@`, without quotes and escapes: `"john doe"@x` has the local part `john doe`.
  public let local: String
  /// As written; an address literal keeps its brackets. Empty only for `postmaster` without a domain.
  public let domain: String

  /// 64 octets (RFC 5321 §4.5.3.1.1).
  public static let localLimit = 64
  /// 255 octets (RFC 5321 §4.5.3.1.2).
  public static let domainLimit = 255

  /// From its two parts, the local part unquoted; nil where no mail could be sent to it.
  public init?(local: String, domain: String) {
    let octets = Array(domain.utf8)
    guard
      MailAddress.isLocal(Array(local.utf8)), MailAddress.isDomain(octets[...]) || MailAddress.isLiteral(octets[...])
    else { return nil }
    self.local = local
    self.domain = domain
  }

  /// From text such as `alice@crepes.fr`, `"a b"@crepes.fr` or `bob@[127.0.0.1]`; nothing may stand around it.
  public init?(_ text: some StringProtocol) {
    self.init(octets: Array(text.utf8)[...])
  }

  /// As `init(_:)`, from octets.
  public init?(octets: ArraySlice<UInt8>) {
    var reader = AddressReader(octets)
    guard let address = try? reader.mailbox(), reader.isAtEnd else { return nil }
    self = address
  }

  init(checkedLocal local: String, domain: String) {
    self.local = local
    self.domain = domain
  }

  /// `postmaster` without a domain, the one mailbox that may lack it (RFC 5321 §4.5.1).
  public static let postmaster = MailAddress(checkedLocal: "postmaster", domain: "")

  /// Whether it is `postmaster`, in any case, at any domain.
  public var isPostmaster: Bool { local.utf8.equalsIgnoringASCIICase("postmaster".utf8) }

  /// Whether the next hop has to know SMTPUTF8 (RFC 6531 §3.2).
  public var needsUTF8: Bool { !local.utf8.allSatisfy { $0 < 128 } || !domain.utf8.allSatisfy { $0 < 128 } }

  /// The address in an address literal, `[127.0.0.1]` or `[IPv6:::1]` (RFC 5321 §4.1.3).
  public var literal: IPAddress? {
    guard domain.utf8.first == 0x5B else { return nil }
    return MailAddress.literalAddress(Array(domain.utf8)[...])
  }

  /// The domain's key.
  public var foldedDomain: String { MailAddress.domainKey(domain) }

  /// The same mailbox for hosts that know ASCII alone; as it is where that is impossible.
  public var withASCIIDomain: MailAddress {
    let isASCII = domain.utf8.allSatisfy { $0 < 128 }
    return isASCII ? self : MailAddress(local: local, domain: foldedDomain) ?? self
  }

  /// The whole address with its local part composed (RFC 6532 §3.1), the ASCII letters of that in lower case, and its domain's key:
  /// under this a host that gives no meaning to case finds a mailbox.
  public var folded: String {
    domain.isEmpty ? MailAddress.key(quotedLocal) : "\(MailAddress.key(quotedLocal))@\(foldedDomain)"
  }

  /// What all spellings of a domain have in common: its name in the DNS (RFC 5891 §5), so that `BÜCHER.example` and
  /// `xn--bcher-kva.example` are one. What can't be such a name is put in lower case.
  public static func domainKey(_ domain: String) -> String { HostName.ascii(domain) ?? key(domain) }

  static func folded(_ text: String) -> String {
    String(decoding: text.utf8.map(\.asciiLowercased), as: UTF8.self)
  }

  /// Composed and folded; composed once more, since there are marks that join small letters alone.
  private static func key(_ text: String) -> String { folded(text.composed).composed }

  /// The local part as it stands on the wire: quoted where it has to be (RFC 5321 §4.1.2).
  public var quotedLocal: String {
    let octets = Array(local.utf8)
    return MailAddress.isDotString(octets[...]) ? local : MailAddress.quoted(octets)
  }

  static func quoted(_ octets: [UInt8]) -> String {
    var text: [UInt8] = [0x22]
    for octet in octets {
      if octet == 0x22 || octet == 0x5C { text.append(0x5C) }
      text.append(octet)
    }
    text.append(0x22)
    return String(decoding: text, as: UTF8.self)
  }
}

extension MailAddress: Hashable, CustomStringConvertible {
  public static func == (left: MailAddress, right: MailAddress) -> Bool {
    left.local == right.local
      && (left.domain.utf8.equalsIgnoringASCIICase(right.domain.utf8) || left.foldedDomain == right.foldedDomain)
  }

  public func hash(into hasher: inout Hasher) {
    hasher.combine(local)
    hasher.combine(foldedDomain)
  }

  /// `local@domain`, quoted where needed; a path without its angle brackets.
  public var description: String { domain.isEmpty ? quotedLocal : "\(quotedLocal)@\(domain)" }

  /// `<local@domain>`.
  public var path: String { "<\(description)>" }
}

extension MailAddress {
  /// RFC 5322 §3.2.3 `atext`, and every octet of UTF-8 beyond ASCII (RFC 6531 §3.3).
  static func isAtomText(_ octet: UInt8) -> Bool {
    if octet >= 128 || octet.isASCIIAlphanumeric { return true }
    switch octet {
    case 0x21, 0x23...0x27, 0x2A, 0x2B, 0x2D, 0x2F, 0x3D, 0x3F, 0x5E...0x60, 0x7B...0x7E: return true
    default: return false
    }
  }

  /// Atoms joined by single dots.
  static func isDotString(_ octets: ArraySlice<UInt8>) -> Bool {
    guard let last = octets.last, last != 0x2E else { return false }
    var afterDot = true
    for octet in octets {
      if octet == 0x2E {
        if afterDot { return false }
        afterDot = true
      } else {
        guard isAtomText(octet) else { return false }
        afterDot = false
      }
    }
    return true
  }

  static func isLocal(_ octets: [UInt8]) -> Bool {
    guard !octets.isEmpty, octets.count <= localLimit, let text = String(validating: octets, as: UTF8.self) else {
      return false
    }
    return text.unicodeScalars.allSatisfy { $0.properties.generalCategory != .control }
  }

  /// Labels of letters, digits and inner hyphens, or of UTF-8, joined by dots (RFC 5321 §4.1.2 `Domain`, RFC 6531 §3.3).
  static func isDomain(_ octets: ArraySlice<UInt8>) -> Bool {
    guard !octets.isEmpty, octets.count <= domainLimit else { return false }
    return octets.split(separator: 0x2E, omittingEmptySubsequences: false).allSatisfy { label in
      label.first != 0x2D && label.last != 0x2D && HostName.asciiLabel(label) != nil
    }
  }

  static func isLiteral(_ octets: ArraySlice<UInt8>) -> Bool { literalAddress(octets) != nil }

  static func literalAddress(_ octets: ArraySlice<UInt8>) -> IPAddress? {
    guard octets.first == 0x5B, octets.last == 0x5D, octets.count >= 2 else { return nil }
    var inner = octets.dropFirst().dropLast()
    let tag = Array("IPv6:".utf8)
    let isV6 = inner.prefix(tag.count).equalsIgnoringASCIICase(tag)
    if isV6 { inner = inner.dropFirst(tag.count) }
    guard let address = IPAddress(String(decoding: inner, as: UTF8.self)), address.isV4 != isV6 else { return nil }
    return address
  }

  static func isUTF8(_ octets: ArraySlice<UInt8>) -> Bool {
    octets.allSatisfy { $0 < 128 } || String(validating: octets, as: UTF8.self) != nil
  }
}
