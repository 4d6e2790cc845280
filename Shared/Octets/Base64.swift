/// Base 64 by RFC 4648 §4, and its URL-safe alphabet (§5).
public enum Base64 {
  static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
  static let urlAlphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)

  /// Octet to 6-bit value, both alphabets; 0xFF for all others.
  static let values: [UInt8] = {
    var table = [UInt8](repeating: 0xFF, count: 256)
    for (value, octet) in alphabet.enumerated() { table[Int(octet)] = UInt8(value) }
    for (value, octet) in urlAlphabet.enumerated() { table[Int(octet)] = UInt8(value) }
    return table
  }()

  /// Padded, in one line.
  public static func encode(_ octets: some Collection<UInt8>) -> [UInt8] {
    encode(Array(octets), alphabet, padded: true)
  }

  /// URL-safe and without padding (RFC 4648 §5, RFC 7515 §2).
  public static func encodeURL(_ octets: some Collection<UInt8>) -> [UInt8] {
    encode(Array(octets), urlAlphabet, padded: false)
  }

  private static func encode(_ octets: [UInt8], _ alphabet: [UInt8], padded: Bool) -> [UInt8] {
    var text: [UInt8] = []
    text.reserveCapacity((octets.count + 2) / 3 * 4)
    for start in stride(from: 0, to: octets.count, by: 3) {
      let held = min(3, octets.count - start)
      var bits = UInt32(octets[start]) << 16
      if held > 1 { bits |= UInt32(octets[start + 1]) << 8 }
      if held > 2 { bits |= UInt32(octets[start + 2]) }
      text.append(alphabet[Int(bits >> 18)])
      text.append(alphabet[Int(bits >> 12 & 0x3F)])
      if held > 1 { text.append(alphabet[Int(bits >> 6 & 0x3F)]) }
      if held > 2 { text.append(alphabet[Int(bits & 0x3F)]) }
    }
    while padded, text.count % 4 != 0 { text.append(0x3D) }
    return text
  }

  /// The octets, or nil unless the text is wholly canonical: a foreign octet, wrong padding or stray bits refuse it (RFC 4648 §3).
  public static func decode(_ text: some Collection<UInt8>) -> [UInt8]? {
    let text = Array(text)
    guard text.count % 4 == 0 else { return nil }
    let padding = text.suffix(2).reversed().prefix { $0 == 0x3D }.count
    return decodeBody(text.dropLast(padding), excluding: (0x2D, 0x5F))
  }

  /// The octets of URL-safe text without padding, or nil.
  public static func decodeURL(_ text: some Collection<UInt8>) -> [UInt8]? {
    decodeBody(Array(text)[...], excluding: (0x2B, 0x2F))
  }

  private static func decodeBody(_ text: ArraySlice<UInt8>, excluding foreign: (UInt8, UInt8)) -> [UInt8]? {
    guard text.count % 4 != 1 else { return nil }
    let values = values
    var octets: [UInt8] = []
    octets.reserveCapacity(text.count * 3 / 4)
    var bits: UInt32 = 0
    var held = 0
    for octet in text {
      let value = values[Int(octet)]
      if value == 0xFF || octet == foreign.0 || octet == foreign.1 { return nil }
      bits = bits << 6 | UInt32(value)
      held += 6
      if held >= 8 {
        held -= 8
        octets.append(UInt8(truncatingIfNeeded: bits >> UInt32(held)))
      }
    }
    let stray = bits & ((1 << UInt32(held)) - 1)
    return stray == 0 ? octets : nil
  }
}

/// Base 16, written in lower case and read in either (RFC 4648 §8).
public enum Hex {
  public static func encode(_ octets: some Collection<UInt8>) -> String {
    let digits = Array("0123456789abcdef".utf8)
    var text: [UInt8] = []
    text.reserveCapacity(octets.count * 2)
    for octet in octets {
      text.append(digits[Int(octet >> 4)])
      text.append(digits[Int(octet & 15)])
    }
    return String(decoding: text, as: UTF8.self)
  }

  /// The octets, or nil for an odd length or a foreign character.
  public static func decode(_ text: some StringProtocol) -> [UInt8]? {
    let digits = Array(text.utf8)
    guard digits.count % 2 == 0 else { return nil }
    var octets: [UInt8] = []
    octets.reserveCapacity(digits.count / 2)
    for index in stride(from: 0, to: digits.count, by: 2) {
      guard let high = digits[index].hexDigit, let low = digits[index + 1].hexDigit else { return nil }
      octets.append(high << 4 | low)
    }
    return octets
  }
}
