import Octets

/// The first line of a request.
struct RequestLine {
  let method: Method
  let version: Version
  let target: Range<Int>
  /// Where the next line begins.
  let next: Int

  /// Reads `method SP target SP version CRLF` (RFC 9112 §3) from the front; a CRLF must come at some point.
  init(_ span: Span<UInt8>) throws(RequestError) {
    var index = 0
    var packed: UInt64 = 0
    while span[index] != space {
      guard CharacterSet.token.contains(span[index]) else {
        throw index == 0 || span[index] > space ? .malformedMethod : .malformedRequestLine
      }
      packed = index < 8 ? packed << 8 | UInt64(span[index]) : 0
      index &+= 1
    }
    if index == 0 { throw .malformedMethod }
    let targetStart = index &+ 1
    index = targetStart
    while span[index] > space { index &+= 1 }
    target = targetStart..<index
    guard span[index] == space, index > targetStart else { throw .malformedRequestLine }
    let name = index &+ 1
    index = name
    while span[index] > space { index &+= 1 }
    guard span[index] == carriageReturn else { throw .malformedRequestLine }
    if span[index &+ 1] != lineFeed { throw .bareCarriageReturn }
    guard index &- name == 8, span.equals("http/", in: name..<name &+ 5),
      span[name] == 0x48, span[name &+ 1] == 0x54, span[name &+ 2] == 0x54, span[name &+ 3] == 0x50,
      span[name &+ 5].isASCIIDigit, span[name &+ 6] == 0x2e, span[name &+ 7].isASCIIDigit
    else { throw .malformedVersion }
    guard span[name &+ 5] == 0x31 else { throw .unsupportedVersion }
    version = span[name &+ 7] == 0x30 ? .http10 : .http11
    guard let method = Method(packed: packed) else { throw .unknownMethod }
    self.method = method
    next = index &+ 2
  }
}
