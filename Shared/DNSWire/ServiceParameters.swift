import Octets

/// The parameters of SVCB and HTTPS in presentation format (RFC 9460 §2.1, §7 and Appendix A).
enum ServiceParameters {
  /// Their numbers are their places.
  private static let names = [
    "mandatory", "alpn", "no-default-alpn", "port", "ipv4hint", "ech", "ipv6hint", "dohpath",
  ]

  /// All fields that are left, as octets, in the order of their numbers.
  static func read(_ fields: inout FieldReader) throws(TextError) -> [UInt8] {
    var parameters: [UInt16: [UInt8]] = [:]
    while !fields.isAtEnd {
      let word = try fields.token("parameter")
      let end = word.octets.firstIndex(of: 0x3D) ?? word.octets.endIndex
      let name = String(decoding: word.octets[..<end], as: UTF8.self)
      guard let key = key(name), parameters[key] == nil else { throw .bad("parameter", word.string) }
      var value = TextToken(octets: Array(word.octets[end...].dropFirst()))
      // key="value" is a word and a quoted word.
      if end < word.octets.endIndex, value.octets.isEmpty, fields.isQuoted { value = try fields.token("value") }
      guard let octets = encode(key, try value.unescaped()), octets.count <= 0xFFFF else {
        throw .bad(name, value.string)
      }
      parameters[key] = octets
    }
    var writer = MessageWriter(compressing: false)
    for (key, value) in parameters.sorted(by: { $0.key < $1.key }) {
      writer.append(key)
      writer.append(UInt16(truncatingIfNeeded: value.count))
      writer.append(octets: value)
    }
    return writer.bytes
  }

  /// Nil when the octets are not what the parameters' numbers say.
  static func text(_ cursor: inout WireCursor, _ bytes: RawSpan) throws(WireError) -> [String]? {
    var words: [String] = []
    var last = -1
    while cursor.offset < cursor.end {
      let key = try cursor.uint16(bytes)
      let value = try cursor.octets(Int(try cursor.uint16(bytes)), bytes)
      guard Int(key) > last, let text = decode(key, value), encode(key, text) == value else { return nil }
      last = Int(key)
      words.append(text.isEmpty ? name(key) : "\(name(key))=\(word(text))")
    }
    return words
  }

  private static func key(_ name: String) -> UInt16? {
    if let index = names.firstIndex(of: name) { return UInt16(index) }
    guard name.hasPrefix("key") else { return nil }
    return Array(name.utf8.dropFirst(3)).parsedDecimal(as: UInt16.self)
  }

  private static func name(_ key: UInt16) -> String { Int(key) < names.count ? names[Int(key)] : "key\(key)" }

  private static func encode(_ key: UInt16, _ text: [UInt8]) -> [UInt8]? {
    switch key {
    case 0:
      var keys: [UInt16] = []
      for item in list(text) {
        guard let key = self.key(String(decoding: item, as: UTF8.self)), key != 0, !keys.contains(key) else {
          return nil
        }
        keys.append(key)
      }
      return keys.isEmpty ? nil : keys.sorted().flatMap { [UInt8($0 >> 8), UInt8(truncatingIfNeeded: $0)] }
    case 1:
      let items = list(text)
      guard items.allSatisfy({ (1...255).contains($0.count) }) else { return nil }
      return items.flatMap { [UInt8($0.count)] + $0 }
    case 2: return text.isEmpty ? [] : nil
    case 3: return text.parsedDecimal(as: UInt16.self).map { [UInt8($0 >> 8), UInt8(truncatingIfNeeded: $0)] }
    case 4, 6:
      var octets: [UInt8] = []
      for item in list(text) {
        guard let address = IPAddress(String(decoding: item, as: UTF8.self)), address.isV4 == (key == 4) else {
          return nil
        }
        octets += RData.address(address).wire
      }
      return octets
    case 5: return Base64.decode(text)
    default: return text
    }
  }

  /// Plain text, escapes of lists still in it.
  private static func decode(_ key: UInt16, _ value: [UInt8]) -> [UInt8]? {
    switch key {
    case 0:
      guard value.count % 2 == 0 else { return nil }
      let keys = stride(from: 0, to: value.count, by: 2).map { UInt16(value[$0]) << 8 | UInt16(value[$0 + 1]) }
      return Array(keys.map(name).joined(separator: ",").utf8)
    case 1:
      var items: [[UInt8]] = []
      var rest = value[...]
      while let length = rest.popFirst() {
        guard rest.count >= length else { return nil }
        items.append(rest.prefix(Int(length)).flatMap { $0 == 0x2C || $0 == 0x5C ? [0x5C, $0] : [$0] })
        rest = rest.dropFirst(Int(length))
      }
      return Array(items.joined(separator: [0x2C]))
    case 3: return value.count == 2 ? Array("\(UInt16(value[0]) << 8 | UInt16(value[1]))".utf8) : nil
    case 4, 6:
      let size = key == 4 ? 4 : 16
      guard value.count % size == 0 else { return nil }
      var words: [String] = []
      for start in stride(from: 0, to: value.count, by: size) {
        // Every octet of an array of octets is initialised.
        let data = unsafe try? RData(
          decoding: value.span.bytes, range: start..<(start + size), type: key == 4 ? .a : .aaaa)
        guard let data else { return nil }
        words.append(data.text)
      }
      return Array(words.joined(separator: ",").utf8)
    case 5: return Base64.encode(value)
    default: return value
    }
  }

  /// RFC 9460 Appendix A.1: items apart by commas, `\` before a comma or `\` that belongs to one.
  private static func list(_ text: [UInt8]) -> [[UInt8]] {
    var items: [[UInt8]] = [[]]
    var isEscaped = false
    for octet in text {
      if isEscaped || octet != 0x5C && octet != 0x2C {
        items[items.count - 1].append(octet)
        isEscaped = false
      } else if octet == 0x5C {
        isEscaped = true
      } else {
        items.append([])
      }
    }
    return items
  }

  /// In quotes only where it must be.
  private static func word(_ text: [UInt8]) -> String {
    let special = Array("\"();\\ ".utf8)
    let isPlain = text.allSatisfy { $0 > 0x20 && $0 < 0x7F && !special.contains($0) }
    return isPlain ? String(decoding: text, as: UTF8.self) : RData.quoted(text)
  }
}
