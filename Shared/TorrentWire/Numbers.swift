/// Reads numbers in network order, each whole or not at all. The octets are handed in with each call, so it needs no lifetime of
/// its own.
struct NumberReader {
  private(set) var index = 0
  private let end: Int

  init(_ bytes: RawSpan) { end = bytes.byteCount }

  var left: Int { end - index }

  private mutating func number<Value: FixedWidthInteger & BitwiseCopyable>(_ bytes: RawSpan, as type: Value.Type)
    -> Value?
  {
    let size = Value.bitWidth / 8
    guard left >= size else { return nil }
    defer { index += size }
    return Value(bigEndian: unsafe bytes.unsafeLoadUnaligned(fromByteOffset: index, as: Value.self))
  }

  mutating func uint8(_ bytes: RawSpan) -> UInt8? { number(bytes, as: UInt8.self) }
  mutating func uint16(_ bytes: RawSpan) -> UInt16? { number(bytes, as: UInt16.self) }
  mutating func uint32(_ bytes: RawSpan) -> UInt32? { number(bytes, as: UInt32.self) }
  mutating func uint64(_ bytes: RawSpan) -> UInt64? { number(bytes, as: UInt64.self) }

  mutating func name<Meaning>(_ bytes: RawSpan, of meaning: Meaning.Type = Meaning.self) -> Octets20<Meaning>? {
    guard left >= 20, let first = uint64(bytes), let second = uint64(bytes), let third = uint32(bytes) else {
      return nil
    }
    return Octets20(first, second, third)
  }

  /// So many octets, or as many as are left.
  mutating func octets(_ count: Int, _ bytes: RawSpan) -> [UInt8] {
    let range = index..<index + min(count, left)
    index = range.upperBound
    return unsafe bytes.extracting(range).withUnsafeBytes { unsafe Array($0) }
  }
}

/// Writes them.
struct NumberWriter {
  var octets: [UInt8] = []

  private mutating func number<Value: FixedWidthInteger>(_ value: Value) {
    for shift in stride(from: Value.bitWidth - 8, through: 0, by: -8) {
      octets.append(UInt8(truncatingIfNeeded: value >> Value(shift)))
    }
  }

  mutating func uint16(_ value: UInt16) { number(value) }
  mutating func uint32(_ value: UInt32) { number(value) }
  mutating func uint64(_ value: UInt64) { number(value) }
}
