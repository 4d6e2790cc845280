import Octets

/// Header fields for a host without 8BITMIME: octets beyond ASCII become encoded words (RFC 2047 §5) or extended parameters
/// (RFC 2231), where the field's grammar has a place for them.
enum SevenBitHeader {
  /// How a field's value is built.
  private enum Grammar {
    /// Free text (RFC 5322 §3.6.5), and every field that no standard knows (§3.6.8).
    case text
    case addresses
    case parameters
    /// Here encoded words would stand for themselves.
    case fixed
  }

  private static let addressFields: Set<String> = [
    "from", "sender", "reply-to", "to", "cc", "bcc", "resent-from", "resent-sender", "resent-to", "resent-cc",
    "resent-bcc", "disposition-notification-to",
  ]
  private static let fixedFields: Set<String> = [
    "date", "resent-date", "message-id", "resent-message-id", "in-reply-to", "references", "received", "return-path",
    "mime-version", "content-transfer-encoding", "content-id", "keywords", "dkim-signature", "authentication-results",
    "arc-seal", "arc-message-signature", "arc-authentication-results", "received-spf", "auto-submitted",
  ]

  private static func grammar(_ name: String) -> Grammar {
    let name = MailAddress.folded(name)
    if addressFields.contains(name) { return .addresses }
    if name == "content-type" || name == "content-disposition" { return .parameters }
    return fixedFields.contains(name) || name.hasPrefix("list-") ? .fixed : .text
  }

  /// The field in ASCII, line ends included; nil where its grammar has no place for what it says.
  static func rewritten(_ field: HeaderField) -> [UInt8]? {
    var writer = HeaderWriter()
    switch grammar(field.name) {
    case .text:
      if field.value.allSatisfy({ $0 < 0x80 }) || String(validating: field.value, as: UTF8.self) != nil {
        writer.text(field.name, EncodedWord.decode(field.value))
      } else {
        // Nobody knows the character set, and a guess must not go out as a fact (RFC 1428 §3).
        writer.unknown(field.name, field.value)
      }
    case .addresses:
      let list = NamedAddress.list(field.value, limit: .max)
      guard String(validating: field.value, as: UTF8.self) != nil, !list.isEmpty,
        list.allSatisfy({ $0.address?.needsUTF8 == false })
      else { return nil }
      writer.addresses(field.name, list)
    case .parameters:
      guard field.value.count <= HeaderField.readLimit, String(validating: field.value, as: UTF8.self) != nil else {
        return nil
      }
      writer.parameters(field.name, ParameterField(parsing: field.value))
    case .fixed: return nil
    }
    return SevenBit.isSevenBit(writer.bytes) ? writer.bytes : nil
  }
}
