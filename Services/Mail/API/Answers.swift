import HTTPServer
import HTTPWire
import ServiceKit

/// The answers that several resources give.
extension Response {
  /// 201 with its place.
  static func created(_ value: some Encodable, at url: String) throws -> Response {
    try encode(value, status: .created).with("location", url)
  }

  /// 202 with the place where the outcome will be seen.
  static func accepted(_ value: some Encodable, at url: String) throws -> Response {
    try encode(value, status: .accepted).with("location", url)
  }

  static func notModified(_ tag: String) -> Response { Response(.notModified).tagged(tag) }

  /// What a letter brought, as a file to save: it never runs as a page of this host.
  static func download(_ content: [UInt8], type: String, fileName: String) -> Response {
    Response.octets(content, type: type)
      .with("content-disposition", "attachment; filename*=UTF-8''\(PercentEncoding.encode(fileName))")
      .with("x-content-type-options", "nosniff")
      .with("content-security-policy", "sandbox; default-src 'none'")
  }

  func tagged(_ tag: String) -> Response { with("etag", EntityTag(tag).description) }
}
