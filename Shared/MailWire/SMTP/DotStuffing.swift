/// Hides a letter's own dots at the beginning of lines, and ends it by a line with one dot (RFC 5321 §4.5.2, RFC 1939 §3).
///
/// The letter may come in pieces of any size; its lines end in CRLF.
public struct DotStuffer: Sendable {
  private enum State { case lineStart, inLine, afterCR }
  private var state = State.lineStart

  public init() {}

  /// Appends the next piece of the letter, stuffed, to `output`.
  public mutating func encode(_ piece: Span<UInt8>, into output: inout [UInt8]) {
    output.reserveCapacity(output.count + piece.count + 5)
    var copied = 0
    for index in piece.indices {
      let octet = piece[index]
      switch octet {
      case 0x2E where state == .lineStart:
        output.append(piece.extracting(copied..<index))
        output.append(0x2E)
        copied = index
        state = .inLine
      case 0x0D: state = .afterCR
      case 0x0A: state = state == .afterCR ? .lineStart : .inLine
      default: state = .inLine
      }
    }
    output.append(piece.extracting(copied..<piece.count))
  }

  /// Ends the letter: its last line, if it has no CRLF yet, and the line with the dot.
  public mutating func finish(into output: inout [UInt8]) {
    switch state {
    case .lineStart: break
    case .inLine: output += [0x0D, 0x0A]
    case .afterCR: output.append(0x0A)
    }
    output += [0x2E, 0x0D, 0x0A]
    state = .lineStart
  }

  /// A whole letter, stuffed and ended.
  public static func encode(_ letter: [UInt8]) -> [UInt8] {
    var stuffer = DotStuffer()
    var output: [UInt8] = []
    stuffer.encode(letter.span, into: &output)
    stuffer.finish(into: &output)
    return output
  }
}

extension [UInt8] {
  mutating func append(_ span: Span<UInt8>) {
    unsafe span.withUnsafeBufferPointer { unsafe append(contentsOf: $0) }
  }
}
