import Octets

/// LOC in presentation format (RFC 1876 §3): `42 21 54 N 71 06 18 W -24m 30m`.
enum LocationText {
  private static let middle: Int64 = 1 << 31
  /// Altitudes are counted from so many centimetres below the spheroid.
  private static let base: Int64 = 10_000_000

  static func read(_ fields: inout FieldReader) throws(TextError) -> [UInt8] {
    let latitude = try angle(&fields, "N", "S", limit: 90)
    let longitude = try angle(&fields, "E", "W", limit: 180)
    let altitude = try metres(&fields, "altitude", -base...(Int64(UInt32.max) - base))
    // Size, horizontal and vertical precision: 1 m, 10 km and 10 m where they are not given.
    var sizes: [UInt8] = [0x12, 0x16, 0x13]
    for index in sizes.indices where !fields.isAtEnd {
      var digit = try metres(&fields, "size", 0...9_000_000_000)
      var power: UInt8 = 0
      while digit > 9 { (digit, power) = (digit / 10, power + 1) }
      sizes[index] = UInt8(digit) << 4 | power
    }
    var writer = MessageWriter(compressing: false)
    writer.append(octets: [0] + sizes)
    for number in [latitude, longitude, altitude + base] { writer.append(UInt32(number)) }
    return writer.bytes
  }

  /// Nil for another version, and for what `read` does not make.
  static func text(_ octets: [UInt8]) -> String? {
    guard octets.count == 16, octets[0] == 0 else { return nil }
    func number(_ index: Int) -> Int64 { octets[index..<(index + 4)].reduce(0) { $0 << 8 | Int64($1) } }
    let (latitude, longitude) = (number(4) - middle, number(8) - middle)
    guard abs(latitude) <= 90 * 3_600_000, abs(longitude) <= 180 * 3_600_000 else { return nil }
    var words = [angle(latitude, "N", "S"), angle(longitude, "E", "W"), metres(number(12) - base)]
    for size in octets[1...3] {
      let (digit, power) = (size >> 4, size & 15)
      guard digit < 10, power < 10, digit > 0 || power == 0 else { return nil }
      words.append(metres((0..<power).reduce(Int64(digit)) { value, _ in value * 10 }))
    }
    return words.joined(separator: " ")
  }

  /// Degrees, and minutes and seconds if there are any, then where they lead; in thousandths of a second.
  private static func angle(
    _ fields: inout FieldReader, _ positive: String, _ negative: String, limit: Int64
  ) throws(TextError) -> Int64 {
    var sum: Int64 = 0
    for unit in [3_600_000, 60_000, 1000, 0] as [Int64] {
      let token = try fields.token("angle")
      let word = token.string.uppercased()
      if unit < 3_600_000, [positive, negative].contains(word), sum <= limit * 3_600_000 {
        return middle + (word == positive ? sum : -sum)
      }
      guard let value = decimal(token.octets[...], digits: unit == 1000 ? 3 : 0),
        unit == 3_600_000 ? 0...limit ~= value : 0..<(unit == 1000 ? 60_000 : 60) ~= value, unit > 0
      else { throw .bad("angle", token.string) }
      sum += unit == 1000 ? value : value * unit
    }
    throw .missing("\(positive) or \(negative)")
  }

  private static func angle(_ thousandths: Int64, _ positive: String, _ negative: String) -> String {
    let size = abs(thousandths)
    let seconds = text(size % 60_000, digits: 3)
    return "\(size / 3_600_000) \(size / 60_000 % 60) \(seconds) \(thousandths < 0 ? negative : positive)"
  }

  /// Centimetres of `-24.00m`; the unit may be left out.
  private static func metres(
    _ fields: inout FieldReader, _ field: String, _ range: ClosedRange<Int64>
  ) throws(TextError) -> Int64 {
    let token = try fields.token(field)
    let number = token.octets.last == 0x6D ? token.octets.dropLast() : token.octets[...]
    guard let value = decimal(number, digits: 2), range ~= value else { throw .bad(field, token.string) }
    return value
  }

  private static func metres(_ centimetres: Int64) -> String {
    (centimetres < 0 ? "-" : "") + text(abs(centimetres), digits: 2) + "m"
  }

  /// A decimal number times ten to the power of `digits`: after its point it has no more than those.
  private static func decimal(_ text: ArraySlice<UInt8>, digits: Int) -> Int64? {
    let parts = text.dropFirst(text.first == 0x2D ? 1 : 0).split(separator: 0x2E, omittingEmptySubsequences: false)
    guard (1...2).contains(parts.count), let whole = parts[0].parsedDecimal(as: UInt32.self) else { return nil }
    let places = parts.count == 2 ? parts[1].count : 0
    guard places <= digits, places > 0 || parts.count == 1 else { return nil }
    let padded = (places > 0 ? Array(parts[1]) : []) + Array(repeating: 0x30, count: digits - places)
    guard let rest = digits == 0 ? 0 : padded.parsedDecimal(as: Int64.self) else { return nil }
    let value = (0..<digits).reduce(Int64(whole)) { value, _ in value * 10 } + rest
    return text.first == 0x2D ? -value : value
  }

  private static func text(_ value: Int64, digits: Int) -> String {
    let scale: Int64 = digits == 3 ? 1000 : 100
    // The leading 1 keeps the zeros.
    return "\(value / scale).\("\(scale + value % scale)".dropFirst())"
  }
}
