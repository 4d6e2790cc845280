import Octets

/// A letter as a person reads it: who, when, what about, its text, its attachments by number.
///
/// Reading never fails. What could not be understood is shown as it stands, and `problems` says why.
public struct ParsedMessage: Sendable {
  /// The letter's octets, which every range in the parts points into.
  public let letter: [UInt8]
  public let root: MIMEPart
  /// The leaves that are read as plain text, one after the other.
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
    let reading = sorter.read(root)
    textParts = reading.text
    htmlParts = reading.html
    attachments = reading.saved.sorted { $0.range.lowerBound < $1.range.lowerBound }.enumerated().map {
      Attachment(number: $0.offset + 1, part: $0.element)
    }
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

  /// Octets of all fields of a name that are read for addresses.
  public static let addressLimit = 65_536

  /// The addresses of all fields of this name; what exceeds `addressLimit` is cut.
  public func addresses(_ name: String) -> [NamedAddress] {
    var left = ParsedMessage.addressLimit
    var list: [NamedAddress] = []
    for field in header.all(name) where left > 0 {
      let octets = field.value.prefix(left)
      // A cut address would be another one.
      let end = octets.count < field.value.count ? octets.lastIndex(of: 0x2C) ?? 0 : octets.endIndex
      list += NamedAddress.list(octets[..<end], limit: .max)
      left -= octets.count
    }
    return list
  }

  /// What of the addresses of all fields of this name is not read, if anything.
  public func addressProblem(_ name: String) -> String? {
    let octets = header.all(name).reduce(0) { $0 + $1.value.count }
    return octets > ParsedMessage.addressLimit
      ? "only the addresses in the first \(ParsedMessage.addressLimit) octets of \(name) are read" : nil
  }

  /// The plain text with LF line ends, of at most about `limit` octets of each part; nil where the letter has none.
  public func text(limit: Int = .max) -> (text: String, problems: [String])? { joined(textParts, limit) }

  /// The html, likewise.
  public func html(limit: Int = .max) -> (text: String, problems: [String])? { joined(htmlParts, limit) }

  private func joined(_ parts: [MIMEPart], _ limit: Int) -> (text: String, problems: [String])? {
    guard !parts.isEmpty else { return nil }
    let texts = parts.map { $0.text(of: letter, limit: limit) }
    return (texts.map(\.text).joined(separator: "\n"), texts.flatMap(\.problems))
  }

  /// The decoded octets of an attachment.
  public func content(of attachment: Attachment) -> (octets: [UInt8], problem: String?) {
    attachment.part.content(of: letter)
  }

  /// How a part is read: its leaves that are plain text, html, or to be saved.
  private struct Reading {
    var text: [MIMEPart] = []
    var html: [MIMEPart] = []
    var saved: [MIMEPart] = []

    /// One thing after the other, as in `multipart/mixed`.
    static func all(_ readings: [Reading]) -> Reading {
      Reading(text: readings.flatMap(\.text), html: readings.flatMap(\.html), saved: readings.flatMap(\.saved))
    }

    /// The same thing in several ways, from the plainest to the richest (RFC 2046 §5.1.4): the first that has plain text and the
    /// last that has html, each whole. What else there is to read can be saved, so that nothing is lost.
    static func best(_ readings: [Reading]) -> Reading {
      let plainest = readings.firstIndex { !$0.text.isEmpty }
      let richest = readings.lastIndex { !$0.html.isEmpty }
      var best = Reading()
      for (index, reading) in readings.enumerated() {
        if index == plainest { best.text = reading.text } else { best.saved += reading.text }
        if index == richest { best.html = reading.html } else { best.saved += reading.html }
        best.saved += reading.saved
      }
      return best
    }
  }

  /// Sorts the leaves (RFC 2046 §5.1, RFC 2387).
  private struct Sorter {
    var problems: [String] = []

    mutating func read(_ part: MIMEPart) -> Reading {
      problems += part.problems
      if case .unknown(let name) = part.encoding { problems.append("the transfer encoding \(name) is not known here") }
      if part.isMultipart {
        var readings: [Reading] = []
        for child in part.parts { readings.append(read(child)) }
        return part.type.value == "multipart/alternative" ? .best(readings) : .all(readings)
      }
      let isSaved =
        part.disposition?.value == "attachment" || (part.fileName != nil && part.disposition?.value != "inline")
      if isSaved { return Reading(saved: [part]) }
      switch part.type.value {
      case "text/html": return Reading(html: [part])
      // A multipart that can't be taken apart is shown as it stands.
      case let type where type == "text/plain" || type.hasPrefix("multipart/"): return Reading(text: [part])
      default: return Reading(saved: [part])
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
