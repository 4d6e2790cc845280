import Octets

/// A letter as a person reads it: who, when, what about, its text, its attachments by number.
///
/// Reading never fails. What could not be understood is shown as it stands, and `problems` says why.
public struct ParsedMessage: Sendable {
  /// The letter's octets, which every range in the parts points into.
  public let letter: [UInt8]
  public let root: MIMEPart
  /// The leaf that is read as plain text, and those that follow it inline.
  private let textParts: [MIMEPart]
  private let htmlParts: [MIMEPart]
  /// Everything that is not text or html to be read, in the letter's order.
  public let attachments: [Attachment]
  /// What could not be understood of the structure.
  public let problems: [String]

  /// A part that is saved rather than read.
  public struct Attachment: Sendable {
    /// From 1.
    public let number: Int
    public let part: MIMEPart
    public var fileName: String? { part.fileName }
    /// `image/png`
    public var type: String { part.type.value }
    /// Without angle brackets; html names inline pictures by it.
    public var contentID: String? { part.contentID }
    /// It is shown inside the html rather than beside it.
    public var isInline: Bool {
      part.disposition?.value == "inline" || (part.disposition == nil && part.contentID != nil)
    }
  }

  public init(_ letter: [UInt8]) {
    self.letter = letter
    root = MIMEPart(letter)
    var sorter = Sorter()
    sorter.visit(root, inAlternative: false)
    textParts = sorter.text
    htmlParts = sorter.html
    attachments = sorter.attachments.enumerated().map { Attachment(number: $0.offset + 1, part: $0.element) }
    problems = sorter.problems
  }

  public var header: HeaderBlock { root.header }
  public var subject: String { header.first("Subject")?.text ?? "" }
  public var from: [NamedAddress] { addresses("From") }
  public var to: [NamedAddress] { addresses("To") }
  public var cc: [NamedAddress] { addresses("Cc") }
  public var replyTo: [NamedAddress] { addresses("Reply-To") }
  /// Seconds since 1970; nil where the field is missing or no date.
  public var date: Int64? { header.first("Date").flatMap { MailDate.parse($0.value) } }
  /// With its angle brackets.
  public var messageID: String? { header.first("Message-ID").flatMap { MessageID.list($0.value).first } }
  public var inReplyTo: [String] { header.first("In-Reply-To").map { MessageID.list($0.value) } ?? [] }
  public var references: [String] { header.first("References").map { MessageID.list($0.value) } ?? [] }

  /// The addresses of all fields of this name.
  public func addresses(_ name: String) -> [NamedAddress] {
    header.all(name).flatMap { NamedAddress.list($0.value) }
  }

  /// The plain text with LF line ends, of at most about `limit` octets of each part; nil where the letter has none.
  public func text(limit: Int = .max) -> (text: String, problem: String?)? { joined(textParts, limit) }

  /// The html, likewise.
  public func html(limit: Int = .max) -> (text: String, problem: String?)? { joined(htmlParts, limit) }

  private func joined(_ parts: [MIMEPart], _ limit: Int) -> (text: String, problem: String?)? {
    guard !parts.isEmpty else { return nil }
    let texts = parts.map { $0.text(of: letter, limit: limit) }
    return (texts.map(\.text).joined(separator: "\n"), texts.compactMap(\.problem).first)
  }

  /// The decoded octets of an attachment; those of an enclosed letter as they stand.
  public func content(of attachment: Attachment) -> (octets: [UInt8], problem: String?) {
    attachment.part.content(of: letter)
  }

  /// Sorts the leaves into text, html and attachments (RFC 2046 §5.1, RFC 2387).
  private struct Sorter {
    var text: [MIMEPart] = []
    var html: [MIMEPart] = []
    var attachments: [MIMEPart] = []
    var problems: [String] = []

    mutating func visit(_ part: MIMEPart, inAlternative: Bool) {
      problems += part.problems
      if case .unknown(let name) = part.encoding { problems.append("the transfer encoding \(name) is not known here") }
      if part.isMultipart {
        for child in part.parts {
          visit(child, inAlternative: part.type.value == "multipart/alternative" || inAlternative)
        }
        return
      }
      let isSaved =
        part.disposition?.value == "attachment" || (part.fileName != nil && part.disposition?.value != "inline")
      switch part.type.value {
      case "text/plain" where !isSaved && (!inAlternative || text.isEmpty): text.append(part)
      case "text/html" where !isSaved && (inAlternative ? html.isEmpty : true): html.append(part)
      case let type where type.hasPrefix("multipart/") && !isSaved:
        // A multipart that can't be taken apart is shown as it stands.
        text.append(part)
      default: attachments.append(part)
      }
    }
  }
}

/// Html without its marks, for search and for a line of preview; not for display.
public enum PlainText {
  /// Tags, comments, scripts and styles dropped, the usual entities replaced, runs of blanks made one.
  public static func ofHTML(_ html: String) -> String {
    var octets: [UInt8] = []
    var rest = Array(html.utf8)[...]
    while let octet = rest.first {
      switch octet {
      case 0x3C: rest = afterTag(rest)
      case 0x26:
        let (text, after) = entity(rest)
        octets += text
        rest = after
        continue
      default:
        octets.append(octet)
        rest.removeFirst()
        continue
      }
      octets.append(0x20)
    }
    let words = octets.split { $0.isASCIIBlank || $0 == 0x0D || $0 == 0x0A }
    return String(decoding: Array(words.joined(separator: [0x20])), as: UTF8.self)
  }

  private static func afterTag(_ rest: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
    for name in ["script", "style"] where rest.dropFirst().prefix(name.utf8.count).equalsIgnoringASCIICase(name.utf8) {
      var index = rest.startIndex
      let end = Array("</\(name)".utf8)
      while index < rest.endIndex, !rest[index...].prefix(end.count).equalsIgnoringASCIICase(end) { index += 1 }
      return rest[index...].drop { $0 != 0x3E }.dropFirst()
    }
    if rest.starts(with: "<!--".utf8) {
      var index = rest.startIndex + 4
      while index < rest.endIndex, !rest[index...].starts(with: "-->".utf8) { index += 1 }
      return rest[index...].dropFirst(3)
    }
    return rest.drop { $0 != 0x3E }.dropFirst()
  }

  private static func entity(_ rest: ArraySlice<UInt8>) -> (text: [UInt8], after: ArraySlice<UInt8>) {
    let name = rest.dropFirst().prefix(10).prefix { $0 != 0x3B }
    guard name.endIndex < rest.endIndex, rest[name.endIndex] == 0x3B else { return ([0x26], rest.dropFirst()) }
    let after = rest[(name.endIndex + 1)...]
    switch String(decoding: name, as: UTF8.self) {
    case "amp": return ([0x26], after)
    case "lt": return ([0x3C], after)
    case "gt": return ([0x3E], after)
    case "quot": return ([0x22], after)
    case "apos": return ([0x27], after)
    case "nbsp": return ([0x20], after)
    case let text where text.hasPrefix("#"):
      let isHex = text.hasPrefix("#x") || text.hasPrefix("#X")
      let value = isHex ? UInt32(text.dropFirst(2), radix: 16) : UInt32(text.dropFirst())
      guard let scalar = value.flatMap(Unicode.Scalar.init) else { break }
      return (Array(String(scalar).utf8), after)
    default: break
    }
    return ([0x26], rest.dropFirst())
  }
}
