public import HTTPWire

/// Where a stream's producer writes. Each call waits while the client is slow, and throws `IOError.closed` when it has gone.
///
/// Several tasks may write: a portion is never torn, and heartbeats come between portions, so an event is written as one.
public struct ResponseWriter: Sendable {
  let connection: HTTPConnection
  let serial: UInt64

  public func write(_ octets: [UInt8]) async throws {
    try await connection.write(octets, of: serial)
  }

  public func write(_ text: String) async throws { try await write(Array(text.utf8)) }

  public func send(_ event: ServerSentEvent) async throws { try await write(event.encoded) }

  /// Trailer fields, sent after the last chunk.
  public func setTrailers(_ trailers: FieldBlock) async { await connection.setTrailers(trailers, of: serial) }

  /// Whether the client is still there and the server is not draining.
  public var isOpen: Bool { get async { await connection.isOpen(serial) } }
}
