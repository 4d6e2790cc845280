import MailWire

/// A letter on its way to the client, piece by piece: with its dots stuffed, and for TOP cut behind so many lines of its body
/// (RFC 1939 §3, §7).
struct POP3Handover: Sendable {
  let letter: POP3Letter
  /// Where the next piece begins.
  private(set) var offset = 0
  private(set) var isOver = false
  /// Lines of the body that are still wanted; nil for all.
  private var lines: Int?
  private var isInBody = false
  /// Octets of the line so far, its CR not counted.
  private var length = 0
  private var stuffer = DotStuffer()

  init(_ letter: POP3Letter, lines: Int?) {
    self.letter = letter
    self.lines = lines
  }

  /// What the client is told of the piece of the letter that begins at `offset`; with the last, the end.
  mutating func next(_ piece: [UInt8]) -> [UInt8] {
    offset += piece.count
    let end = cut(piece)
    isOver = end < piece.count || offset >= letter.size || piece.isEmpty
    var output: [UInt8] = []
    stuffer.encode(piece.span.extracting(0..<end), into: &output)
    if isOver { stuffer.finish(into: &output) }
    return output
  }

  /// How many octets of the piece are wanted.
  private mutating func cut(_ piece: [UInt8]) -> Int {
    guard var left = lines else { return piece.count }
    defer { lines = left }
    for index in piece.indices {
      if isInBody && left == 0 { return index }
      switch piece[index] {
      case 0x0A:
        if isInBody { left -= 1 } else if length == 0 { isInBody = true }
        length = 0
      case 0x0D: break
      default: length += 1
      }
    }
    return piece.count
  }
}
