public import EventLoop
public import HTTPWire
public import Octets

/// A request as a handler sees it. Its head is one flat array; text is made only of what is asked for.
public struct Request: Sendable {
  public let head: RequestHead
  /// Who sent it.
  public let peer: SocketAddress
  /// The loop that serves it: asynchronous handlers run there.
  public let loop: EventLoop
  /// The content, to be read as it comes.
  public let body: RequestBody
  /// What middleware has found out, by type: a principal, a trace.
  public var attributes = Attributes()
  var matched: RouteTrie.Route?
  /// What the route's parameters stand for, as parts of the head's octets.
  var parameters: [Range<Int>] = []

  /// The pattern of the route that matched; nil before routing and where none did.
  public var route: String? { matched?.pattern }

  public var method: Method { head.method }
  /// Decoded and normalised; it begins with "/".
  public var path: String { head.text(head.path) }

  /// The value of a query parameter; the first of several.
  public func query(_ name: String) -> String? { head.queryValue(name) }

  /// The value of a header field, whose name must be given in lower case.
  public func header(_ name: StaticString) -> String? { head.value(name) }

  /// What stood in the place of `{name}` in the route's pattern; empty if the pattern has none of that name.
  public func parameter(_ name: String) -> String {
    guard let index = matched?.names.firstIndex(of: name), index < parameters.count else { return "" }
    return String(decoding: head.bytes[parameters[index]], as: UTF8.self)
  }

  /// As `parameter`, converted. What does not convert names nothing: 404.
  public func parameter<Value: LosslessStringConvertible>(_ name: String, as type: Value.Type) throws -> Value {
    guard let value = Value(parameter(name)) else { throw HTTPProblem(404, "There is nothing of that name.") }
    return value
  }

  /// The whole content; more than `limit` octets is 413.
  public func collect(upTo limit: Int = 1 << 20) async throws -> [UInt8] { try await body.collect(upTo: limit) }
}

/// Values that middleware attaches to a request, one of each type.
public struct Attributes: Sendable {
  private var values: [ObjectIdentifier: any Sendable] = [:]

  public subscript<Value: Sendable>(type: Value.Type) -> Value? {
    get { values[ObjectIdentifier(type)] as? Value }
    set { values[ObjectIdentifier(type)] = newValue }
  }
}
