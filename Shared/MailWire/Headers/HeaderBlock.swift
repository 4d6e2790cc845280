import Octets

/// One header field of a letter (RFC 5322 §2.2).
public struct HeaderField: Sendable {
  /// As written: `Subject`.
  public let name: String
  /// Where the whole field stands in the letter, its last line end included.
  public let range: Range<Int>
  /// Unfolded, without blanks around it (RFC 5322 §2.2.3); any octets.
  public let value: [UInt8]

  /// Octets of a value that are read; a longer one is cut, since no person's field is as long and it costs wherever it is shown.
  public static let readLimit = 16_384

  /// The value with its encoded words decoded (RFC 2047), for people.
  public var text: String { read().text }

  /// The same with what could not be understood, if anything: that stays as it stands, and what exceeds `readLimit` is cut.
  public func read() -> (text: String, problem: String?) {
    guard value.count > HeaderField.readLimit else { return EncodedWord.read(value) }
    let cut = value.prefix(HeaderField.readLimit)
    // Rather between two words than inside an encoded one or a character.
    let end = cut.suffix(1000).lastIndex(where: \.isASCIIBlank) ?? Array(cut).wholeUTF8.endIndex
    return (EncodedWord.decode(cut[..<end]), "only its first \(HeaderField.readLimit) octets are read")
  }

  public func isNamed(_ name: String) -> Bool { self.name.utf8.equalsIgnoringASCIICase(name.utf8) }
}

/// The header section of a letter or of a part, read tolerantly: it never fails, it stops where no field is any more.
///
/// Lines end in CRLF or LF. A line that is neither a field nor a continuation begins the body, so a letter without any
/// header is all body.
public struct HeaderBlock: Sendable {
  /// At most `fieldLimit`, in order.
  public private(set) var fields: [HeaderField] = []
  /// Where the body begins: after the empty line, at the first line that is no field, or at the end.
  public private(set) var bodyStart: Int
  /// Where the fields end.
  public private(set) var fieldsEnd: Int
  /// What was wrong, for people.
  public private(set) var problems: [String] = []

  public static let fieldLimit = 2000

  public init(_ letter: [UInt8]) {
    self.init(letter, letter.indices)
  }

  /// The header section at the front of a range of the letter.
  public init(_ letter: [UInt8], _ range: Range<Int>) {
    bodyStart = range.lowerBound
    fieldsEnd = range.lowerBound
    var position = range.lowerBound
    while position < range.upperBound {
      let line = letter.line(at: position, before: range.upperBound)
      if line.content.isEmpty {
        bodyStart = line.next
        return
      }
      if position == range.lowerBound, letter[line.content].starts(with: "From ".utf8) {
        // The envelope line of an mbox file, which careless tools send along.
        problems.append("the first line is an mbox envelope line")
        position = line.next
        bodyStart = position
        fieldsEnd = position
        continue
      }
      guard let colon = HeaderBlock.nameEnd(letter, line.content) else {
        problems.append("a line in the header is no field, so the body begins there")
        bodyStart = position
        return
      }
      let start = position
      var value = Array(letter[(colon.valueStart)..<line.content.upperBound])
      position = line.next
      while position < range.upperBound, letter[position].isASCIIBlank {
        let next = letter.line(at: position, before: range.upperBound)
        value += letter[next.content]
        position = next.next
      }
      if fields.count < HeaderBlock.fieldLimit {
        fields.append(
          HeaderField(
            name: String(decoding: letter[start..<colon.end], as: UTF8.self), range: start..<position,
            value: Array(value.trimmedBlanks)))
      } else if fields.count == HeaderBlock.fieldLimit, problems.last != HeaderBlock.tooMany {
        problems.append(HeaderBlock.tooMany)
      }
      fieldsEnd = position
      bodyStart = position
    }
  }

  private static let tooMany = "only the first \(fieldLimit) header fields are shown"

  /// The end of a field's name and the beginning of its value; blanks before the colon are the obsolete form (RFC 5322 §4.5).
  private static func nameEnd(_ letter: [UInt8], _ line: Range<Int>) -> (end: Int, valueStart: Int)? {
    var index = line.lowerBound
    while index < line.upperBound, letter[index] > 0x20, letter[index] < 0x7F, letter[index] != 0x3A { index += 1 }
    guard index > line.lowerBound else { return nil }
    let end = index
    while index < line.upperBound, letter[index].isASCIIBlank { index += 1 }
    guard index < line.upperBound, letter[index] == 0x3A else { return nil }
    return (end, index + 1)
  }

  public var isEmpty: Bool { fields.isEmpty }

  /// The first field of this name, which is compared without case.
  public func first(_ name: String) -> HeaderField? { fields.first { $0.isNamed(name) } }

  public func all(_ name: String) -> [HeaderField] { fields.filter { $0.isNamed(name) } }

  /// How many fields have this name.
  public func count(_ name: String) -> Int { fields.reduce(0) { $0 + ($1.isNamed(name) ? 1 : 0) } }
}

extension [UInt8] {
  /// The line at a position: its content without line end, and where the next one begins.
  func line(at position: Int, before end: Int) -> (content: Range<Int>, next: Int) {
    var index = position
    let octets = span
    while index < end, octets[index] != 0x0A { index += 1 }
    if index == end { return (position..<end, end) }
    let hasCR = index > position && octets[index - 1] == 0x0D
    return (position..<(hasCR ? index - 1 : index), index + 1)
  }
}

extension BidirectionalCollection<UInt8> where SubSequence: BidirectionalCollection<UInt8> {
  /// Without the blanks and line ends around it.
  var trimmedBlanks: SubSequence {
    var rest = self[...].drop { $0.isASCIIBlank || $0 == 0x0D || $0 == 0x0A }
    while let last = rest.last, last.isASCIIBlank || last == 0x0D || last == 0x0A { rest = rest.dropLast() }
    return rest
  }
}
