import Octets

/// Text beyond ASCII in header fields: `=?charset?encoding?text?=` (RFC 2047, RFC 2231 §5).
public enum EncodedWord {
  /// The value of a field as text. What is no proper encoded word, or is in an unknown character set, stays as it stands.
  public static func decode(_ value: some Collection<UInt8>) -> String { read(value).text }

  /// The same with the first thing that could not be understood, if any. The work grows with the length alone.
  ///
  /// Blanks between two encoded words are dropped (RFC 2047 §6.2), and adjacent words in one character set are joined before
  /// they are read, since some writers split a character between them.
  public static func read(_ value: some Collection<UInt8>) -> (text: String, problem: String?) {
    let octets = Array(value)
    var text = ""
    var problem: String?
    var plain = 0
    var index = 0
    // Words that wait for the next one, which may go on with their last character.
    var charset: String?
    var joined: [UInt8] = []
    func show(_ octets: some Collection<UInt8>, _ charset: String?) {
      let decoded = Charset.decode(octets, named: charset)
      text += decoded.text
      problem = problem ?? decoded.problem
    }
    func flush() {
      if let charset { show(joined, charset) }
      charset = nil
      joined.removeAll(keepingCapacity: true)
    }
    while index < octets.count {
      guard octets[index] == 0x3D, let word = word(octets, index) else {
        index += 1
        continue
      }
      problem = problem ?? word.problem
      guard let content = word.octets else {
        index = word.end
        continue
      }
      let between = octets[plain..<index]
      if charset == nil || !between.allSatisfy({ $0.isASCIIBlank || $0 == 0x0D || $0 == 0x0A }) {
        flush()
        show(between, nil)
      } else if let last = charset, !last.utf8.equalsIgnoringASCIICase(word.charset.utf8) {
        flush()
      }
      charset = word.charset
      joined += content
      index = word.end
      plain = index
    }
    flush()
    show(octets[plain...], nil)
    return (text, problem)
  }

  /// One encoded word of a field.
  private struct Word {
    var charset: String
    /// Nil where the character set is not known, so that the word is shown raw.
    var octets: [UInt8]?
    var problem: String?
    var end: Int
  }

  /// The encoded word that begins at an index.
  private static func word(_ octets: [UInt8], _ start: Int) -> Word? {
    guard start + 1 < octets.count, octets[start + 1] == 0x3F else { return nil }
    // 75 octets by RFC 2047 §2; writers that exceed it are common, without bound they would cost.
    let window = octets[(start + 2)..<min(octets.count, start + 1000)]
    guard let first = window.firstIndex(of: 0x3F), first + 2 < window.endIndex, octets[first + 2] == 0x3F else {
      return nil
    }
    let body = window[(first + 3)...]
    guard let end = body.firstIndex(of: 0x3F), end + 1 < octets.count, octets[end + 1] == 0x3D,
      !octets[start..<end].contains(where: { $0 == 0x0D || $0 == 0x0A })
    else { return nil }
    let name = octets[(start + 2)..<first].prefix { $0 != 0x2A }
    guard !name.isEmpty, name.allSatisfy(TokenScanner.isToken) else { return nil }
    let charset = String(decoding: name, as: UTF8.self)
    let encoded = octets[(first + 3)..<end]
    let decoded: (octets: [UInt8], problem: String?)
    switch octets[first + 1].asciiLowercased {
    case 0x62: decoded = TransferEncoding.decodeBase64(encoded)
    case 0x71: decoded = TransferEncoding.decodeQuotedPrintable(spaced(encoded))
    default: return nil
    }
    guard Charset(charset) != nil || Charset.isASCIISuperset(charset) && decoded.octets.allSatisfy({ $0 < 128 }) else {
      return Word(charset: charset, octets: nil, problem: Charset.unknown(charset), end: end + 2)
    }
    return Word(charset: charset, octets: decoded.octets, problem: decoded.problem, end: end + 2)
  }

  /// An underscore is always a blank (RFC 2047 §4.2 (2)), also where quoted-printable would drop one.
  private static func spaced(_ encoded: ArraySlice<UInt8>) -> [UInt8] {
    encoded.flatMap { $0 == 0x5F ? [0x3D, 0x32, 0x30] : [$0] }
  }

  /// The encoded words, each of at most 75 octets, that carry a text in UTF-8; in Q where that is the shorter form, else in B.
  public static func words(_ text: String) -> [String] {
    let all = Array(text.utf8)
    let plain = all.reduce(0) { $0 + (isQSafe($1) ? 1 : 0) }
    let isQ = plain + (all.count - plain) * 3 <= (all.count + 2) / 3 * 4
    let room = 75 - "=?UTF-8?Q??=".utf8.count
    var words: [String] = []
    var piece: [UInt8] = []
    func cost(_ octets: [UInt8]) -> Int {
      isQ ? octets.reduce(0) { $0 + (isQSafe($1) || $1 == 0x20 ? 1 : 3) } : (octets.count + 2) / 3 * 4
    }
    func flush() {
      guard !piece.isEmpty else { return }
      words.append(
        "=?UTF-8?\(isQ ? "Q" : "B")?\(String(decoding: isQ ? q(piece) : Base64.encode(piece), as: UTF8.self))?=")
      piece = []
    }
    for scalar in text.unicodeScalars {
      let octets = Array(String(scalar).utf8)
      if cost(piece + octets) > room { flush() }
      piece += octets
    }
    flush()
    return words
  }

  /// The encoded words that carry octets of which nobody knows the character set (RFC 1428 §3).
  static func unknownWords(_ octets: [UInt8]) -> [String] {
    let room = 75 - "=?unknown-8bit?Q??=".utf8.count
    return stride(from: 0, to: octets.count, by: room / 3).map { start in
      let piece = octets[start..<min(octets.count, start + room / 3)]
      return "=?unknown-8bit?Q?\(String(decoding: q(Array(piece)), as: UTF8.self))?="
    }
  }

  /// Letters and digits and the few signs that are safe in a phrase too (RFC 2047 §5 (3)).
  private static func isQSafe(_ octet: UInt8) -> Bool {
    octet.isASCIIAlphanumeric || octet == 0x21 || octet == 0x2A || octet == 0x2B || octet == 0x2D || octet == 0x2F
  }

  private static func q(_ octets: [UInt8]) -> [UInt8] {
    var text: [UInt8] = []
    for octet in octets {
      if octet == 0x20 {
        text.append(0x5F)
      } else if isQSafe(octet) {
        text.append(octet)
      } else {
        text.append(0x3D)
        text += Hex.encode([octet]).utf8.map(\.asciiUppercased)
      }
    }
    return text
  }
}
