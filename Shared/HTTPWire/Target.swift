import Octets

/// A request target taken apart (RFC 9112 §3.2).
struct Target {
  var form: TargetForm
  var authority: Range<Int>?
  var path: Range<Int>
  var query: Range<Int>
  /// Whether the path holds an escape or a dot segment.
  var needsDecoding = false

  init(_ span: Span<UInt8>, _ range: Range<Int>, method: Method) throws(RequestError) {
    let start: Int
    if span[range.lowerBound] == 0x2f {
      form = .origin
      start = range.lowerBound
    } else if range.count == 1, span[range.lowerBound] == 0x2a, method == .options {
      form = .asterisk
      path = range
      query = range.upperBound..<range.upperBound
      return
    } else if range.count > 7, span.equals("http://", in: range.lowerBound..<range.lowerBound &+ 7) {
      form = .absolute
      let begin = range.lowerBound &+ 7
      var end = begin
      while end < range.upperBound, span[end] != 0x2f, span[end] != 0x3f { end &+= 1 }
      do {
        try Authority.check(span, begin..<end)
      } catch { throw .malformedTarget }
      authority = begin..<end
      start = end
    } else {
      throw .malformedTarget
    }

    var index = start
    var previous: UInt8 = 0
    while index < range.upperBound {
      let byte = span[index]
      if byte == 0x3f { break }
      guard CharacterSet.path.contains(byte) else { throw .malformedTarget }
      if byte == 0x25 || (byte == 0x2e && previous == 0x2f) { needsDecoding = true }
      previous = byte
      index &+= 1
    }
    path = start..<index
    if path.isEmpty { needsDecoding = true }
    query = min(index &+ 1, range.upperBound)..<range.upperBound
    for position in query {
      guard CharacterSet.query.contains(span[position]) else { throw .malformedTarget }
    }
  }

  /// Decodes the escapes of a path once, then removes its dot segments (RFC 3986 §5.2.4), so that an encoded `..` is
  /// gone as well. The result is appended to `bytes`; returns where.
  static func normalise(_ bytes: inout [UInt8], _ path: Range<Int>) throws(RequestError) -> Range<Int> {
    let begin = bytes.count
    var index = path.lowerBound
    while index < path.upperBound {
      let byte = bytes[index]
      if byte == 0x25 {
        guard index &+ 2 < path.upperBound, let high = bytes[index &+ 1].hexDigit,
          let low = bytes[index &+ 2].hexDigit, high | low != 0
        else { throw .malformedEscape }
        bytes.append(high << 4 | low)
        index &+= 3
      } else {
        bytes.append(byte)
        index &+= 1
      }
    }
    if bytes.count == begin { bytes.append(0x2f) }
    bytes.removeSubrange(removeDotSegments(&bytes, begin..<bytes.count)..<bytes.count)
    return begin..<bytes.count
  }

  /// Closes up `range` in place; returns its new end.
  private static func removeDotSegments(_ bytes: inout [UInt8], _ range: Range<Int>) -> Int {
    var write = range.lowerBound
    var read = range.lowerBound
    while read < range.upperBound {
      // `read` is at the slash that opens a segment.
      var end = read &+ 1
      while end < range.upperBound, bytes[end] != 0x2f { end &+= 1 }
      let length = end &- read &- 1
      let isDot = length == 1 && bytes[read &+ 1] == 0x2e
      let isDoubleDot = length == 2 && bytes[read &+ 1] == 0x2e && bytes[read &+ 2] == 0x2e
      if isDoubleDot {
        while write > range.lowerBound {
          write &-= 1
          if bytes[write] == 0x2f { break }
        }
      } else if !isDot {
        for index in read..<end {
          bytes[write] = bytes[index]
          write &+= 1
        }
      }
      // A path that ends in a dot segment ends in a slash.
      if isDot || isDoubleDot, end == range.upperBound {
        bytes[write] = 0x2f
        write &+= 1
      }
      read = end
    }
    return write
  }
}

/// `host [ ":" port ]` (RFC 9110 §7.2, RFC 3986 §3.2.2).
enum Authority {
  /// Refuses what isn't a name, an IPv4 address or a bracketed IPv6 address with an optional port.
  static func check(_ span: Span<UInt8>, _ range: Range<Int>) throws(RequestError) {
    var index = range.lowerBound
    guard index < range.upperBound else { throw .malformedHost }
    if span[index] == 0x5b {
      index &+= 1
      let start = index
      while index < range.upperBound, span[index] != 0x5d {
        guard span[index].hexDigit != nil || span[index] == 0x3a || span[index] == 0x2e else { throw .malformedHost }
        index &+= 1
      }
      guard index < range.upperBound, index &- start >= 2 else { throw .malformedHost }
      index &+= 1
    } else {
      while index < range.upperBound, span[index] != 0x3a {
        guard CharacterSet.registeredName.contains(span[index]) else { throw .malformedHost }
        index &+= 1
      }
      guard index > range.lowerBound else { throw .malformedHost }
    }
    if index == range.upperBound { return }
    guard span[index] == 0x3a, range.upperBound &- index <= 6 else { throw .malformedHost }
    var port = 0
    for position in index &+ 1..<range.upperBound {
      guard span[position].isASCIIDigit else { throw .malformedHost }
      port = port &* 10 &+ Int(span[position] &- 0x30)
    }
    guard port <= 65_535 else { throw .malformedHost }
  }
  /// Where the host lies in an authority that has been checked.
  static func host(_ span: Span<UInt8>, _ range: Range<Int>) -> Range<Int> {
    guard let first = range.first else { return range }
    let isBracketed = span[first] == 0x5b
    let start = isBracketed ? first &+ 1 : first
    let end: UInt8 = isBracketed ? 0x5d : 0x3a
    var index = start
    while index < range.upperBound, span[index] != end { index &+= 1 }
    return start..<index
  }
}
