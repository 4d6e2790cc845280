/// Percent-encoding (RFC 3986 §2.1).
public enum PercentEncoding {
  /// Decodes every well-formed escape; a `%` without two hexadecimal digits stays.
  ///
  /// Of a slice of octets, not of any collection: it stands in the way of every request, and what is generic in another module is not
  /// compiled for octets.
  public static func decode(_ text: ArraySlice<UInt8>, plusIsSpace: Bool = false) -> [UInt8] {
    Array(capacity: text.count) { output in
      var index = text.startIndex
      while index < text.endIndex {
        var byte = text[index]
        if byte == 0x25, text.endIndex - index > 2, let high = text[index + 1].hexDigit,
          let low = text[index + 2].hexDigit
        {
          byte = high << 4 | low
          index += 2
        } else if plusIsSpace, byte == 0x2B {
          byte = 0x20
        }
        output.append(byte)
        index += 1
      }
    }
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
