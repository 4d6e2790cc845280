/// Takes the octets after DATA: finds the one true end, undoes dot-stuffing, and refuses what could smuggle a second
/// letter past a server that counts line ends differently (RFC 5321 §2.3.8, §4.1.1.4, §4.5.2).
struct DataDecoder: Sendable {
  /// Why a letter is refused; the first in this order that applies is told.
  enum Fault: Int, Sendable, Comparable {
    /// A CR or LF stood alone.
    case bareLineEnd
    /// It is larger than the server takes.
    case tooLarge
    /// The server holds too much at this moment.
    case noRoom
    /// A line is longer than 998 octets (RFC 5322 §2.1.1).
    case lineTooLong

    static func < (one: Fault, other: Fault) -> Bool { one.rawValue < other.rawValue }
  }

  enum Outcome: Equatable {
    /// The end has not come.
    case more
    /// CRLF.CRLF came.
    case end
    /// A dot between bare line ends came: the client believes that it is done, and what follows can't be trusted.
    case falseEnd
  }

  /// Where in a line the reader stands.
  private enum Place {
    case lineStart, dot, dotCR, text, CR
    /// After a CR and then something other than LF, or a bare LF: as at a line's start, but for an end it is a false one.
    case bareStart, bareDot
  }

  let sizeLimit: Int
  let lineLimit: Int
  private(set) var content: [UInt8] = []
  private(set) var fault: Fault?
  private var place = Place.lineStart
  /// Octets of the line so far, its end not counted.
  private var length = 0

  init(sizeLimit: Int, lineLimit: Int = 998) {
    self.sizeLimit = sizeLimit
    self.lineLimit = lineLimit
  }

  /// Reads on.
  /// - Returns: what came of it and the index after the last octet read.
  mutating func read(_ buffer: [UInt8], from start: Int) -> (outcome: Outcome, next: Int) {
    let octets = buffer.span
    var index = start
    /// What lies from here on is kept at the next line end.
    var run = start
    while index < octets.count {
      let octet = octets[index]
      if place == .text {
        // The common case: somewhere in a line.
        if octet != 0x0D && octet != 0x0A {
          length += 1
          index += 1
          continue
        }
      }
      switch (place, octet) {
      case (.lineStart, 0x2E):
        place = .dot
        run = index + 1
      case (.dot, 0x0D):
        place = .dotCR
        run = index + 1
      case (.dotCR, 0x0A):
        return (.end, index + 1)
      case (.dotCR, _):
        // A lone dot and a CR that ends nothing: the dot was stuffing, the CR is bare.
        note(.bareLineEnd)
        place = .bareStart
        continue
      case (.bareStart, 0x2E):
        place = .bareDot
      case (.bareDot, 0x0D):
        // Wait for the LF: only the whole shape of an end is a false one.
        break
      case (.bareDot, 0x0A), (.dot, 0x0A):
        note(.bareLineEnd)
        return (.falseEnd, index + 1)
      case (.CR, 0x0A):
        endLine(buffer, run, index + 1)
        run = index + 1
        place = .lineStart
      case (.CR, _):
        note(.bareLineEnd)
        place = .bareStart
        continue
      case (_, 0x0D):
        place = .CR
      case (_, 0x0A):
        note(.bareLineEnd)
        place = .bareStart
      default:
        place = .text
        length += 1
      }
      index += 1
    }
    keep(buffer, run, index)
    return (.more, index)
  }

  private mutating func endLine(_ buffer: [UInt8], _ from: Int, _ to: Int) {
    if length > lineLimit { note(.lineTooLong) }
    length = 0
    keep(buffer, from, to)
  }

  private mutating func keep(_ buffer: [UInt8], _ from: Int, _ to: Int) {
    guard from < to, fault == nil else { return }
    if content.count + (to - from) > sizeLimit {
      note(.tooLarge)
    } else {
      content += buffer[from..<to]
    }
  }

  /// Keeps nothing more of this letter, and reads on to its end.
  mutating func giveUp() { note(.noRoom) }

  private mutating func note(_ found: Fault) {
    fault = min(fault ?? found, found)
    content = []
  }
}
