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

  /// - Throws: `Problem`: 400 for what is no JSON, 422 naming the field for what does not fit.
  public static func decode<Value: Decodable>(_ type: Value.Type, from octets: [UInt8]) throws -> Value {
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    do {
      return try decoder.decode(type, from: Data(octets))
    } catch let error as DecodingError {
      if case .dataCorrupted(let context) = error, context.codingPath.isEmpty, let path = UnfitNumber.path(in: octets) {
        throw Problem.invalid(field: path, "must be a whole number, and not as large")
      }
      throw Problem(error)
    }
  }
}

/// The decoder does not tell where a number stands that does not fit its place: the first that is not whole is looked for.
private enum UnfitNumber {
  private indirect enum Tree: Decodable {
    case fits, unfit
    case object([(key: String, value: Tree)])
    case list([Tree])

    init(from decoder: any Decoder) throws {
      if let object = try? [String: Tree](from: decoder) {
        self = .object(object.sorted { $0.key < $1.key }.map { ($0.key, $0.value) })
      } else if let list = try? [Tree](from: decoder) {
        self = .list(list)
      } else {
        let value = try decoder.singleValueContainer()
        let fits =
          value.decodeNil() || (try? value.decode(Bool.self)) != nil || (try? value.decode(String.self)) != nil
          || (try? value.decode(Int.self)) != nil
        self = fits ? .fits : .unfit
      }
    }

    /// Nil where every number fits.
    func path(_ above: String) -> String? {
      switch self {
      case .fits: nil
      case .unfit: above
      case .object(let members):
        members.lazy.compactMap { $0.value.path(above.isEmpty ? $0.key : "\(above).\($0.key)") }.first
      case .list(let items): items.indices.lazy.compactMap { items[$0].path("\(above)[\($0)]") }.first
      }
    }
  }

  static func path(in octets: [UInt8]) -> String? {
    (try? JSONDecoder().decode(Tree.self, from: Data(octets)))?.path("")
  }
}

extension Problem {
  init(_ error: DecodingError) {
    func path(_ context: DecodingError.Context, _ last: (any CodingKey)? = nil) -> String {
      let keys = context.codingPath + (last.map { [$0] } ?? [])
      return keys.reduce(into: "") { text, key in
        if let index = key.intValue {
          text += "[\(index)]"
        } else {
          text += (text.isEmpty ? "" : ".") + snake(key.stringValue)
        }
      }
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

/// `nameServers` as it stands in JSON: `name_servers`.
private func snake(_ name: String) -> String {
  name.reduce(into: "") { text, character in
    if character.isUppercase { text += "_" + character.lowercased() } else { text.append(character) }
  }
}
