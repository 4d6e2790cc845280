import DNSWire
import HTTPServer
import HTTPWire
import Octets
import ServiceKit

/// Reads request parameters exactly as openapi/resolver.yaml allows them; all else is 400 or 422, naming the parameter.
enum Parameters {
  /// A name with or without its last dot, without escapes.
  /// - Parameter isStrict: only letters, digits, hyphen, underscore and asterisk, and not the root.
  static func name(_ text: String, isStrict: Bool = false) throws -> Name {
    var octets = Array(text.utf8)
    let isRoot = octets == [0x2E]
    if isRoot, !isStrict { return .root }
    let why = "name must be labels of 1 to 63 printable ASCII characters with dots between them, 253 in all"
    guard (1...253).contains(octets.count) else { throw Problem(400, why, field: "name") }
    if octets.last == 0x2E { octets.removeLast() }
    let labels = octets.split(separator: 0x2E, omittingEmptySubsequences: false)
    let isPlain = { (octet: UInt8) in
      isStrict
        ? octet.isASCIIAlphanumeric || octet == 0x2D || octet == 0x5F || octet == 0x2A
        : octet > 0x20 && octet < 0x7F && octet != 0x5C
    }
    guard octets.allSatisfy({ $0 == 0x2E || isPlain($0) }), let name = Name(labels: labels) else {
      throw Problem(400, why, field: "name")
    }
    return name
  }

  /// A mnemonic, TYPEnnn or a number.
  static func type(_ text: String) throws -> RecordType {
    let octets = Array(text.utf8)
    guard (1...16).contains(octets.count), octets.allSatisfy({ $0.isASCIIAlphanumeric || $0 == 0x2D }) else {
      throw Problem(400, "type must be a record type such as MX, TYPE15 or 15", field: "type")
    }
    if let number = octets.parsedDecimal(as: UInt16.self) { return RecordType(rawValue: number) }
    guard let type = RecordType(text) else {
      throw Problem(422, "type \(text) is not known; write an unknown one as TYPE123", field: "type")
    }
    return type
  }

  static func flag(_ request: Request, _ name: String, default value: Bool) throws -> Bool {
    switch request.query(name) {
    case nil: return value
    case "0", "false": return false
    case "1", "true": return true
    default: throw Problem(400, "\(name) must be 0, 1, false or true", field: name)
    }
  }

  static func number(_ request: Request, _ name: String, _ range: ClosedRange<Int>, default value: Int) throws -> Int {
    guard let text = request.query(name) else { return value }
    guard let number = Array(text.utf8).parsedDecimal(as: Int.self), range.contains(number), text.utf8.count <= 9 else {
      throw Problem(400, "\(name) must be \(range.lowerBound) to \(range.upperBound)", field: name)
    }
    return number
  }
}
