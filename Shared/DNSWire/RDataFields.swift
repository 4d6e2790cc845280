import Octets

/// Presentation formats of types that stay octets in `RData`: each is a row of fields, read and printed by one rule.
enum RDataFields {
  enum Field {
    case number8
    case number16
    case number32
    /// The algorithm of a key: a number, or its mnemonic (RFC 4034 Appendix A.1).
    case algorithm
    /// A number, or its mnemonic (RFC 4398 §2.2).
    case certificateType
    /// A record type by its mnemonic.
    case type
    /// All that are left, as a bit map of types (RFC 4034 §4.1.2).
    case types
    /// YYYYMMDDHHmmSS, or seconds since 1970 (RFC 4034 §3.2).
    case time
    /// Base 16, "-" for none (RFC 5155 §3.3).
    case salt
    /// Base 32 with the extended alphabet, without padding (RFC 5155 §3.3).
    case hash
    /// All that are left, one at least, as character strings.
    case strings
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
    .ds: [.number16, .algorithm, .number8, .hexadecimal],
    RecordType(rawValue: 59): [.number16, .algorithm, .number8, .hexadecimal],
    // RFC 4034 §2.2, RFC 7344 §3.2
    RecordType(rawValue: 48): [.number16, .number8, .algorithm, .base64],
    RecordType(rawValue: 60): [.number16, .number8, .algorithm, .base64],
    // RFC 4034 §3.2, §4.2
    .rrsig: [.type, .algorithm, .number8, .number32, .time, .time, .number16, .name, .base64],
    RecordType(rawValue: 47): [.name, .types],
    // RFC 5155 §3.3, §4.3
    RecordType(rawValue: 50): [.number8, .number8, .number16, .salt, .hash, .types],
    RecordType(rawValue: 51): [.number8, .number8, .number16, .salt],
    // RFC 4398 §2.2
    RecordType(rawValue: 37): [.certificateType, .number16, .algorithm, .base64],
    // RFC 7929 §2.3
    RecordType(rawValue: 61): [.base64],
    // RFC 7477 §2.1.2
    RecordType(rawValue: 62): [.number32, .number16, .types],
    // RFC 8976 §2.3
    RecordType(rawValue: 63): [.number32, .number8, .number8, .hexadecimal],
    // RFC 7208 §3.1: as TXT.
    RecordType(rawValue: 99): [.strings],
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
      case .number32: writer.append(try fields.number("number") as UInt32)
      case .algorithm: writer.append(try fields.number("algorithm", or: DNSSECText.algorithms) as UInt8)
      case .certificateType: writer.append(try fields.number("type", or: DNSSECText.certificateTypes) as UInt16)
      case .type: writer.append(try fields.type("type").rawValue)
      case .types: writer.append(octets: try DNSSECText.bitMap(of: &fields))
      case .time: writer.append(try DNSSECText.time(fields.token("time")))
      case .salt: writer.append(octets: try DNSSECText.salt(fields.token("salt")))
      case .hash: writer.append(octets: try DNSSECText.hash(fields.token("hash")))
      case .strings:
        repeat {
          for string in try fields.strings("string") {
            writer.append(UInt8(string.count))
            writer.append(octets: string)
          }
        } while !fields.isAtEnd
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
        case .number8, .algorithm: words.append("\(try cursor.uint8(bytes))")
        case .number16, .certificateType: words.append("\(try cursor.uint16(bytes))")
        case .number32: words.append("\(try cursor.uint32(bytes))")
        case .type: words.append("\(RecordType(rawValue: try cursor.uint16(bytes)))")
        case .types:
          guard let types = DNSSECText.types(of: try cursor.rest(bytes)) else { return nil }
          words += types
        case .time: words.append(DNSSECText.text(time: try cursor.uint32(bytes)))
        case .salt:
          let salt = try cursor.octets(Int(try cursor.uint8(bytes)), bytes)
          words.append(salt.isEmpty ? "-" : Hex.encode(salt))
        case .hash:
          let hash = try cursor.octets(Int(try cursor.uint8(bytes)), bytes)
          guard !hash.isEmpty else { return nil }
          words.append(DNSSECText.text(hash: hash))
        case .strings:
          repeat {
            words.append(RData.quoted(try cursor.octets(Int(try cursor.uint8(bytes)), bytes)))
          } while cursor.offset < cursor.end
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
