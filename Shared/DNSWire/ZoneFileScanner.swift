import Octets

/// Why text is not a zone file, and where.
public struct ZoneFileError: Error, Hashable, Sendable, CustomStringConvertible {
  public enum Reason: Hashable, Sendable {
    /// `(` without `)`; the line is that of the `(`.
    case unclosedParenthesis
    case unopenedParenthesis
    /// The line or the file ends within quotes.
    case unclosedQuote
    /// `$INCLUDE`: a zone file names no other files here.
    case includeRefused
    case unknownDirective(String)
    /// The first record begins with a blank.
    case noOwner
    /// No TTL in the record, no `$TTL`, and no record before it.
    case noTTL
    /// Not a TTL, or above 2^31-1 (RFC 2181 §8).
    case badTTL(String)
    /// Zones here are of class IN.
    case badClass(String)
    case noType
    case badType(String)
    /// A name or the RDATA can't be read.
    case text(TextError)
    /// Where one record's data is all there is: a comment, a parenthesis or a line's end outside quotes.
    case layout(String)
  }

  /// From 1.
  public var line: Int
  public var reason: Reason

  public init(line: Int, reason: Reason) {
    self.line = line
    self.reason = reason
  }

  public var description: String { "line \(line): \(reason)" }
}

extension ZoneFileError.Reason: CustomStringConvertible {
  public var description: String {
    switch self {
    case .unclosedParenthesis: "( without )"
    case .unopenedParenthesis: ") without ("
    case .unclosedQuote: "\" without its end"
    case .includeRefused: "$INCLUDE is not allowed"
    case .unknownDirective(let text): "unknown directive \(text)"
    case .noOwner: "the first record has no owner name"
    case .noTTL: "no TTL: give one, or $TTL before"
    case .badTTL(let text): "bad TTL \(text): 0 to 2147483647 seconds"
    case .badClass(let text): "class \(text) is not IN"
    case .noType: "type and data are missing"
    case .badType(let text): "unknown type \(text)"
    case .text(let error): error.description
    case .layout(let text): "\(text) is not allowed outside quotes: put text that has it into quotes"
    }
  }
}

/// One entry of a master file: a line, or several within parentheses.
struct ZoneFileEntry: Equatable {
  /// Where it begins, from 1.
  var line: Int
  /// The line begins with a blank, so the owner is that of the entry before.
  var startsBlank: Bool
  var tokens: [TextToken]
}

/// Splits a master file into entries (RFC 1035 §5.1): blanks, comments, quotes, parentheses.
struct ZoneFileScanner {
  private let text: [UInt8]
  private let hasLayout: Bool
  private static let layout = Array("\r\n();".utf8)
  private var index = 0
  private var line = 1

  /// - Parameter hasLayout: false for the data of one record, which has no comments, no parentheses and one line: whoever
  ///   sends `v=DKIM1; k=rsa` does not mean a comment.
  init(_ text: [UInt8], hasLayout: Bool = true) {
    self.text = text
    self.hasLayout = hasLayout
  }

  /// The next entry that is not empty; nil at the end.
  mutating func next() throws(ZoneFileError) -> ZoneFileEntry? {
    while index < text.count {
      let entry = try scanEntry()
      if !entry.tokens.isEmpty { return entry }
    }
    return nil
  }

  private mutating func scanEntry() throws(ZoneFileError) -> ZoneFileEntry {
    var entry = ZoneFileEntry(line: line, startsBlank: text[index].isASCIIBlank, tokens: [])
    var openedAt: Int?
    while index < text.count {
      switch text[index] {
      case let octet where !hasLayout && Self.layout.contains(octet):
        throw ZoneFileError(
          line: line, reason: .layout(octet < 0x20 ? "a line's end" : String(UnicodeScalar(octet))))
      case 0x0A:
        index += 1
        line += 1
        if openedAt == nil { return entry }
      case 0x20, 0x09, 0x0D:
        index += 1
      case 0x3B:
        while index < text.count, text[index] != 0x0A { index += 1 }
      case 0x28:
        if openedAt != nil { throw ZoneFileError(line: line, reason: .unclosedParenthesis) }
        openedAt = line
        index += 1
      case 0x29:
        if openedAt == nil { throw ZoneFileError(line: line, reason: .unopenedParenthesis) }
        openedAt = nil
        index += 1
      case 0x22:
        entry.tokens.append(try scanQuoted())
      default:
        entry.tokens.append(scanPlain())
      }
    }
    if let openedAt { throw ZoneFileError(line: openedAt, reason: .unclosedParenthesis) }
    return entry
  }

  private mutating func scanQuoted() throws(ZoneFileError) -> TextToken {
    let start = index + 1
    index = start
    while index < text.count, text[index] != 0x0A {
      if text[index] == 0x22 {
        index += 1
        return TextToken(octets: Array(text[start..<(index - 1)]), isQuoted: true)
      }
      index += text[index] == 0x5C && index + 1 < text.count && text[index + 1] != 0x0A ? 2 : 1
    }
    throw ZoneFileError(line: line, reason: .unclosedQuote)
  }

  /// Up to a blank or a special octet; what follows a backslash is never special, but a line's end stays one.
  private mutating func scanPlain() -> TextToken {
    let start = index
    while index < text.count {
      switch text[index] {
      case 0x0A, 0x20, 0x09, 0x0D, 0x3B, 0x28, 0x29, 0x22: return TextToken(octets: Array(text[start..<index]))
      case 0x5C: index += index + 1 < text.count && text[index + 1] != 0x0A ? 2 : 1
      default: index += 1
      }
    }
    return TextToken(octets: Array(text[start...]))
  }
}
