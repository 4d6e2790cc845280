import DNSWire
import HTTPServer
import HTTPWire
import SQL
import ServiceKit

/// A refusal as PowerDNS's clients read it, `error`, beside the problem fields of the house (RFC 9457).
struct APIProblem: Error, Sendable {
  var status: Status
  var detail: String
  /// The member of the body that is wrong.
  var field: String?

  init(_ status: Status, _ detail: String, field: String? = nil) {
    self.status = status
    self.detail = detail
    self.field = field
  }

  /// Any failure of a handler as this API tells it; nil for what is the service's own fault.
  init?(_ error: any Error) {
    switch error {
    case let problem as APIProblem: self = problem
    case is Unauthorized:
      self.init(.unauthorized, "Credentials are missing or wrong: X-API-Key: TOKEN or Authorization: Bearer TOKEN")
    case let problem as Problem: self.init(problem.status, problem.detail, field: problem.field)
    case let violation as ZoneViolation: self.init(422, violation.description, field: violation.record)
    case ZoneFailure.noSuchZone(let name): self.init(404, "Could not find domain '\(name)'")
    case ZoneFailure.exists(let name): self.init(409, "Domain '\(name)' already exists", field: "name")
    case ZoneFailure.stale: self.init(412, "The zone has changed meanwhile: If-Match does not name its ETag.")
    case let failure as SQLError where failure.kind == .full:
      self.init(507, "The disk is full; nothing was changed.")
    default: return nil
    }
  }

  /// A name that ends with a dot.
  static func canonicalName(_ text: String) throws(APIProblem) -> Name {
    guard text.hasSuffix("."), let name = Name(text) else {
      throw APIProblem(422, "DNS Name '\(text)' is not canonical: it must end with a dot", field: "name")
    }
    return name
  }
}

extension APIProblem: ResponseError {
  var response: Response {
    var members = [("error", JSONText.quoted(detail, limit: Response.detailLimit))]
    if let field { members.append(("field", JSONText.quoted(field, limit: Response.detailLimit))) }
    let response = Response.problem(status, detail, members: members)
    // RFC 9110 §11.6.1.
    return status == .unauthorized ? response.with("www-authenticate", #"Bearer realm="utopia""#) : response
  }
}
