/// Makes a letter fit for a host without 8BITMIME (RFC 6152 §3): parts beyond ASCII are written in quoted-printable or base64.
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

  /// The letter in seven bits; nil where that would change what it says: octets beyond ASCII in a header, inside a signature
  /// (`multipart/signed`), in an encoded container, or in a part that can't be taken apart.
  public static func convert(_ letter: [UInt8]) -> [UInt8]? {
    if isSevenBit(letter) { return letter }
    var output: [UInt8] = []
    output.reserveCapacity(letter.count + letter.count / 4)
    return write(MIMEPart(letter), letter, isRoot: true, into: &output) ? output : nil
  }

  private static func write(_ part: MIMEPart, _ letter: [UInt8], isRoot: Bool, into output: inout [UInt8]) -> Bool {
    let header = part.range.lowerBound..<part.body.lowerBound
    guard isClean(letter, header) else { return false }
    if isClean(letter, part.body) {
      // What is called 8bit and is not has to be called 7bit now; the rest is copied.
      writeHeader(
        part, letter, part.encoding == .eightBit || part.encoding == .binary ? .sevenBit : nil, isRoot, &output)
      output += letter[part.body]
      return true
    }
    if part.type.value == "multipart/signed" { return false }
    if part.parts.isEmpty {
      guard !part.type.value.hasPrefix("multipart/"), !part.type.value.hasPrefix("message/") else { return false }
      return writeLeaf(part, letter, isRoot, into: &output)
    }
    writeHeader(part, letter, .sevenBit, isRoot, &output)
    // Between the parts stand delimiters, preamble and epilogue, which say nothing that has to be kept octet by octet.
    var position = part.body.lowerBound
    for child in part.parts {
      output += letter[position..<child.range.lowerBound].map { $0 < 0x80 && $0 != 0 ? $0 : 0x3F }
      guard write(child, letter, isRoot: false, into: &output) else { return false }
      position = child.range.upperBound
    }
    output += letter[position..<part.body.upperBound].map { $0 < 0x80 && $0 != 0 ? $0 : 0x3F }
    return true
  }

  private static func writeLeaf(_ part: MIMEPart, _ letter: [UInt8], _ isRoot: Bool, into output: inout [UInt8]) -> Bool
  {
    switch part.encoding {
    case .sevenBit, .eightBit, .binary: break
    case .quotedPrintable, .base64, .unknown: return false
    }
    let isText = part.type.value.hasPrefix("text/")
    writeHeader(part, letter, isText ? .quotedPrintable : .base64, isRoot, &output)
    let body = letter[part.body]
    if isText {
      output += TransferEncoding.encodeQuotedPrintable(body)
      return true
    }
    // The line end before a delimiter is the delimiter's, so the last one here is dropped inside a multipart.
    let lines = TransferEncoding.encodeBase64(body)
    output += isRoot ? lines[...] : lines.dropLast(2)
    return true
  }

  /// The part's header with another transfer encoding; a letter that is no MIME yet becomes it.
  private static func writeHeader(
    _ part: MIMEPart, _ letter: [UInt8], _ encoding: TransferEncoding?, _ isRoot: Bool, _ output: inout [UInt8]
  ) {
    let start = part.range.lowerBound
    guard let encoding else {
      output += letter[start..<part.body.lowerBound]
      return
    }
    var position = start
    var isWritten = false
    let line = Array("Content-Transfer-Encoding: \(encoding.name)\r\n".utf8)
    for field in part.header.fields where field.isNamed("Content-Transfer-Encoding") {
      output += letter[position..<field.range.lowerBound]
      if !isWritten { output += line }
      isWritten = true
      position = field.range.upperBound
    }
    output += letter[position..<part.header.fieldsEnd]
    if isRoot, part.header.first("MIME-Version") == nil { output += "MIME-Version: 1.0\r\n".utf8 }
    if part.header.first("Content-Type") == nil, encoding == .quotedPrintable {
      let isUTF8 = String(validating: letter[part.body], as: UTF8.self) != nil
      output += "Content-Type: text/plain; charset=\(isUTF8 ? "utf-8" : "unknown-8bit")\r\n".utf8
    }
    if !isWritten { output += line }
    // The empty line, which a part without any header may lack.
    let rest = letter[part.header.fieldsEnd..<part.body.lowerBound]
    output += rest.isEmpty ? [0x0D, 0x0A] : Array(rest)
  }
}
