import Octets

/// How a part's octets are written in the letter (RFC 2045 §6).
public enum TransferEncoding: Sendable, Equatable {
  case sevenBit, eightBit, binary, quotedPrintable, base64
  /// Its name as written; the octets are taken as they stand.
  case unknown(String)

  /// From the value of Content-Transfer-Encoding.
  public init(parsing value: some Collection<UInt8>) {
    var scanner = TokenScanner(Array(value)[...])
    let name = scanner.token()
    switch MailAddress.folded(name) {
    case "", "7bit": self = .sevenBit
    case "8bit": self = .eightBit
    case "binary": self = .binary
    case "quoted-printable": self = .quotedPrintable
    case "base64": self = .base64
    default: self = .unknown(name)
    }
  }

  /// The value of the field.
  public var name: String {
    switch self {
    case .sevenBit: "7bit"
    case .eightBit: "8bit"
    case .binary: "binary"
    case .quotedPrintable: "quoted-printable"
    case .base64: "base64"
    case .unknown(let name): name
    }
  }

  /// Whether the octets are not those of the letter itself.
  var isEncoded: Bool { self == .quotedPrintable || self == .base64 }

  /// The octets behind the encoding, and what was wrong with it, if anything; it never fails.
  public func decode(_ octets: some Collection<UInt8>) -> (octets: [UInt8], problem: String?) {
    switch self {
    case .sevenBit, .eightBit, .binary: (Array(octets), nil)
    case .quotedPrintable: TransferEncoding.decodeQuotedPrintable(octets)
    case .base64: TransferEncoding.decodeBase64(octets)
    case .unknown(let name): (Array(octets), "the transfer encoding \(name) is not known here")
    }
  }

  /// The front of an encoded text up to where it can be cut: at the end of a line, and never inside what makes up an octet.
  func whole(_ octets: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
    var cut = octets
    // In text lines are short; where they are not, none is worth waiting for.
    if let end = octets.suffix(1000).lastIndex(of: 0x0A) {
      cut = octets[...end]
    } else if cut.last == 0x0D {
      cut.removeLast()
    }
    switch self {
    case .quotedPrintable:
      if let escape = cut.suffix(2).firstIndex(of: 0x3D) { cut = cut[..<escape] }
    case .base64:
      // Four characters are three octets.
      var excess = cut.reduce(0) { $0 + ($1.isASCIIAlphanumeric || $1 == 0x2B || $1 == 0x2F ? 1 : 0) } % 4
      while excess > 0, let last = cut.popLast() {
        excess -= last.isASCIIAlphanumeric || last == 0x2B || last == 0x2F ? 1 : 0
      }
    case .sevenBit, .eightBit, .binary, .unknown: break
    }
    return cut
  }

  /// Base 64 as found in letters: foreign octets are passed over (RFC 2045 §6.8), what follows padding is read on.
  public static func decodeBase64(_ text: some Collection<UInt8>) -> (octets: [UInt8], problem: String?) {
    var octets: [UInt8] = []
    octets.reserveCapacity(text.count / 4 * 3)
    var bits: UInt32 = 0
    var held = 0
    var problem: String?
    for octet in text {
      let value: UInt32
      switch octet {
      case 0x41...0x5A: value = UInt32(octet - 0x41)
      case 0x61...0x7A: value = UInt32(octet - 0x61 + 26)
      case 0x30...0x39: value = UInt32(octet - 0x30 + 52)
      case 0x2B: value = 62
      case 0x2F: value = 63
      case 0x3D:
        held = 0
        bits = 0
        continue
      case 0x0D, 0x0A, 0x20, 0x09: continue
      default:
        problem = "foreign characters in base64 were passed over"
        continue
      }
      bits = bits << 6 | value
      held += 6
      if held >= 8 {
        held -= 8
        octets.append(UInt8(truncatingIfNeeded: bits >> UInt32(held)))
      }
    }
    if held == 6 { problem = "the base64 is cut off" }
    return (octets, problem)
  }

  /// Quoted-printable as found in letters (RFC 2045 §6.7): a broken escape stays as it stands, blanks at line ends are dropped.
  public static func decodeQuotedPrintable(_ text: some Collection<UInt8>) -> (octets: [UInt8], problem: String?) {
    let input = Array(text)
    var octets: [UInt8] = []
    octets.reserveCapacity(input.count)
    var problem: String?
    var index = 0
    // Blanks that may turn out to stand at a line end.
    var blanks = 0
    while index < input.count {
      let octet = input[index]
      if octet == 0x0D || octet == 0x0A {
        octets.removeLast(blanks)
        blanks = 0
        octets.append(octet)
      } else if octet == 0x3D {
        blanks = 0
        if index + 2 < input.count, let high = input[index + 1].hexDigit, let low = input[index + 2].hexDigit {
          octets.append(high << 4 | low)
          index += 3
          continue
        }
        // A soft line break, with the blanks that some relay may have added before its end.
        var end = index + 1
        while end < input.count, input[end].isASCIIBlank { end += 1 }
        if end < input.count, input[end] == 0x0D { end += 1 }
        if end == input.count || input[end] == 0x0A {
          index = end + 1
          continue
        }
        problem = "a broken escape in quoted-printable is shown as it stands"
        octets.append(octet)
      } else {
        blanks = octet.isASCIIBlank ? blanks + 1 : 0
        octets.append(octet)
      }
      index += 1
    }
    octets.removeLast(blanks)
    return (octets, problem)
  }

  /// Base 64 in lines of 76, each ended by CRLF.
  public static func encodeBase64(_ octets: some Collection<UInt8>) -> [UInt8] {
    let text = Base64.encode(octets)
    var lines: [UInt8] = []
    lines.reserveCapacity(text.count + text.count / 38 + 2)
    var start = 0
    while start < text.count {
      let end = min(start + 76, text.count)
      lines += text[start..<end]
      lines += [0x0D, 0x0A]
      start = end
    }
    return lines
  }

  /// Quoted-printable in lines of at most 76; CRLF in the text stays a line end, a bare CR or LF is escaped.
  ///
  /// A dot or "From " at the beginning of a line is escaped too, for relays that stumble over them (RFC 2049 §3).
  public static func encodeQuotedPrintable(_ octets: some Collection<UInt8>) -> [UInt8] {
    let input = Array(octets)
    var output: [UInt8] = []
    output.reserveCapacity(input.count + input.count / 8)
    var column = 0
    var index = 0
    while index < input.count {
      let octet = input[index]
      let next = index + 1 < input.count ? input[index + 1] : nil
      if octet == 0x0D, next == 0x0A {
        output += [0x0D, 0x0A]
        column = 0
        index += 2
        continue
      }
      let endsLine = next == nil || (next == 0x0D && index + 2 < input.count && input[index + 2] == 0x0A)
      let isPlain =
        octet.isASCIIBlank ? !endsLine : octet > 0x20 && octet < 0x7F && octet != 0x3D
      let isRisky = column == 0 && (octet == 0x2E || octet == 0x46)
      let width = isPlain && !isRisky ? 1 : 3
      // The 76th column is the soft break's, unless the line ends here anyway.
      if column + width > (endsLine ? 76 : 75) {
        output += [0x3D, 0x0D, 0x0A]
        column = 0
        continue
      }
      if width == 1 {
        output.append(octet)
      } else {
        output.append(0x3D)
        for digit in [octet >> 4, octet & 15] { output.append(digit < 10 ? 0x30 + digit : 0x37 + digit) }
      }
      column += width
      index += 1
    }
    return output
  }
}
