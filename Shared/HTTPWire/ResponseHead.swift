import Octets

/// How a response's content ends (RFC 9112 §6).
public enum ResponseFraming: Sendable, Equatable {
  /// Neither content nor a length: 204, 304 and 1xx.
  case none
  /// So many octets; sent as Content-Length, also to HEAD.
  case length(Int)
  case chunked
  /// Ended by closing: for HTTP/1.0 when the length isn't known.
  case untilClose
}

/// Writes responses as they go over the wire.
public enum ResponseEncoder {
  /// `100 Continue`, to a client that waits before it sends content.
  public static let continueResponse: [UInt8] = Array("HTTP/1.1 100 Continue\r\n\r\n".utf8)

  /// The last chunk of content without trailers.
  public static let lastChunk: [UInt8] = Array("0\r\n\r\n".utf8)

  /// Appends a head with its empty line.
  ///
  /// - Parameters:
  ///   - date: a whole `date: … CRLF` line, or nothing.
  ///   - keepsAlive: whether the connection stays; `isHTTP10` makes it say so.
  public static func appendHead(
    to output: inout [UInt8], status: Status, date: [UInt8], fields: FieldBlock, framing: ResponseFraming,
    keepsAlive: Bool, isHTTP10: Bool = false
  ) {
    if status.code == 200 {
      output.append(static: "HTTP/1.1 200 OK\r\n")
    } else {
      output.append(static: "HTTP/1.1 ")
      output.appendDecimal(status.code)
      output.append(space)
      output.append(static: status.reason)
      output.append(static: "\r\n")
    }
    output.append(contentsOf: date)
    output.append(contentsOf: fields.bytes)
    switch framing {
    case .none, .untilClose: break
    case .length(let count):
      output.append(static: "content-length: ")
      output.appendDecimal(count)
      output.append(static: "\r\n")
    case .chunked: output.append(static: "transfer-encoding: chunked\r\n")
    }
    if !keepsAlive {
      output.append(static: "connection: close\r\n")
    } else if isHTTP10 {
      output.append(static: "connection: keep-alive\r\n")
    }
    output.append(static: "\r\n")
  }

  /// Appends what stands before `count` octets of a chunk's data; a chunk of 0 would end the content.
  public static func appendChunkHead(to output: inout [UInt8], count: Int) {
    var shift = (Int.bitWidth - max(count, 1).leadingZeroBitCount - 1) & ~3
    while shift >= 0 {
      let digit = UInt8(truncatingIfNeeded: (count >> shift) & 15)
      output.append(digit < 10 ? 0x30 &+ digit : 0x57 &+ digit)
      shift -= 4
    }
    output.append(static: "\r\n")
  }

  /// Appends one chunk of content; nothing for empty data, which would end the content.
  public static func appendChunk(to output: inout [UInt8], _ data: [UInt8]) {
    if data.isEmpty { return }
    output.reserveCapacity(output.count + data.count + 20)
    appendChunkHead(to: &output, count: data.count)
    output.append(contentsOf: data)
    output.append(static: "\r\n")
  }

  /// Appends the last chunk with trailers.
  public static func appendLastChunk(to output: inout [UInt8], trailers: FieldBlock) {
    output.append(static: "0\r\n")
    output.append(contentsOf: trailers.bytes)
    output.append(static: "\r\n")
  }
}

extension [UInt8] {
  @inline(__always)
  mutating func append(static text: StaticString) {
    unsafe append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
  }

  /// Appends a number with leading zeros up to `width` digits.
  mutating func append(decimal value: Int, width: Int) {
    if width > 1 { append(decimal: value / 10, width: width - 1) }
    append(0x30 &+ UInt8(truncatingIfNeeded: value % 10))
  }
}
