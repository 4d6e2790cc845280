import HTTPServer
import HTTPWire
import Octets
import ServiceKit

/// `/v1/domains`
extension MailAPI {
  func listDomains(_ request: Request) async throws -> Response {
    try access.admin(request)
    let limit = try request.limit()
    let after = try request.text("cursor", limit: 320)
    let domains = try await store.domains().filter { $0.name > after ?? "" }.prefix(limit + 1)
    return try .encode(Page(Array(domains), limit: limit, cursor: \.name, view: DomainView.init))
  }

  func addDomain(_ request: Request) async throws -> Response {
    try access.admin(request)
    let body = try await request.checked(NewDomain.self)
    guard body.name.utf8.count <= 253 else { throw Problem.invalid(field: "name", "has more than 253 octets") }
    let domain = try await asking("name") { try await store.addDomain(body.name) }
    return try .created(DomainView(domain), at: "/v1/domains/\(PercentEncoding.encode(domain.name))")
  }

  func getDomain(_ request: Request) async throws -> Response {
    try access.admin(request)
    let name = request.parameter("domain")
    guard let domain = try await store.domain(name) else { throw Problem.notFound("domain \(name)") }
    return try .encode(DomainView(domain))
  }

  func removeDomain(_ request: Request) async throws -> Response {
    try access.admin(request)
    try await asking { try await store.removeDomain(request.parameter("domain")) }
    return .empty()
  }
}
