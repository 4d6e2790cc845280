/// Names of hosts as the DNS has them, and as people write them (RFC 1035 §2.3.4, RFC 5890 §2.3.2.1).
public enum HostName {
  /// Octets of a label.
  public static let labelLimit = 63
  /// Octets of a name without the dot at its end: 255 on the wire, where each label has its length before it.
  public static let limit = 253

  /// The name in lower-case ASCII, each label beyond it as an A-label: `BÜCHER.example` is `xn--bcher-kva.example`
  /// (RFC 5891 §5), whose marks may stand composed or apart (§5.2).
  /// - Returns: nil where it can't be a name in the DNS.
  public static func ascii(_ name: String) -> String? {
    guard name.utf8.count <= 4 * limit else { return nil }
    var output: [UInt8] = []
    for label in name.utf8.split(separator: 0x2E, omittingEmptySubsequences: false) {
      guard let label = asciiLabel(label) else { return nil }
      if !output.isEmpty { output.append(0x2E) }
      output += label
    }
    return output.count <= limit ? String(decoding: output, as: UTF8.self) : nil
  }

  /// One label likewise; the underscore is let through, since host names in the wild have it.
  public static func asciiLabel(_ label: some Collection<UInt8>) -> [UInt8]? {
    let isASCII = label.allSatisfy { $0 < 0x80 }
    guard let octets = isASCII ? label.map(\.asciiLowercased) : aLabel(label), 1...labelLimit ~= octets.count,
      octets.allSatisfy({ $0.isASCIIAlphanumeric || $0 == 0x2D || $0 == 0x5F })
    else { return nil }
    return octets
  }

  /// RFC 5891 §4.2.3: no hyphen at either end or twice in the third and fourth place, no mark in front; letters, marks and digits
  /// alone, which is the core of RFC 5892.
  private static func aLabel(_ label: some Collection<UInt8>) -> [UInt8]? {
    guard label.count <= 4 * labelLimit, let text = String(validating: label, as: UTF8.self) else { return nil }
    let name = text.lowercased().composed
    // The Kelvin sign is a k in lower case.
    if name.utf8.allSatisfy({ $0 < 0x80 }) { return Array(name.utf8) }
    let scalars = Array(name.unicodeScalars)
    guard scalars.count <= labelLimit, let first = scalars.first, first != "-", scalars.last != "-",
      scalars.dropFirst(2).prefix(2).elementsEqual(["-", "-"]) == false, !isMark(first),
      scalars.allSatisfy({ $0.isASCII || isMark($0) || isLetterOrDigit($0) }), let code = Punycode.encode(scalars)
    else { return nil }
    return Array("xn--".utf8) + code
  }

  private static func isMark(_ scalar: Unicode.Scalar) -> Bool {
    scalar.properties.generalCategory == .nonspacingMark || scalar.properties.generalCategory == .spacingMark
  }

  private static func isLetterOrDigit(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .lowercaseLetter, .uppercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter, .decimalNumber: true
    default: false
    }
  }
}
