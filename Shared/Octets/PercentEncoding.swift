/// Percent-encoding (RFC 3986 §2.1).
public enum PercentEncoding {
  /// Decodes every well-formed escape; a `%` without two hexadecimal digits stays.
  public static func decode(_ text: some Collection<UInt8>, plusIsSpace: Bool = false) -> [UInt8] {
    var output: [UInt8] = []
    output.reserveCapacity(text.count)
    var rest = text[...]
    while let byte = rest.popFirst() {
      if byte == 0x25, let high = rest.first?.hexDigit, let low = rest.dropFirst().first?.hexDigit {
        output.append(high << 4 | low)
        rest = rest.dropFirst(2)
      } else {
        output.append(plusIsSpace && byte == 0x2B ? 0x20 : byte)
      }
    }
    return output
  }

  /// Encodes all but the unreserved characters, so that the text may stand as one path segment or query value.
  public static func encode(_ text: some StringProtocol) -> String { encode(octets: text.utf8) }

  /// The same for octets that need be no text.
  public static func encode(octets: some Collection<UInt8>) -> String {
    let digits = Array("0123456789ABCDEF".utf8)
    var output: [UInt8] = []
    output.reserveCapacity(octets.count)
    for byte in octets {
      if byte.isASCIIAlphanumeric || byte == 0x2D || byte == 0x2E || byte == 0x5F || byte == 0x7E {
        output.append(byte)
      } else {
        output.append(0x25)
        output.append(digits[Int(byte >> 4)])
        output.append(digits[Int(byte & 15)])
      }
    }
    return String(decoding: output, as: UTF8.self)
  }
}
