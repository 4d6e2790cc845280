import Octets

/// Fields that records of DNSSEC have and others have not, in presentation format.
enum DNSSECText {
  /// RFC 4034 Appendix A.1 and what was registered later.
  static let algorithms: [String: UInt8] = [
    "RSAMD5": 1, "DH": 2, "DSA": 3, "RSASHA1": 5, "DSA-NSEC3-SHA1": 6, "RSASHA1-NSEC3-SHA1": 7, "RSASHA256": 8,
    "RSASHA512": 10, "ECC-GOST": 12, "ECDSAP256SHA256": 13, "ECDSAP384SHA384": 14, "ED25519": 15, "ED448": 16,
    "INDIRECT": 252, "PRIVATEDNS": 253, "PRIVATEOID": 254,
  ]
  /// RFC 4398 §2.1.
  static let certificateTypes: [String: UInt16] = [
    "PKIX": 1, "SPKI": 2, "PGP": 3, "IPKIX": 4, "ISPKI": 5, "IPGP": 6, "ACPKIX": 7, "IACPKIX": 8, "URI": 253,
    "OID": 254,
  ]

  // MARK: Type bit maps (RFC 4034 §4.1.2): windows of 256 types, those without types left out

  static func bitMap(of fields: inout FieldReader) throws(TextError) -> [UInt8] {
    var windows: [UInt8: [UInt8]] = [:]
    while !fields.isAtEnd {
      let type = try fields.type("type").rawValue
      let place = Int(type & 0xFF)
      var bits = windows[UInt8(type >> 8)] ?? []
      while bits.count <= place / 8 { bits.append(0) }
      bits[place / 8] |= 0x80 >> UInt8(place % 8)
      windows[UInt8(type >> 8)] = bits
    }
    return windows.sorted { $0.key < $1.key }.flatMap { [$0.key, UInt8($0.value.count)] + $0.value }
  }

  /// Nil when the octets are not what `bitMap` makes.
  static func types(of map: [UInt8]) -> [String]? {
    var types: [String] = []
    var rest = map[...]
    var last = -1
    while let window = rest.popFirst() {
      guard let count = rest.popFirst(), (1...32).contains(count), rest.count >= count, Int(window) > last,
        rest[rest.startIndex + Int(count) - 1] != 0
      else { return nil }
      last = Int(window)
      for (index, octet) in rest.prefix(Int(count)).enumerated() {
        for bit in 0..<8 where octet & 0x80 >> UInt8(bit) != 0 {
          types.append("\(RecordType(rawValue: UInt16(window) << 8 | UInt16(index * 8 + bit)))")
        }
      }
      rest = rest.dropFirst(Int(count))
    }
    return types
  }

  // MARK: Times (RFC 4034 §3.2): they go round after 2106

  static func time(_ token: TextToken) throws(TextError) -> UInt32 {
    func part(_ range: Range<Int>) -> Int { token.octets[range].parsedDecimal(as: Int.self) ?? -1 }
    guard token.octets.count == 14 else {
      guard let seconds = token.octets.parsedDecimal(as: UInt32.self) else { throw .bad("time", token.string) }
      return seconds
    }
    let (hour, minute, second) = (part(8..<10), part(10..<12), part(12..<14))
    guard let day = CivilDate(year: part(0..<4), month: part(4..<6), day: part(6..<8)), day.year >= 1970,
      0..<24 ~= hour, 0..<60 ~= minute, 0..<60 ~= second
    else { throw .bad("time", token.string) }
    return UInt32(truncatingIfNeeded: ((day.days * 24 + hour) * 60 + minute) * 60 + second)
  }

  static func text(time: UInt32) -> String {
    let (day, second) = CivilDate.of(Int64(time))
    func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
    let date = "\(day.year)\(two(day.month))\(two(day.day))"
    return date + two(second / 3600) + two(second / 60 % 60) + two(second % 60)
  }

  // MARK: Salts and hashes (RFC 5155 §3.3), a length before each

  static func salt(_ token: TextToken) throws(TextError) -> [UInt8] {
    if token.string == "-" { return [0] }
    guard let salt = Hex.decode(token.string), (1...255).contains(salt.count) else { throw .bad("salt", token.string) }
    return [UInt8(salt.count)] + salt
  }

  /// RFC 4648 §7.
  private static let alphabet = Array("0123456789abcdefghijklmnopqrstuv".utf8)

  static func hash(_ token: TextToken) throws(TextError) -> [UInt8] {
    var hash: [UInt8] = []
    var bits: UInt32 = 0
    var held = 0
    for octet in token.octets {
      guard let value = alphabet.firstIndex(of: octet.asciiLowercased) else { throw .bad("hash", token.string) }
      bits = bits << 5 | UInt32(value)
      held += 5
      if held >= 8 {
        held -= 8
        hash.append(UInt8(truncatingIfNeeded: bits >> UInt32(held)))
      }
    }
    // What is left over are zeros of the last octet's padding.
    guard (1...255).contains(hash.count), held < 5, bits & (1 << UInt32(held) - 1) == 0 else {
      throw .bad("hash", token.string)
    }
    return [UInt8(hash.count)] + hash
  }

  static func text(hash: [UInt8]) -> String {
    var text: [UInt8] = []
    var bits: UInt32 = 0
    var held = 0
    for octet in hash {
      bits = bits << 8 | UInt32(octet)
      held += 8
      while held >= 5 {
        held -= 5
        text.append(alphabet[Int(bits >> UInt32(held)) & 31])
      }
    }
    if held > 0 { text.append(alphabet[Int(bits << UInt32(5 - held)) & 31]) }
    return String(decoding: text, as: UTF8.self)
  }
}
