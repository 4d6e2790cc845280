/// The bounds of one request; a request beyond one is refused, never cut.
public struct Limits: Sendable, Equatable {
  /// Octets in the request line without its CRLF; more is 414 (RFC 9112 §3 asks for at least 8000).
  public var requestLine = 8192
  /// Octets in one field line without its CRLF; more is 431.
  public var fieldLine = 8192
  /// Field lines in a head, and in a trailer section; more is 431.
  public var fieldCount = 100
  /// Octets in the whole head; more is 431. At most 65,535 are honoured.
  public var head = 32_768
  /// Octets of content after the chunks are joined; more is 413.
  public var body = 64 << 20
  /// Octets in a chunk's size line with its extensions; more is 400.
  public var chunkLine = 256
  /// Octets of chunk extensions in one body; more is 400, since nothing reads them.
  public var chunkExtensions = 4096
  /// Octets in a trailer section; more is 431.
  public var trailers = 8192

  public init() {}
}
