import FoundationEssentials
import HTTPWire

/// JSON as the house writes it: snake_case names in a fixed order, so that equal values are equal bytes.
public enum JSON {
  public static func encode(_ value: some Encodable) throws -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.keyEncodingStrategy = .convertToSnakeCase
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return Array(try encoder.encode(value))
  }

  /// - Parameters:
  ///   - limit: of the values in it, lists and objects included: each takes memory, however few octets it has.
  ///   - isSnakeCase: `name_servers` is decoded to what is called `nameServers`; but so is `nameServers` itself. Where that must not
  ///     be, a type names its keys as they are written.
  /// - Throws: `Problem`: 400 for what is no JSON, 413 for too many values, 422 naming the field for what does not fit.
  public static func decode<Value: Decodable>(
    _ type: Value.Type, from octets: [UInt8], values limit: Int = .max, isSnakeCase: Bool = true
  ) throws -> Value {
    let unfit: String?
    do throws(JSONScanner.Fault) {
      unfit = try JSONScanner.scan(octets, values: limit)
    } catch {
      throw Problem(error, limit)
    }
    let decoder = JSONDecoder()
    if isSnakeCase { decoder.keyDecodingStrategy = .convertFromSnakeCase }
    do {
      return try decoder.decode(type, from: Data(octets))
    } catch let error as DecodingError {
      // A number that does not fit its place has no path there.
      if case .dataCorrupted(let context) = error, context.codingPath.isEmpty, let unfit {
        throw Problem.invalid(field: unfit, "must be a whole number of 64 bits")
      }
      throw Problem(error)
    }
  }
}

extension Problem {
  fileprivate init(_ fault: JSONScanner.Fault, _ limit: Int) {
    switch fault {
    case .syntax(let octet): self = Problem(400, "The body is not valid JSON from octet \(octet) on.")
    case .tooDeep:
      self = Problem(400, "The body has more than \(JSONScanner.depthLimit) lists or objects in each other.")
    case .doubled(let path): self = .invalid(field: path, "is there twice")
    case .halfCharacter(let path): self = .invalid(field: path, "holds half a surrogate pair")
    case .tooMany: self = Problem(413, "The body holds more than \(limit) values.")
    }
  }

  init(_ error: DecodingError) {
    func path(_ context: DecodingError.Context, _ last: (any CodingKey)? = nil) -> String {
      let keys = context.codingPath + (last.map { [$0] } ?? [])
      let path = keys.reduce(into: "") { text, key in
        if let index = key.intValue {
          text += "[\(index)]"
        } else {
          text += (text.isEmpty ? "" : ".") + snake(key.stringValue)
        }
      }
      // The client chose the names.
      return String(path.unicodeScalars.prefix(JSONScanner.pathLimit))
    }
    switch error {
    case .keyNotFound(let key, let context):
      self = .invalid(field: path(context, key), "is missing")
    case .typeMismatch(let type, let context):
      self = .invalid(field: path(context), "must be \(Self.name(type))")
    case .valueNotFound(let type, let context):
      self = .invalid(field: path(context), "must be \(Self.name(type)), not null")
    case .dataCorrupted(let context) where context.codingPath.isEmpty:
      self = Problem(400, "The body is not valid JSON.")
    case .dataCorrupted(let context):
      self = .invalid(field: path(context), context.debugDescription)
    @unknown default:
      self = Problem(400, "The body can't be read.")
    }
  }

  private static func name(_ type: any Any.Type) -> String {
    switch type {
    case is String.Type: "a string"
    case is Bool.Type: "true or false"
    case is any BinaryInteger.Type: "a whole number"
    case is any BinaryFloatingPoint.Type: "a number"
    case is [String: Any].Type: "an object"
    case is [Any].Type: "a list"
    default: "of another type"
    }
  }
}

/// `nameServers` as it stands in JSON: `name_servers`. A capital at another place is the client's own.
private func snake(_ name: String) -> String {
  var last: Character = " "
  return name.reduce(into: "") { text, character in
    let isJoint = character.isUppercase && (last.isLowercase || last.isNumber)
    text += isJoint ? "_" + character.lowercased() : String(character)
    last = character
  }
}
