import EventLoop
import HTTPWire

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
  /// - Throws: `RequestError` when the framing is broken, `IOError.closed` when the client has gone or is too slow,
  ///   `ConcurrentRead` while another task waits here.
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

extension RequestBody: AsyncSequence {
  public struct Iterator: AsyncIteratorProtocol {
    let body: RequestBody
    public mutating func next() async throws -> [UInt8]? { try await body.next() }
  }

  public func makeAsyncIterator() -> Iterator { Iterator(body: self) }
}

/// Two tasks read the content of one request at the same time, so that neither could have all of it.
public struct ConcurrentRead: Error, CustomStringConvertible {
  public var description: String { "two tasks read the content of one request at the same time" }
}
