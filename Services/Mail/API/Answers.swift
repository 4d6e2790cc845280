import HTTPServer
import HTTPWire
import Octets
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

  /// Content that is read as the client takes it.
  /// - Parameter room: held until then.
  static func read(_ content: LetterReader, type: String, holding room: RoomLease? = nil) -> Response {
    Response.stream(type: type, length: content.size) { writer in
      var offset = 0
      while offset < content.size {
        let piece = try await content.read(from: offset)
        try await writer.write(piece)
        offset += piece.count
      }
      withExtendedLifetime(room) {}
    }
  }

  /// What a letter brought, as a file to save: it never runs as a page of this host.
  static func download(_ content: LetterReader, type: String, fileName: String, holding room: RoomLease? = nil)
    -> Response
  {
    read(content, type: type, holding: room)
      .with("content-disposition", "attachment; \(named(fileName))")
      .with("x-content-type-options", "nosniff")
      .with("content-security-policy", "sandbox; default-src 'none'")
  }

  /// RFC 6266 §4.3: in quotes where every client can read it so, and else for those who know the encoding too (RFC 8187).
  private static func named(_ fileName: String) -> String {
    let isPlain = { (scalar: Unicode.Scalar) in
      (0x20...0x7E).contains(scalar.value) && !"\"\\%".unicodeScalars.contains(scalar)
    }
    let scalars = fileName.unicodeScalars
    if scalars.allSatisfy(isPlain) { return "filename=\"\(fileName)\"" }
    let plain = String(String.UnicodeScalarView(scalars.map { isPlain($0) ? $0 : "_" }))
    return "filename=\"\(plain)\"; filename*=UTF-8''\(PercentEncoding.encode(fileName))"
  }

  func tagged(_ tag: String) -> Response { with("etag", EntityTag(tag).description) }
}
