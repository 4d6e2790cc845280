import Octets

/// The character sets a letter's text is read in: UTF-8, US-ASCII, ISO 8859-1 and -15, Windows-1252.
public enum Charset: Sendable {
  case utf8, ascii, latin1, latin9, windows1252

  /// By its name in MIME or a usual alias, without case; nil for all others.
  public init?(_ name: String) {
    switch MailAddress.folded(name) {
    case "utf-8", "utf8": self = .utf8
    case "us-ascii", "ascii", "ansi_x3.4-1968": self = .ascii
    case "iso-8859-1", "iso8859-1", "iso_8859-1", "latin1", "l1": self = .latin1
    case "iso-8859-15", "iso8859-15", "iso_8859-15", "latin-9", "latin9": self = .latin9
    case "windows-1252", "cp1252", "x-cp1252": self = .windows1252
    default: return nil
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
    case .latin1: return (String(String.UnicodeScalarView(octets.map { Unicode.Scalar($0) })), nil)
    case .latin9: return (table(octets, latin9Scalar), nil)
    case .windows1252: return (table(octets, windows1252Scalar), nil)
    case .utf8, .ascii, nil:
      let isUTF8 = String(validating: octets, as: UTF8.self)
      let problem: String?
      switch known {
      case .utf8: problem = isUTF8 == nil ? "the text is not valid UTF-8; shown as windows-1252" : nil
      case .ascii: problem = name == nil && isUTF8 != nil ? nil : "the text has octets that are not in US-ASCII"
      default: problem = "the character set \(name ?? "") is not known here"
      }
      return (isUTF8 ?? table(octets, windows1252Scalar), problem)
    }
  }

  /// Whether octets under 128 mean ASCII in it, so that such text needs no table.
  private static func isASCIISuperset(_ name: String) -> Bool {
    if Charset(name) != nil { return true }
    let folded = MailAddress.folded(name)
    return ["iso-8859-", "windows-", "cp125", "koi8-", "gb", "big5", "euc-", "shift_jis", "macintosh", "unknown-8bit"]
      .contains { folded.hasPrefix($0) }
  }

  private static func table(_ octets: some Collection<UInt8>, _ scalar: (UInt8) -> Unicode.Scalar) -> String {
    var view = String.UnicodeScalarView()
    for octet in octets { view.append(scalar(octet)) }
    return String(view)
  }

  private static func latin9Scalar(_ octet: UInt8) -> Unicode.Scalar {
    switch octet {
    case 0xA4: "€"
    case 0xA6: "Š"
    case 0xA8: "š"
    case 0xB4: "Ž"
    case 0xB8: "ž"
    case 0xBC: "Œ"
    case 0xBD: "œ"
    case 0xBE: "Ÿ"
    default: Unicode.Scalar(octet)
    }
  }

  private static let windows1252High: [Unicode.Scalar] = [
    "€", "\u{81}", "‚", "ƒ", "„", "…", "†", "‡", "ˆ", "‰", "Š", "‹", "Œ", "\u{8D}", "Ž", "\u{8F}", "\u{90}", "‘", "’",
    "“", "”", "•", "–", "—", "˜", "™", "š", "›", "œ", "\u{9D}", "ž", "Ÿ",
  ]

  private static func windows1252Scalar(_ octet: UInt8) -> Unicode.Scalar {
    0x80..<0xA0 ~= octet ? windows1252High[Int(octet - 0x80)] : Unicode.Scalar(octet)
  }
}
