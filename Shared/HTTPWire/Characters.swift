import Octets

/// Which ASCII characters belong to a grammar rule, as one bit each: a test costs a shift, and touches no memory.
struct CharacterSet: Sendable {
  let low: UInt64
  let high: UInt64

  /// RFC 9110 §5.6.2 `tchar`.
  static let token = CharacterSet(low: 0x03ff_6cfa_0000_0000, high: 0x57ff_ffff_c7ff_fffe)
  /// RFC 3986 `pchar` and `/`; also `[`, `]` and `|`, which browsers send unescaped.
  static let path = CharacterSet(low: 0x2fff_fff2_0000_0000, high: 0x57ff_fffe_afff_ffff)
  /// Visible ASCII without `"`, `#`, `<` and `>`: what browsers leave unescaped in a query.
  static let query = CharacterSet(low: 0xafff_fff2_0000_0000, high: 0x7fff_ffff_ffff_ffff)
  /// RFC 3986 `reg-name`, which includes IPv4 addresses.
  static let registeredName = CharacterSet(low: 0x2bff_7ff2_0000_0000, high: 0x47ff_fffe_87ff_fffe)

  @inline(__always)
  func contains(_ byte: UInt8) -> Bool {
    if byte < 64 { return (low >> UInt64(byte)) & 1 == 1 }
    return byte < 128 && (high >> UInt64(byte & 63)) & 1 == 1
  }
}

let horizontalTab: UInt8 = 0x09
let lineFeed: UInt8 = 0x0a
let carriageReturn: UInt8 = 0x0d
let space: UInt8 = 0x20

extension UInt8 {
  /// RFC 9110 §5.5: visible characters, obs-text, space and tab; no other control may stand in a field value.
  @inline(__always) var isFieldValue: Bool { self >= 0x20 ? self != 0x7f : self == horizontalTab }
}

extension Span<UInt8> {
  /// Whether the octets in `range` are `text`, which is lower case, ignoring the case of ASCII letters.
  @inline(__always)
  func equals(_ text: StaticString, in range: Range<Int>) -> Bool {
    guard range.count == text.utf8CodeUnitCount else { return false }
    let wanted = unsafe UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
    for offset in 0..<range.count {
      if unsafe self[range.lowerBound &+ offset].asciiLowercased != wanted[offset] { return false }
    }
    return true
  }

  /// `range` without blanks (spaces and tabs) at either end.
  func trimmed(_ range: Range<Int>) -> Range<Int> {
    var start = range.lowerBound
    var end = range.upperBound
    while start < end, self[start].isASCIIBlank { start &+= 1 }
    while end > start, self[end &- 1].isASCIIBlank { end &-= 1 }
    return start..<end
  }
}
