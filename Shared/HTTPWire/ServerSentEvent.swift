/// One event of a `text/event-stream` (WHATWG HTML §9.2).
public struct ServerSentEvent: Sendable, Equatable {
  /// What a client that comes back names in `Last-Event-ID`.
  public var id: String?
  /// The type a client listens for; `message` when nil.
  public var event: String?
  /// Text of any number of lines.
  public var data: [UInt8]
  /// Milliseconds the client should wait before it connects again.
  public var retry: Int?

  public init(id: String? = nil, event: String? = nil, data: [UInt8], retry: Int? = nil) {
    self.id = id
    self.event = event
    self.data = data
    self.retry = retry
  }

  /// A comment, which clients skip: it keeps a quiet connection alive and shows whether the client is still there.
  public static let heartbeat: [UInt8] = Array(": \n\n".utf8)

  /// The event as sent, with the empty line that ends it.
  public var encoded: [UInt8] {
    var output: [UInt8] = []
    output.reserveCapacity(data.count + 64)
    if let id { Self.append(&output, "id: ", id) }
    if let event { Self.append(&output, "event: ", event) }
    if let retry { Self.append(&output, "retry: ", String(retry)) }
    output.append(static: "data: ")
    var previous: UInt8 = 0
    for byte in data {
      switch byte {
      case lineFeed where previous == carriageReturn: break
      case lineFeed, carriageReturn: output.append(static: "\ndata: ")
      default: output.append(byte)
      }
      previous = byte
    }
    output.append(static: "\n\n")
    return output
  }

  /// A field of one line: line ends, which would begin another field, and NUL, which voids an id, are left out.
  private static func append(_ output: inout [UInt8], _ name: StaticString, _ value: String) {
    output.append(static: name)
    for byte in value.utf8 where byte != lineFeed && byte != carriageReturn && byte != 0 { output.append(byte) }
    output.append(lineFeed)
  }
}
