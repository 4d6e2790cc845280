public import HTTPServer
import HTTPWire
import Octets

/// A body whose unknown names and nulls are refused, so that a typing error is told and not passed over.
public struct Checked<Body: KnownBody>: Decodable, Sendable {
  public var body: Body

  private struct Key: CodingKey {
    var stringValue: String
    var intValue: Int? { nil }
    init(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
  }

  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: Key.self)
    for key in container.allKeys {
      guard Body.CodingKeys(stringValue: key.stringValue) != nil else {
        throw DecodingError.dataCorruptedError(forKey: key, in: container, debugDescription: "is not known here")
      }
      guard try !container.decodeNil(forKey: key) else {
        throw DecodingError.dataCorruptedError(
          forKey: key, in: container, debugDescription: "must not be null; leave it out")
      }
    }
    body = try Body(from: decoder)
  }
}

/// A JSON object whose names are all known, as they are written there.
public protocol KnownBody: Decodable, Sendable {
  associatedtype CodingKeys: CodingKey
}

extension Request {
  /// The body, a small JSON object whose names are all known.
  public func checked<Body: KnownBody>(_ type: Body.Type) async throws -> Body {
    try requireJSON()
    return try JSON.decode(Checked<Body>.self, from: try await collect(upTo: 65_536), isSnakeCase: false).body
  }

  /// Whether Content-Type says so, whatever its parameters.
  public func isOf(type wanted: String) -> Bool {
    (header("content-type") ?? "").utf8.prefix { $0 != 0x3B }.filter { $0 != 0x20 }.equalsIgnoringASCIICase(wanted.utf8)
  }

  /// - Throws: 415 for a body that does not say that it is JSON.
  public func requireJSON() throws(Problem) {
    guard isOf(type: "application/json") else { throw Problem(415, "The body has to be application/json.") }
  }
}
