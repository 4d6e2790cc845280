import Octets

/// A reply of an SMTP server: a code, its text lines and, where the server gives one, an enhanced status (RFC 5321 §4.2, RFC 2034).
public struct SMTPReply: Hashable, Sendable, CustomStringConvertible {
  /// 200 to 599.
  public let code: Int
  public let enhanced: EnhancedStatus?
  /// The text of each line without code and status; at least one line, which may be empty.
  public let lines: [String]

  public init(_ code: Int, _ enhanced: EnhancedStatus?, _ lines: [String]) {
    self.code = code
    self.enhanced = enhanced
    self.lines = lines.isEmpty ? [""] : lines
  }

  public init(_ code: Int, _ enhanced: EnhancedStatus?, _ line: String) {
    self.init(code, enhanced, [line])
  }

  public init(_ code: Int, _ line: String) {
    self.init(code, nil, [line])
  }

  public init(_ code: Int, _ lines: [String]) {
    self.init(code, nil, lines)
  }

  /// 2yz: done.
  public var isCompleted: Bool { code / 100 == 2 }
  /// 3yz: go on (354 after DATA, 334 in AUTH).
  public var isIntermediate: Bool { code / 100 == 3 }
  /// 5yz: never.
  public var isPermanent: Bool { code / 100 == 5 }

  /// Appends the reply as it stands on the wire, every line with the code and ended by CRLF.
  ///
  /// Control characters in a text become blanks, so that no text can forge a line.
  public func write(into output: inout [UInt8]) {
    for (index, line) in lines.enumerated() {
      output.appendDecimal(code)
      output.append(index == lines.count - 1 ? 0x20 : 0x2D)
      if let enhanced {
        output.append(contentsOf: enhanced.description.utf8)
        output.append(0x20)
      }
      for octet in line.utf8 { output.append(octet.isASCIIControl ? 0x20 : octet) }
      output.append(0x0D)
      output.append(0x0A)
    }
  }

  public var bytes: [UInt8] {
    var output: [UInt8] = []
    write(into: &output)
    return output
  }

  /// On one line, for people: `550 5.1.1 no such user`.
  public var description: String {
    let text = lines.joined(separator: " ")
    return "\(code)\(enhanced.map { " \($0)" } ?? "")\(text.isEmpty ? "" : " \(text)")"
  }
}

/// Why what a server sent is not a reply.
public enum SMTPReplyError: Error, Equatable {
  /// A line that doesn't begin with a code from 200 to 599 and a blank, a hyphen or its end; the line, cut to 200 octets.
  case malformed(String)
  /// The lines of one reply have different codes.
  case codesDiffer
  /// A line longer than 2048 octets, or a reply of more than 256 lines.
  case tooLong
}

/// Puts the replies of an SMTP server together from pieces of any size.
///
/// Lines may end in LF alone, as some servers end them (RFC 5321 §2.3.8 forbids it; nothing hangs on it here).
public struct SMTPReplyParser: Sendable {
  private var buffer: [UInt8] = []
  private var start = 0
  private var code = 0
  private var enhanced: EnhancedStatus?
  private var lines: [String] = []

  static let lineLimit = 2048
  static let linesLimit = 256

  public init() {}

  /// Takes what has arrived.
  public mutating func append(_ octets: some Collection<UInt8>) {
    if start > 0 {
      buffer.removeFirst(start)
      start = 0
    }
    buffer.append(contentsOf: octets)
  }

  /// Whether nothing is left over: after the last reply of a dialogue, what remains is unasked for.
  public var isEmpty: Bool { start == buffer.count && lines.isEmpty }

  /// The next whole reply, nil until it is all there.
  public mutating func next() throws(SMTPReplyError) -> SMTPReply? {
    while let end = buffer[start...].firstIndex(of: 0x0A) {
      var line = buffer[start..<end]
      start = end + 1
      if line.last == 0x0D { line.removeLast() }
      guard line.count <= SMTPReplyParser.lineLimit else { throw .tooLong }
      if let reply = try take(line) { return reply }
    }
    if buffer.count - start > SMTPReplyParser.lineLimit { throw .tooLong }
    return nil
  }

  private mutating func take(_ line: ArraySlice<UInt8>) throws(SMTPReplyError) -> SMTPReply? {
    guard let number = line.prefix(3).parsedDecimal(as: Int.self), 200...599 ~= number else {
      throw malformed(line)
    }
    let mark = line.dropFirst(3).first
    guard mark == nil || mark == 0x20 || mark == 0x2D else { throw malformed(line) }
    var text = line.dropFirst(4)
    let word = text.prefix { $0 != 0x20 }
    let status = EnhancedStatus(word).flatMap { $0.kind == number / 100 ? $0 : nil }
    if status != nil { text = text[word.endIndex...].dropFirst() }
    if lines.isEmpty {
      code = number
      enhanced = status
    } else {
      guard code == number else { throw .codesDiffer }
    }
    guard lines.count < SMTPReplyParser.linesLimit else { throw .tooLong }
    lines.append(String(decoding: text, as: UTF8.self))
    guard mark != 0x2D else { return nil }
    defer { lines = [] }
    return SMTPReply(code, enhanced, lines)
  }

  private func malformed(_ line: ArraySlice<UInt8>) -> SMTPReplyError {
    .malformed(String(decoding: line.prefix(200), as: UTF8.self))
  }
}
