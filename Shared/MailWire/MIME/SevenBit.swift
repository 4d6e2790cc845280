/// Makes a letter fit for a host without 8BITMIME (RFC 6152 §3): what is beyond ASCII is encoded.
public enum SevenBit {
  /// Whether the letter can go as it is: ASCII, and no line longer than 998 octets.
  public static func isSevenBit(_ letter: [UInt8]) -> Bool { isClean(letter, letter.indices) }

  private static func isClean(_ letter: [UInt8], _ range: Range<Int>) -> Bool {
    let octets = letter.span
    var column = 0
    for index in range {
      let octet = octets[index]
      if octet >= 0x80 || octet == 0 { return false }
      column = octet == 0x0A ? 0 : column + 1
      if column > 999 { return false }
    }
    return true
  }

  /// Whether a header field of the letter or of one of its parts has octets beyond ASCII (RFC 6532 §3).
  public static func hasUTF8Header(_ letter: [UInt8]) -> Bool {
    letter.contains { $0 >= 0x80 } && hasUTF8Header(MIMEPart(letter), letter)
  }

  private static func hasUTF8Header(_ part: MIMEPart, _ letter: [UInt8]) -> Bool {
    letter[part.range.lowerBound..<part.body.lowerBound].contains { $0 >= 0x80 }
      || part.parts.contains { hasUTF8Header($0, letter) }
  }

  /// Why a letter can't be put in seven bits without changing what it says, for the one who wrote it.
  public struct Obstacle: Error, Equatable, CustomStringConvertible {
    public let description: String
  }

  /// The letter in seven bits: its parts in quoted-printable or base64, its header fields in encoded words.
  ///
  /// - Throws: for octets beyond ASCII where they can't be encoded: in a field with a grammar of its own, such as Received or an
  ///   address, inside a signature (`multipart/signed`), in an encoded letter inside it, or in a part that can't be taken apart.
  public static func convert(_ letter: [UInt8]) throws(Obstacle) -> [UInt8] {
    if isSevenBit(letter) { return letter }
    var output: [UInt8] = []
    output.reserveCapacity(letter.count + letter.count / 4)
    try write(MIMEPart(letter), letter, isRoot: true, into: &output)
    return output
  }

  private static func write(
    _ part: MIMEPart, _ letter: [UInt8], isRoot: Bool, into output: inout [UInt8]
  ) throws(Obstacle) {
    if isClean(letter, part.body) {
      // What is called 8bit and is not has to be called 7bit now; the rest is copied.
      try writeHeader(
        part, letter, part.encoding == .eightBit || part.encoding == .binary ? .sevenBit : nil, isRoot, &output)
      output += letter[part.body]
      return
    }
    if part.type.value == "multipart/signed" {
      throw Obstacle(description: "its signature would no longer be right")
    }
    if part.parts.isEmpty {
      guard !part.type.value.hasPrefix("multipart/"), !part.type.value.hasPrefix("message/") else {
        throw Obstacle(description: "its \(part.type.value) can't be taken apart")
      }
      return try writeLeaf(part, letter, isRoot, into: &output)
    }
    try writeHeader(part, letter, .sevenBit, isRoot, &output)
    // Between the parts stand delimiters, preamble and epilogue, which say nothing that has to be kept octet by octet.
    var position = part.body.lowerBound
    for child in part.parts {
      output += letter[position..<child.range.lowerBound].map { $0 < 0x80 && $0 != 0 ? $0 : 0x3F }
      try write(child, letter, isRoot: false, into: &output)
      position = child.range.upperBound
    }
    output += letter[position..<part.body.upperBound].map { $0 < 0x80 && $0 != 0 ? $0 : 0x3F }
  }

  private static func writeLeaf(
    _ part: MIMEPart, _ letter: [UInt8], _ isRoot: Bool, into output: inout [UInt8]
  ) throws(Obstacle) {
    switch part.encoding {
    case .sevenBit, .eightBit, .binary: break
    case .quotedPrintable, .base64, .unknown:
      throw Obstacle(description: "its \(part.type.value) is not in the encoding that it names")
    }
    let isText = part.type.value.hasPrefix("text/")
    try writeHeader(part, letter, isText ? .quotedPrintable : .base64, isRoot, &output)
    let body = letter[part.body]
    if isText {
      output += TransferEncoding.encodeQuotedPrintable(body)
      return
    }
    // The line end before a delimiter is the delimiter's, so the last one here is dropped inside a multipart.
    let lines = TransferEncoding.encodeBase64(body)
    output += isRoot ? lines[...] : lines.dropLast(2)
  }

  /// The part's header in ASCII, with another transfer encoding if one is given; a letter that is no MIME yet becomes it.
  private static func writeHeader(
    _ part: MIMEPart, _ letter: [UInt8], _ encoding: TransferEncoding?, _ isRoot: Bool, _ output: inout [UInt8]
  ) throws(Obstacle) {
    var position = part.range.lowerBound
    var isWritten = false
    // What is no field, or one too many to be read, can only be copied.
    func copy(to end: Int) throws(Obstacle) {
      guard isClean(letter, position..<end) else {
        throw Obstacle(description: "its header has octets beyond ASCII where there is no field")
      }
      output += letter[position..<end]
    }
    let line = encoding.map { Array("Content-Transfer-Encoding: \($0.name)\r\n".utf8) }
    for field in part.header.fields {
      let isEncoding = line != nil && field.isNamed("Content-Transfer-Encoding")
      if !isEncoding, isClean(letter, field.range) { continue }
      try copy(to: field.range.lowerBound)
      position = field.range.upperBound
      if isEncoding {
        if !isWritten { output += line ?? [] }
        isWritten = true
      } else {
        guard let rewritten = SevenBitHeader.rewritten(field) else {
          throw Obstacle(
            description: "its header field \(field.name) has octets beyond ASCII that can't be encoded there")
        }
        output += rewritten
      }
    }
    try copy(to: part.header.fieldsEnd)
    if let encoding {
      if isRoot, part.header.first("MIME-Version") == nil { output += "MIME-Version: 1.0\r\n".utf8 }
      if part.header.first("Content-Type") == nil, encoding == .quotedPrintable {
        let isUTF8 = String(validating: letter[part.body], as: UTF8.self) != nil
        output += "Content-Type: text/plain; charset=\(isUTF8 ? "utf-8" : "unknown-8bit")\r\n".utf8
      }
      if !isWritten { output += line ?? [] }
    }
    // The empty line, which a part without any header may lack.
    let rest = letter[part.header.fieldsEnd..<part.body.lowerBound]
    output += rest.isEmpty && encoding != nil ? [0x0D, 0x0A] : Array(rest)
  }
}
