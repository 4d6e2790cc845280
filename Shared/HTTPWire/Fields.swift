import Octets

/// One `name: value` line, of a head or of trailers (RFC 9112 §5).
struct FieldLine {
  var name = 0..<0
  var value = 0..<0
  /// Where the next line begins.
  var next: Int
  /// Whether this is the empty line that ends the section.
  var isEnd = false

  /// Reads the line at `start`; a CRLF must come at some point after it.
  @inline(__always)
  init(_ span: Span<UInt8>, at start: Int) throws(RequestError) {
    var index = start
    while CharacterSet.token.contains(span[index]) { index &+= 1 }
    if span[index] != 0x3a || index == start {
      next = start
      if span[start] == carriageReturn {
        guard span[start &+ 1] == lineFeed else { throw .bareCarriageReturn }
        next = start &+ 2
        isEnd = true
        return
      }
      throw Self.fault(span, start: start, at: index)
    }
    name = start..<index
    index &+= 1
    while span[index].isASCIIBlank { index &+= 1 }
    let begin = index
    while span[index].isFieldValue { index &+= 1 }
    guard span[index] == carriageReturn else { throw .malformedFieldValue }
    guard span[index &+ 1] == lineFeed else { throw .bareCarriageReturn }
    next = index &+ 2
    while index > begin, span[index &- 1].isASCIIBlank { index &-= 1 }
    value = begin..<index
  }

  /// Names what is wrong where a field name should have ended in a colon.
  private static func fault(_ span: Span<UInt8>, start: Int, at index: Int) -> RequestError {
    if span[start].isASCIIBlank { return .foldedField }
    guard index > start, span[index].isASCIIBlank else { return .malformedFieldName }
    var after = index
    while span[after].isASCIIBlank { after &+= 1 }
    return span[after] == 0x3a ? .spaceBeforeColon : .malformedFieldName
  }
}

/// What the fields that frame and route a message say.
struct SpecialFields: Sendable {
  private(set) var host: Range<Int>?
  private var contentLength: Int?
  private var hasTransferEncoding = false
  private var isChunked = false
  private var closes = false
  private var keeps = false
  private(set) var expectsContinue = false

  @inline(__always)
  mutating func note(_ line: FieldLine, in span: Span<UInt8>) throws(RequestError) {
    switch line.name.count {
    case 4:
      guard span.equals("host", in: line.name) else { return }
      if host != nil { throw .repeatedHost }
      host = line.value
    case 6:
      guard span.equals("expect", in: line.name) else { return }
      guard span.equals("100-continue", in: line.value) else { throw .unknownExpectation }
      expectsContinue = true
    case 10:
      guard span.equals("connection", in: line.name) else { return }
      noteConnection(line.value, span)
    case 14:
      guard span.equals("content-length", in: line.name) else { return }
      if contentLength != nil { throw .repeatedContentLength }
      contentLength = try Self.decimal(span, line.value)
    case 17:
      guard span.equals("transfer-encoding", in: line.name) else { return }
      if hasTransferEncoding { throw .repeatedTransferEncoding }
      hasTransferEncoding = true
      isChunked = span.equals("chunked", in: line.value)
      if !isChunked { throw Self.codingFault(span, line.value) }
    default: return
    }
  }

  private mutating func noteConnection(_ value: Range<Int>, _ span: Span<UInt8>) {
    var start = value.lowerBound
    while start < value.upperBound {
      var end = start
      while end < value.upperBound, span[end] != 0x2c { end &+= 1 }
      let option = span.trimmed(start..<end)
      if span.equals("close", in: option) { closes = true }
      if span.equals("keep-alive", in: option) { keeps = true }
      start = end &+ 1
    }
  }

  /// `chunked, chunked` is a doubled coding; any other is one we don't have.
  private static func codingFault(_ span: Span<UInt8>, _ value: Range<Int>) -> RequestError {
    var start = value.lowerBound
    while start < value.upperBound {
      var end = start
      while end < value.upperBound, span[end] != 0x2c { end &+= 1 }
      if !span.equals("chunked", in: span.trimmed(start..<end)) { return .unknownTransferEncoding }
      start = end &+ 1
    }
    return value.isEmpty ? .unknownTransferEncoding : .repeatedTransferEncoding
  }

  /// Plain digits (RFC 9110 §8.6); a number too large for the machine is too large for any limit.
  private static func decimal(_ span: Span<UInt8>, _ range: Range<Int>) throws(RequestError) -> Int {
    if range.isEmpty { throw .malformedContentLength }
    var value = 0
    var overflows = false
    for index in range {
      guard span[index].isASCIIDigit else { throw .malformedContentLength }
      let (product, tooBig) = value.multipliedReportingOverflow(by: 10)
      let (sum, over) = product.addingReportingOverflow(Int(span[index] &- 0x30))
      overflows = overflows || tooBig || over
      value = sum
    }
    if overflows { throw .contentTooLarge }
    return value
  }

  /// RFC 9112 §6.3, without its tolerance for a length beside a transfer coding.
  func framing(version: Version, limits: Limits) throws(RequestError) -> BodyFraming {
    if hasTransferEncoding {
      if contentLength != nil { throw .lengthWithTransferEncoding }
      if version == .http10 { throw .transferEncodingInHTTP10 }
      return .chunked
    }
    guard let length = contentLength, length > 0 else { return .none }
    if length > limits.body { throw .contentTooLarge }
    return .length(length)
  }

  /// RFC 9112 §9.3.
  func keepsAlive(version: Version) -> Bool {
    if closes { return false }
    return version == .http11 || keeps
  }
}
