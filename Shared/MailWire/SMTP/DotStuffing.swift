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

/// Reads a dot-stuffed letter from pieces of any size; only CRLF, dot, CRLF ends it (RFC 5321 §4.1.1.4).
///
/// A bare CR or LF never ends a line, and so never the letter. What was wrong is kept for the reply while the rest is
/// read on, since the other side goes on sending until its own dot.
public struct DotUnstuffer: Sendable {
  /// What makes the letter unacceptable.
  public enum Violation: Sendable, Equatable {
    case bareCR, bareLF
    /// A line longer than 998 octets and its CRLF (RFC 5321 §4.5.3.1.6).
    case lineTooLong
    /// The letter is larger than its limit; what is over it is not kept.
    case tooLarge
  }

  private enum State { case lineStart, inLine, afterCR, afterDot, afterDotCR }

  private var state = State.lineStart
  private var line = 0
  private let limit: Int
  private let lineLimit: Int
  /// The first thing that was wrong.
  public private(set) var violation: Violation?
  /// The line with the dot was read.
  public private(set) var isFinished = false
  /// Octets of the letter so far: without stuffing and the final dot, with every CRLF, also those over the limit.
  public private(set) var count = 0

  /// `limit` in octets of the letter; `lineLimit` in octets of a line without its CRLF.
  public init(limit: Int = .max, lineLimit: Int = 998) {
    self.limit = limit
    self.lineLimit = lineLimit
  }

  /// Appends the letter's octets of this piece to `output` and returns how many octets of the piece it used; fewer than
  /// all only when the letter is finished, and the rest is then the next command.
  public mutating func decode(_ piece: Span<UInt8>, into output: inout [UInt8]) -> Int {
    guard !isFinished else { return 0 }
    var kept = 0
    var index = 0
    while index < piece.count {
      let octet = piece[index]
      switch state {
      case .inLine where octet != 0x0D && octet != 0x0A: line += 1
      case .lineStart where octet == 0x2E:
        // Kept back until the next octet tells whether the letter ends here.
        keep(piece, kept..<index, &output)
        kept = index + 1
        state = .afterDot
      case .afterDot where octet == 0x0D:
        kept = index + 1
        state = .afterDotCR
      case .afterDotCR where octet == 0x0A:
        isFinished = true
        return index + 1
      case .afterDotCR:
        note(.bareCR)
        keep([0x0D].span, 0..<1, &output)
        line = 1
        state = .inLine
        continue
      case .afterDot:
        line = 0
        state = .inLine
        continue
      case .afterCR where octet == 0x0A:
        line = 0
        state = .lineStart
      case .afterCR:
        note(.bareCR)
        line += 1
        state = .inLine
        continue
      case .lineStart, .inLine:
        if octet == 0x0D {
          if line > lineLimit { note(.lineTooLong) }
          state = .afterCR
        } else {
          if octet == 0x0A { note(.bareLF) }
          line += 1
          state = .inLine
        }
      }
      index += 1
    }
    if line > lineLimit { note(.lineTooLong) }
    keep(piece, kept..<piece.count, &output)
    return piece.count
  }

  private mutating func note(_ violation: Violation) {
    if self.violation == nil { self.violation = violation }
  }

  private mutating func keep(_ piece: Span<UInt8>, _ range: Range<Int>, _ output: inout [UInt8]) {
    let room = max(0, limit - count)
    count += range.count
    if range.count > room { note(.tooLarge) }
    output.append(piece.extracting(range.lowerBound..<(range.lowerBound + min(room, range.count))))
  }
}

extension [UInt8] {
  mutating func append(_ span: Span<UInt8>) {
    unsafe span.withUnsafeBufferPointer { unsafe append(contentsOf: $0) }
  }
}
