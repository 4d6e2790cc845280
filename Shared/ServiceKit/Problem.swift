public import HTTPWire

/// An error that a client is told as `application/problem+json` (RFC 9457). Any handler may throw it.
public struct Problem: Error, Sendable {
  public var status: Status
  public var detail: String
  /// The part of the request that is wrong, where there is one.
  public var field: String?
  /// Seconds for `Retry-After`, which 429 and 503 carry.
  public var retryAfter: Int?

  public init(_ status: Status, _ detail: String, field: String? = nil, retryAfter: Int? = nil) {
    self.status = status
    self.detail = detail
    self.field = field
    self.retryAfter = retryAfter ?? (status == 503 || status == 429 ? 1 : nil)
  }

  /// 422, naming the field.
  public static func invalid(field: String, _ why: String) -> Problem {
    Problem(422, field.isEmpty ? "The body \(why)." : "\(field) \(why)", field: field.isEmpty ? nil : field)
  }

  public static func notFound(_ what: String) -> Problem { Problem(404, "There is no \(what).") }
}
