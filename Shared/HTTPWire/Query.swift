import Octets

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
        output.append(plusIsSpace && byte == 0x2b ? space : byte)
      }
    }
    return output
  }

  /// Encodes all but the unreserved characters, so that the text may stand as one path segment or query value.
  public static func encode(_ text: some StringProtocol) -> String {
    let digits = Array("0123456789ABCDEF".utf8)
    var output: [UInt8] = []
    output.reserveCapacity(text.utf8.count)
    for byte in text.utf8 {
      if byte.isASCIIAlphanumeric || byte == 0x2d || byte == 0x2e || byte == 0x5f || byte == 0x7e {
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

extension RequestHead {
  /// The first value of a query parameter, decoded as forms are (`+` is a space); empty for a name without `=`.
  public func queryValue(_ name: String) -> String? {
    for pair in pairs where PercentEncoding.decode(pair.name, plusIsSpace: true).elementsEqual(name.utf8) {
      return decoded(pair.value)
    }
    return nil
  }

  /// Every query parameter, decoded, in order.
  public var queryItems: [(name: String, value: String)] {
    pairs.map { (decoded($0.name), decoded($0.value)) }
  }

  private func decoded(_ bytes: ArraySlice<UInt8>) -> String {
    String(decoding: PercentEncoding.decode(bytes, plusIsSpace: true), as: UTF8.self)
  }

  private var pairs: [(name: ArraySlice<UInt8>, value: ArraySlice<UInt8>)] {
    bytes[query.range].split(separator: 0x26).map { pair in
      let equals = pair.firstIndex(of: 0x3d) ?? pair.endIndex
      return (pair[..<equals], pair[equals...].dropFirst())
    }
  }
}
