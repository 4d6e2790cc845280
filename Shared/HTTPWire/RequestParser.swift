import Octets

/// Reads request heads strictly by RFC 9112 from bytes that come in any pieces.
///
/// Feed it until `isComplete`, read `head`, then the content with a `BodyDecoder`, then `reset()` for the next. Its
/// buffers are used again and again; a caller who keeps a copy of `head` keeps it whole.
public struct RequestParser: Sendable {
  public private(set) var head = RequestHead()
  public private(set) var isComplete = false
  public let limits: Limits

  /// Where the first line not yet parsed begins.
  private var parsed = 0
  /// Where the line begins whose end has not been seen.
  private var lineStart = 0
  private var hasRequestLine = false
  /// Octets of empty lines before the request line (RFC 9112 §2.2).
  private var blanks = 0
  private var special = SpecialFields()
  private let headLimit: Int

  public init(limits: Limits = Limits()) {
    self.limits = limits
    headLimit = min(limits.head, 65_535)
  }

  /// Whether nothing of a request has arrived yet.
  public var isEmpty: Bool { head.bytes.isEmpty && blanks == 0 }

  /// Makes ready for the next request.
  public mutating func reset() {
    head.reset()
    isComplete = false
    parsed = 0
    lineStart = 0
    hasRequestLine = false
    blanks = 0
    special = SpecialFields()
  }

  /// Takes bytes up to the end of the head and returns how many it took; fewer than given only when `isComplete`.
  ///
  /// After an error the parser is of no more use: where the next request begins is unknown.
  public mutating func feed(_ input: RawSpan) throws(RequestError) -> Int {
    if isComplete { return 0 }
    var begin = 0
    if head.bytes.isEmpty {
      begin = try skipBlankLines(input)
      // What can't begin a method is no HTTP, a TLS hello for example: it isn't waited until it ends a line.
      if begin < input.byteCount,
        !CharacterSet.token.contains(unsafe input.unsafeLoad(fromByteOffset: begin, as: UInt8.self))
      {
        throw .malformedMethod
      }
    }
    let end: Int
    do {
      end = try findEnd(input, from: begin)
    } catch {
      // What is wrong in an earlier line is told first, however the bytes were split.
      take(input, begin..<input.byteCount)
      try parseLines()
      throw error
    }
    take(input, begin..<end)
    try parseLines()
    if isComplete { try finish() }
    return end
  }

  /// As above, of an array.
  public mutating func feed(_ input: [UInt8]) throws(RequestError) -> Int { try unsafe feed(input.span.bytes) }

  private mutating func take(_ input: RawSpan, _ range: Range<Int>) {
    guard !range.isEmpty else { return }
    unsafe input.extracting(range).withUnsafeBytes { unsafe head.bytes.append(contentsOf: $0) }
  }

  /// A client may send a CRLF too many after a request's content; two are ignored.
  private mutating func skipBlankLines(_ input: RawSpan) throws(RequestError) -> Int {
    var index = 0
    while index < input.byteCount {
      let byte = unsafe input.unsafeLoad(fromByteOffset: index, as: UInt8.self)
      if blanks & 1 == 0 {
        if byte == lineFeed { throw .bareLineFeed }
        if byte != carriageReturn { break }
      } else if byte != lineFeed {
        throw .bareCarriageReturn
      }
      blanks += 1
      if blanks > 4 { throw .malformedRequestLine }
      index += 1
    }
    return index
  }

  /// Looks for the empty line; returns its end, or the input's. Sets `lineStart` past the last line that ended.
  private mutating func findEnd(_ input: RawSpan, from begin: Int) throws(RequestError) -> Int {
    let before = head.bytes.count &- begin
    var index = begin
    while let found = input.firstLineFeed(from: index) {
      let previous =
        found > begin ? unsafe input.unsafeLoad(fromByteOffset: found &- 1, as: UInt8.self) : head.bytes.last
      guard previous == carriageReturn else { throw .bareLineFeed }
      let position = before &+ found
      try checkLength(line: position &- 1 &- lineStart, head: position &+ 1)
      let isEmpty = position &- 1 == lineStart
      lineStart = position &+ 1
      index = found &+ 1
      if isEmpty {
        isComplete = true
        return index
      }
    }
    let total = before &+ input.byteCount
    try checkLength(line: total &- lineStart &- 1, head: total)
    return input.byteCount
  }

  private func checkLength(line: Int, head: Int) throws(RequestError) {
    if lineStart == 0 {
      if line > limits.requestLine { throw .requestLineTooLong }
    } else if line > limits.fieldLine {
      throw .fieldTooLong
    }
    if head > headLimit { throw .headTooLong }
  }

  /// Parses the lines that are whole: up to `lineStart`.
  private mutating func parseLines() throws(RequestError) {
    guard parsed < lineStart else { return }
    let bytes = head.bytes
    let span = bytes.span
    if !hasRequestLine {
      hasRequestLine = true
      let line = try RequestLine(span)
      parsed = line.next
      head.method = line.method
      head.version = line.version
      head.target = Extent(line.target)
    }
    while parsed < lineStart {
      let line = try FieldLine(span, at: parsed)
      parsed = line.next
      if line.isEnd { return }
      if head.fields.count >= limits.fieldCount { throw .tooManyFields }
      head.fields.append(RequestHead.Field(name: Extent(line.name), value: Extent(line.value)))
      try special.note(line, in: span)
    }
  }

  /// Checks what can be judged only with every field seen.
  private mutating func finish() throws(RequestError) {
    guard hasRequestLine else { throw .malformedRequestLine }
    head.framing = try special.framing(version: head.version, limits: limits)
    if let host = special.host {
      try Authority.check(head.bytes.span, host)
      head.authority = Extent(host)
    } else if head.version == .http11 {
      throw .missingHost
    }
    let target = try Target(head.bytes.span, head.target.range, method: head.method)
    head.form = target.form
    if let authority = target.authority { head.authority = Extent(authority) }
    head.query = Extent(target.query)
    head.path = Extent(target.path)
    if target.needsDecoding { head.path = Extent(try Target.normalise(&head.bytes, target.path)) }
    head.keepsAlive = special.keepsAlive(version: head.version)
    head.expectsContinue = special.expectsContinue && head.version == .http11 && head.framing != .none
  }
}

extension RawSpan {
  /// The offset of the first LF at or after `start`, eight bytes at a time.
  func firstLineFeed(from start: Int) -> Int? {
    var index = start
    while index &+ 8 <= byteCount {
      let word = UInt64(littleEndian: unsafe unsafeLoadUnaligned(fromByteOffset: index, as: UInt64.self))
      let zeroed = word ^ 0x0a0a_0a0a_0a0a_0a0a
      let hits = (zeroed &- 0x0101_0101_0101_0101) & ~zeroed & 0x8080_8080_8080_8080
      if hits != 0 { return index &+ hits.trailingZeroBitCount >> 3 }
      index &+= 8
    }
    while index < byteCount {
      if unsafe unsafeLoad(fromByteOffset: index, as: UInt8.self) == lineFeed { return index }
      index &+= 1
    }
    return nil
  }
}
