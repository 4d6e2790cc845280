import Octets

/// Presentation formats of types that stay octets in `RData`: each is a row of fields, read and printed by one rule.
enum RDataFields {
  enum Field {
    case number8
    case number16
    /// All that is left, in base 16.
    case hexadecimal
    /// All that is left, in base 64.
    case base64
    /// A character string.
    case string
    /// All that is left, in quotes.
    case text
    /// Never compressed (RFC 3597 §4).
    case name
    /// All that is left, as SvcParams.
    case parameters
  }

  static let formats: [RecordType: [Field]] = [
    // RFC 4034 §5.3, RFC 7344 §3.1
    .ds: [.number16, .number8, .number8, .hexadecimal],
    RecordType(rawValue: 59): [.number16, .number8, .number8, .hexadecimal],
    // RFC 4034 §2.2, RFC 7344 §3.2
    RecordType(rawValue: 48): [.number16, .number8, .number8, .base64],
    RecordType(rawValue: 60): [.number16, .number8, .number8, .base64],
    // RFC 4255 §3.2
    RecordType(rawValue: 44): [.number8, .number8, .hexadecimal],
    // RFC 6698 §2.2, RFC 8162 §2
    RecordType(rawValue: 52): [.number8, .number8, .number8, .hexadecimal],
    RecordType(rawValue: 53): [.number8, .number8, .number8, .hexadecimal],
    // RFC 3403 §4.1
    RecordType(rawValue: 35): [.number16, .number16, .string, .string, .string, .name],
    // RFC 1035 §3.3.2
    RecordType(rawValue: 13): [.string, .string],
    // RFC 1183 §2.2, §1
    RecordType(rawValue: 17): [.name, .name],
    RecordType(rawValue: 18): [.number16, .name],
    // RFC 7553 §4.5
    RecordType(rawValue: 256): [.number16, .number16, .text],
    // RFC 9460 §2.1
    RecordType(rawValue: 64): [.number16, .name, .parameters],
    RecordType(rawValue: 65): [.number16, .name, .parameters],
  ]

  static func read(_ format: [Field], _ fields: inout FieldReader) throws(TextError) -> [UInt8] {
    var writer = MessageWriter(compressing: false)
    for field in format {
      switch field {
      case .number8: writer.append(try fields.number("number") as UInt8)
      case .number16: writer.append(try fields.number("number") as UInt16)
      case .name: writer.append(try fields.name("name"))
      case .text: writer.append(octets: try fields.token("text").unescaped())
      case .parameters: writer.append(octets: try ServiceParameters.read(&fields))
      case .string:
        let string = try fields.string("string")
        writer.append(UInt8(string.count))
        writer.append(octets: string)
      case .hexadecimal:
        let digits = try fields.rest("hexadecimal data")
        guard let octets = Hex.decode(digits) else { throw .bad("hexadecimal data", digits) }
        writer.append(octets: octets)
      case .base64:
        let digits = try fields.rest("base 64 data")
        guard let octets = Base64.decode(Array(digits.utf8)) else { throw .bad("base 64 data", digits) }
        writer.append(octets: octets)
      }
    }
    return writer.bytes
  }

  /// Nil when the octets are not what the format says.
  static func text(_ format: [Field], _ octets: [UInt8]) -> String? {
    // Every octet of an array of octets is initialised.
    let bytes = unsafe octets.span.bytes
    var cursor = WireCursor(0, end: octets.count)
    var words: [String] = []
    do throws(WireError) {
      for field in format {
        switch field {
        case .number8: words.append("\(try cursor.uint8(bytes))")
        case .number16: words.append("\(try cursor.uint16(bytes))")
        case .name: words.append(try cursor.name(bytes, compressed: false).description)
        case .text: words.append(RData.quoted(try cursor.rest(bytes)))
        case .parameters:
          guard let parameters = try ServiceParameters.text(&cursor, bytes) else { return nil }
          words += parameters
        case .string: words.append(RData.quoted(try cursor.octets(Int(try cursor.uint8(bytes)), bytes)))
        case .hexadecimal: words.append(Hex.encode(try cursor.rest(bytes)))
        case .base64: words.append(String(decoding: Base64.encode(try cursor.rest(bytes)), as: UTF8.self))
        }
      }
    } catch {
      return nil
    }
    // An empty last field could not be read back.
    return cursor.offset == cursor.end && words.last != "" ? words.joined(separator: " ") : nil
  }
}
