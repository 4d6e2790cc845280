import HTTPServer
import HTTPWire
import Octets
import ServiceKit

extension RegistrarAPI {
  func listRegistrants(_ request: Request) async throws -> Response {
    let principal = try await principal(request)
    try request.requireQuery(of: "limit", "cursor")
    let limit = try request.limit()
    let after = Int(try request.idCursor() ?? 0)
    let only: Int? = if case .registrant(let id) = principal { id } else { nil }
    let found = try await store.registrants(only: only, after: after, limit: limit + 1)
    return try .encode(Page(found, limit: limit, cursor: { "\($0.id)" }, view: { Bodies.RegistrantOut($0) }))
  }

  func createRegistrant(_ request: Request) async throws -> Response {
    try await requireAdministrator(request)
    let (octets, body) = try await body(Bodies.NewRegistrant.self, of: request)
    guard 1...200 ~= body.name.unicodeScalars.count else {
      throw Problem.invalid(field: "name", "must have 1 to 200 characters")
    }
    if let email = body.email {
      let parts = email.split(separator: "@", omittingEmptySubsequences: false)
      guard email.utf8.count <= 320, parts.count == 2, parts.allSatisfy({ !$0.isEmpty }),
        !email.contains(where: \.isWhitespace)
      else { throw Problem.invalid(field: "email", "must be an address such as hostmaster@example.com") }
    }
    let token = try Secrets.token()
    let (registrant, isNew) = try await store.addRegistrant(
      name: body.name, email: body.email, tokenDigest: try Secrets.digest(Array(token.utf8)), by: .administrator,
      key: try repeatKey(request, octets), now: clock.now)
    // A token is kept as its digest alone, so a repeated request can't be told the first one's again.
    let out = Bodies.RegistrantOut(registrant, token: isNew ? token : nil)
    return try .encode(out, status: isNew ? .created : .ok).with("location", "/v1/registrants/\(registrant.id)")
  }

  func showRegistrant(_ request: Request) async throws -> Response {
    let principal = try await principal(request)
    let id = try request.parameter("id", as: Int.self)
    guard principal == .administrator || principal == .registrant(id), let registrant = try await store.registrant(id)
    else { throw StoreError.noSuchRegistrant }
    return try .encode(Bodies.RegistrantOut(registrant))
  }

  func deleteRegistrant(_ request: Request) async throws -> Response {
    try await requireAdministrator(request)
    try await store.deleteRegistrant(try request.parameter("id", as: Int.self))
    return .empty()
  }
}
