import Octets

/// Strings in JSON (RFC 8259 §7), without a library.
public enum JSONText {
  public static func append(_ output: inout [UInt8], _ text: String) {
    output.append(0x22)
    for octet in text.utf8 {
      switch octet {
      case 0x22, 0x5C: output += [0x5C, octet]
      case 0x0A: output += [0x5C, 0x6E]
      case 0x00..<0x20: output += Array("\\u00".utf8) + Array(Hex.encode([octet]).utf8)
      default: output.append(octet)
      }
    }
    output.append(0x22)
  }

  public static func quoted(_ text: String) -> [UInt8] {
    var output: [UInt8] = []
    append(&output, text)
    return output
  }

  /// The text, or as many octets of its beginning and a mark that it goes on.
  public static func quoted(_ text: String, limit: Int) -> [UInt8] {
    guard text.utf8.count > limit else { return quoted(text) }
    var end = text.utf8.index(text.startIndex, offsetBy: limit)
    while end.samePosition(in: text.unicodeScalars) == nil { end = text.utf8.index(before: end) }
    return quoted(text[..<end] + "…")
  }
}
