import Octets

/// Writes header fields: folded at 78 octets where there is a blank to fold at, ASCII alone, and no text can begin a field of its own.
public struct HeaderWriter: Sendable {
  public private(set) var bytes: [UInt8] = []
  private var column = 0

  public init() {}

  /// Free text, such as a subject (RFC 5322 §2.2.1).
  public mutating func text(_ name: String, _ text: String) {
    words(name, HeaderWriter.unstructured(text))
  }

  /// Free text in a character set that nobody knows.
  mutating func unknown(_ name: String, _ octets: [UInt8]) {
    words(name, EncodedWord.unknownWords(octets))
  }

  /// A structured value that is ASCII already; folded at its blanks.
  public mutating func structured(_ name: String, _ value: String) {
    words(name, value.split(separator: " ").map(String.init))
  }

  /// Mailboxes (RFC 5322 §3.4); nothing is written for none.
  public mutating func addresses(_ name: String, _ list: [NamedAddress]) {
    guard !list.isEmpty else { return }
    begin(name)
    for (index, address) in list.enumerated() {
      let comma = index == list.count - 1 ? "" : ","
      let phrase = address.name.isEmpty ? [] : HeaderWriter.phrase(address.name)
      let spec = address.address?.description ?? address.raw
      for word in phrase { put(word) }
      put((phrase.isEmpty ? spec : "<\(spec)>") + comma)
    }
    end()
  }

  /// A value with parameters, such as Content-Type (RFC 2045 §5.1, RFC 2231).
  public mutating func parameters(_ name: String, _ field: ParameterField) {
    words(name, field.encodedWords)
  }

  /// The empty line between header and body.
  public mutating func endHeader() {
    bytes += [0x0D, 0x0A]
  }

  private mutating func words(_ name: String, _ words: [String]) {
    begin(name)
    for word in words { put(word) }
    end()
  }

  private mutating func begin(_ name: String) {
    bytes += name.utf8
    bytes.append(0x3A)
    column = name.utf8.count + 1
  }

  private mutating func put(_ word: String) {
    let count = word.utf8.count
    if column + 1 + count > 78, column > 1 {
      bytes += [0x0D, 0x0A]
      column = 0
    }
    bytes.append(0x20)
    for octet in word.utf8 { bytes.append(octet.isASCIIControl ? 0x20 : octet) }
    column += 1 + count
  }

  private mutating func end() {
    bytes += [0x0D, 0x0A]
  }

  /// The words of a text: as they are if all is printable ASCII, else encoded. Runs of blanks keep their length.
  static func unstructured(_ text: String) -> [String] {
    let clean = cleaned(text)
    let parts = clean.split(separator: " ", omittingEmptySubsequences: false)
    let isPlain =
      clean.utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7F } && !clean.contains("=?")
      && parts.allSatisfy { $0.utf8.count <= 200 } && !clean.hasPrefix(" ") && !clean.hasSuffix(" ")
      && !clean.contains("  ")
    return isPlain ? parts.map(String.init) : EncodedWord.words(clean)
  }

  /// A display name: atoms, a quoted string or encoded words (RFC 5322 §3.2.5, RFC 2047 §5).
  static func phrase(_ name: String) -> [String] {
    let clean = cleaned(name)
    guard clean.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7F }), !clean.contains("=?"), clean.utf8.count <= 200 else {
      return EncodedWord.words(clean)
    }
    let atoms = clean.split(separator: " ", omittingEmptySubsequences: false)
    if atoms.allSatisfy({ !$0.isEmpty && $0.utf8.allSatisfy(MailAddress.isAtomText) }) { return atoms.map(String.init) }
    return [MailAddress.quoted(Array(clean.utf8))]
  }

  /// Line ends and other controls become blanks.
  private static func cleaned(_ text: String) -> String {
    String(String.UnicodeScalarView(text.unicodeScalars.map { $0.value < 0x20 || $0.value == 0x7F ? " " : $0 }))
  }
}
