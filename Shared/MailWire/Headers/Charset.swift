import Octets

/// The character sets a letter's text is read in: UTF-8, US-ASCII, and those of one octet a character (ISO 8859, Windows, KOI8,
/// IBM 866). The others, which have several octets a character or states, are shown raw.
public enum Charset: Sendable {
  case utf8, ascii
  /// What octets from 128 on mean.
  case singleByte([Unicode.Scalar])

  /// By its name in MIME or a usual alias, without case; nil for all others.
  public init?(_ name: String) {
    switch MailAddress.folded(name) {
    case "utf-8", "utf8": self = .utf8
    case "us-ascii", "ascii", "ansi_x3.4-1968": self = .ascii
    case let name:
      guard let table = SingleByteSets.tables[Charset.canonical(name)] else { return nil }
      self = .singleByte(table)
    }
  }

  /// The parts of ISO 8859 by the numbers of their alphabets.
  private static let latin = [1: 1, 2: 2, 3: 3, 4: 4, 5: 9, 6: 10, 7: 13, 8: 14, 9: 15, 10: 16]

  /// The name under which its table stands.
  private static func canonical(_ name: String) -> String {
    for (prefix, canonical) in [
      ("iso8859-", "iso-8859-"), ("iso_8859-", "iso-8859-"), ("x-cp", "windows-"), ("cp", "windows-"),
    ]
    where name.hasPrefix(prefix) && !name.hasPrefix("cp866") { return canonical + name.dropFirst(prefix.count) }
    for prefix in ["latin-", "latin", "l"] where name.hasPrefix(prefix) {
      if let part = Int(name.dropFirst(prefix.count)).flatMap({ latin[$0] }) { return "iso-8859-\(part)" }
    }
    switch name {
    case "cp866", "866": return "ibm866"
    case "koi8": return "koi8-r"
    case "tis-620": return "iso-8859-11"
    // Hebrew and Arabic by the direction in which they are written, which is Unicode's (RFC 1556).
    case "iso-8859-8-i": return "iso-8859-8"
    case "iso-8859-6-i": return "iso-8859-6"
    default: return name
    }
  }

  /// The text of octets in a named character set, and what was wrong with it, if anything.
  ///
  /// An unknown set, or octets that can't be in it, are read as UTF-8 where they are that, else as Windows-1252.
  public static func decode(_ octets: some Collection<UInt8>, named name: String?) -> (text: String, problem: String?) {
    if octets.allSatisfy({ $0 < 128 }), name.map(isASCIISuperset) ?? true {
      return (String(decoding: octets, as: UTF8.self), nil)
    }
    let known = name.map(Charset.init) ?? .ascii
    switch known {
    case .singleByte(let table):
      let scalars = octets.map { scalar($0, table) }
      let problem = "the text has octets that mean nothing in \(name ?? "")"
      return (String(String.UnicodeScalarView(scalars)), scalars.contains("\u{FFFD}") ? problem : nil)
    case .utf8, .ascii, nil:
      let isUTF8 = String(validating: octets, as: UTF8.self)
      let problem: String?
      switch known {
      case .utf8: problem = isUTF8 == nil ? "the text is not valid UTF-8; shown as windows-1252" : nil
      case .ascii: problem = name == nil && isUTF8 != nil ? nil : "the text has octets that are not in US-ASCII"
      default: problem = unknown(name ?? "")
      }
      let fallback = { octets.map { scalar($0, SingleByteSets.windows1252) } }
      return (isUTF8 ?? String(String.UnicodeScalarView(fallback())), problem)
    }
  }

  /// The reason why text in this set is shown raw.
  static func unknown(_ name: String) -> String { "the character set \(name) is not known here" }

  /// Whether octets under 128 mean ASCII in it, so that such text needs no table.
  static func isASCIISuperset(_ name: String) -> Bool {
    if Charset(name) != nil { return true }
    let folded = MailAddress.folded(name)
    return ["windows-", "gb", "big5", "euc-", "shift_jis", "macintosh", "unknown-8bit"].contains {
      folded.hasPrefix($0)
    }
  }

  private static func scalar(_ octet: UInt8, _ table: [Unicode.Scalar]) -> Unicode.Scalar {
    octet < 128 ? Unicode.Scalar(octet) : table[Int(octet - 128)]
  }
}
