public import HTTPWire
import Octets

/// An answer: status, header fields and content.
public struct Response: Sendable {
  public var status: Status
  /// Without Date, Content-Length, Transfer-Encoding and Connection, which the connection adds.
  public var fields: FieldBlock
  public var content: Content

  public enum Content: Sendable {
    case none
    case octets([UInt8])
    /// A part of an open file, sent by the kernel.
    case file(OpenFile, Range<Int>)
    /// Content that is made while it is sent; of known length, or chunked.
    case stream(length: Int?, isLive: Bool, @Sendable (ResponseWriter) async throws -> Void)
  }

  public init(_ status: Status = .ok, fields: FieldBlock = [:], content: Content = .none) {
    self.status = status
    self.fields = fields
    self.content = content
  }

  /// No content. 204 unless said otherwise.
  public static func empty(_ status: Status = .noContent, fields: FieldBlock = [:]) -> Response {
    Response(status, fields: fields, content: status == .noContent ? .none : .octets([]))
  }

  private static let plain: FieldBlock = ["content-type": "text/plain; charset=utf-8"]
  private static let json: FieldBlock = ["content-type": "application/json"]
  private static let problemJSON: FieldBlock = ["content-type": "application/problem+json"]

  public static func text(_ text: String, status: Status = .ok) -> Response {
    Response(status, fields: plain, content: .octets(Array(text.utf8)))
  }

  /// JSON that is encoded already. It is sent with a line's end, so that a terminal's next line is its own.
  public static func json(_ octets: consuming [UInt8], status: Status = .ok) -> Response {
    octets.append(0x0A)
    return Response(status, fields: json, content: .octets(octets))
  }

  public static func octets(_ octets: [UInt8], type: String, status: Status = .ok) -> Response {
    Response(status, fields: ["content-type": type], content: .octets(octets))
  }

  /// Octets of a problem's detail.
  public static let detailLimit = 2000

  /// Problem details (RFC 9457).
  ///
  /// - Parameters:
  ///   - detail: may quote what the client sent, however much that is: it is cut.
  ///   - members: further members; each value is JSON already.
  public static func problem(_ status: Status, _ detail: String, members: [(String, [UInt8])] = []) -> Response {
    var json = Array(#"{"type":"about:blank","title":"#.utf8)
    JSONText.append(&json, status.reason.description)
    json += Array(#","status":"#.utf8)
    json.appendDecimal(status.code)
    json += Array(#","detail":"#.utf8)
    json += JSONText.quoted(detail, limit: Response.detailLimit)
    for (name, value) in members {
      json.append(0x2C)
      JSONText.append(&json, name)
      json.append(0x3A)
      json += value
    }
    json += Array("}\n".utf8)
    return Response(status, fields: problemJSON, content: .octets(json))
  }

  /// Content that `produce` writes while it is sent.
  public static func stream(
    type: String, length: Int? = nil, produce: @escaping @Sendable (ResponseWriter) async throws -> Void
  ) -> Response {
    Response(.ok, fields: ["content-type": type], content: .stream(length: length, isLive: false, produce))
  }

  /// Server-Sent Events (WHATWG HTML §9.2). The stream ends when `produce` returns, the client goes, or the server drains.
  public static func events(_ produce: @escaping @Sendable (ResponseWriter) async throws -> Void) -> Response {
    let fields: FieldBlock = ["content-type": "text/event-stream", "cache-control": "no-store"]
    return Response(.ok, fields: fields, content: .stream(length: nil, isLive: true, produce))
  }

  /// The same with a field added.
  public func with(_ name: String, _ value: String) -> Response {
    var copy = self
    copy.fields.set(name, value)
    return copy
  }
}
