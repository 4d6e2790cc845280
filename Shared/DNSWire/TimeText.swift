import Octets

/// Seconds as master files write them: a number, or numbers with units, as in `1h30m` or `1W2D`.
enum TimeText {
  static let units: [(letter: UInt8, seconds: UInt32)] = [
    (0x77, 604_800), (0x64, 86_400), (0x68, 3_600), (0x6D, 60), (0x73, 1),
  ]

  /// Nil for all else, and above 2^32-1.
  static func parse(_ text: some Collection<UInt8>) -> UInt32? {
    if let plain = text.parsedDecimal(as: UInt32.self) { return plain }
    var total: UInt32 = 0
    var digits: [UInt8] = []
    for octet in text {
      if octet.isASCIIDigit {
        digits.append(octet)
        continue
      }
      guard let unit = units.first(where: { $0.letter == octet.asciiLowercased }),
        let count = digits.parsedDecimal(as: UInt32.self)
      else { return nil }
      let (product, overflow) = count.multipliedReportingOverflow(by: unit.seconds)
      let (sum, carry) = total.addingReportingOverflow(product)
      if overflow || carry { return nil }
      total = sum
      digits.removeAll()
    }
    return digits.isEmpty && !text.isEmpty ? total : nil
  }
}
