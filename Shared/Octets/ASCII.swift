/// ASCII as protocols use it: on octets, without locale and without `String`.
extension UInt8 {
  @inlinable public var isASCIIDigit: Bool { self &- 0x30 < 10 }
  @inlinable public var isASCIILetter: Bool { (self | 0x20) &- 0x61 < 26 }
  @inlinable public var isASCIIAlphanumeric: Bool { isASCIIDigit || isASCIILetter }
  /// A space or a horizontal tab (WSP in RFC 5234).
  @inlinable public var isASCIIBlank: Bool { self == 0x20 || self == 0x09 }
  /// 0x00 to 0x1F and 0x7F.
  @inlinable public var isASCIIControl: Bool { self < 0x20 || self == 0x7F }
  @inlinable public var asciiLowercased: UInt8 { self &- 0x41 < 26 ? self | 0x20 : self }
  @inlinable public var asciiUppercased: UInt8 { self &- 0x61 < 26 ? self & ~0x20 : self }
  /// The value of a hexadecimal digit in either case, or nil.
  @inlinable public var hexDigit: UInt8? {
    if isASCIIDigit { return self &- 0x30 }
    let letter = (self | 0x20) &- 0x61
    return letter < 6 ? letter &+ 10 : nil
  }
}

extension Sequence<UInt8> {
  /// Equal when ASCII letters are compared without case (RFC 4343 §3, RFC 9110 §5.1).
  @inlinable public func equalsIgnoringASCIICase(_ other: some Sequence<UInt8>) -> Bool {
    elementsEqual(other) { $0.asciiLowercased == $1.asciiLowercased }
  }
}

extension Collection<UInt8> {
  /// The number written in ASCII digits alone: no sign, no blank, not empty; nil also when it overflows.
  @inlinable public func parsedDecimal<T: FixedWidthInteger>(as type: T.Type = T.self) -> T? {
    guard !isEmpty else { return nil }
    var value: T = 0
    for octet in self {
      guard octet.isASCIIDigit else { return nil }
      let (product, overflow) = value.multipliedReportingOverflow(by: 10)
      let (sum, carry) = product.addingReportingOverflow(T(octet &- 0x30))
      if overflow || carry { return nil }
      value = sum
    }
    return value
  }
}

extension RangeReplaceableCollection<UInt8> {
  /// Appends the decimal digits of `value`, without a `String` in between.
  @inlinable public mutating func appendDecimal(_ value: some BinaryInteger) {
    var magnitude = UInt64(clamping: value.magnitude)
    if value < 0 { append(0x2D) }
    var divisor: UInt64 = 1
    while magnitude / divisor >= 10 { divisor *= 10 }
    while divisor > 0 {
      append(UInt8(0x30 + magnitude / divisor))
      magnitude %= divisor
      divisor /= 10
    }
  }
}
