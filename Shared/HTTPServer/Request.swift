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
  var parameters = PathParameters()
  /// The pattern of the route that matched; nil before routing and where none did.
  public internal(set) var route: String?

  public var method: Method { head.method }
  /// Decoded and normalised; it begins with "/".
  public var path: String { head.text(head.path) }

  /// The value of a query parameter; the first of several.
  public func query(_ name: String) -> String? { head.queryValue(name) }

  /// The value of a header field, whose name must be given in lower case.
  public func header(_ name: StaticString) -> String? { head.value(name) }

  /// What stood in the place of `{name}` in the route's pattern; empty if the pattern has none of that name.
  public func parameter(_ name: String) -> String {
    parameters.range(name).map { String(decoding: head.bytes[$0], as: UTF8.self) } ?? ""
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

/// The content of a request: read in portions, so that it is never held whole unless somebody collects it.
///
/// While nobody reads, the connection is not read either and the client waits.
public struct RequestBody: Sendable {
  let connection: HTTPConnection?
  let serial: UInt64

  /// Content of no request, for tests of handlers.
  public static let empty = RequestBody(connection: nil, serial: 0)

  /// The next portion; nil at the end.
  ///
  /// - Throws: `HTTPProblem` when the framing is broken or the client is too slow, `IOError` when it has gone.
  public func next() async throws -> [UInt8]? {
    guard let connection else { return nil }
    return try await connection.nextPortion(of: serial)
  }

  /// The trailer fields, once the end has been read.
  public func trailers() async -> [(name: String, value: String)] {
    await connection?.trailers(of: serial) ?? []
  }

  /// All that is left; more than `limit` octets is 413.
  public func collect(upTo limit: Int) async throws -> [UInt8] {
    var whole: [UInt8] = []
    while let portion = try await next() {
      guard whole.count + portion.count <= limit else {
        throw HTTPProblem(413, "The content is larger than the \(limit) octets that are taken here.")
      }
      if whole.isEmpty { whole = portion } else { whole += portion }
    }
    return whole
  }
}

/// An error with the status and the words it is answered with.
public struct HTTPProblem: Error, Sendable {
  public var status: Status
  public var detail: String

  public init(_ status: Status, _ detail: String) {
    self.status = status
    self.detail = detail
  }
}

/// An error that knows its own answer.
public protocol ResponseError: Error {
  var response: Response { get }
}

extension HTTPProblem: ResponseError {
  public var response: Response { .problem(status, detail) }
}

extension RequestError: ResponseError {
  public var response: Response { .problem(status, detail) }
}

extension RequestBody: AsyncSequence {
  public struct Iterator: AsyncIteratorProtocol {
    let body: RequestBody
    public mutating func next() async throws -> [UInt8]? { try await body.next() }
  }

  public func makeAsyncIterator() -> Iterator { Iterator(body: self) }
}
