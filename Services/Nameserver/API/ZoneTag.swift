import HTTPServer

/// Entity tags of zones, and what a request says of them (RFC 9110 §8.8.3, §13.1).
enum ZoneTag {
  static func text(_ revision: Int64) -> String { "\"\(revision)\"" }

  /// What `If-Match` allows to be changed: strong comparison.
  static func expectation(_ request: Request) -> @Sendable (Int64) -> Bool {
    guard let field = request.header("if-match") else { return { _ in true } }
    let tags = list(field)
    return { revision in tags.contains("*") || tags.contains(text(revision)) }
  }

  /// `If-None-Match` names what the client has already: weak comparison.
  static func isKnown(_ revision: Int64, to request: Request) -> Bool {
    guard let field = request.header("if-none-match") else { return false }
    let tags = list(field)
    return tags.contains("*") || tags.contains(text(revision)) || tags.contains("W/" + text(revision))
  }

  private static func list(_ field: String) -> [String] {
    field.split(separator: ",").map { part in
      String(part.drop { $0 == " " || $0 == "\t" }.reversed().drop { $0 == " " || $0 == "\t" }.reversed())
    }
  }
}
