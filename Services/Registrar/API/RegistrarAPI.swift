import HTTPServer
import HTTPWire
import Octets
import SQL
import ServiceKit

/// The registrar's REST API, as openapi/registrar.yaml describes it.
struct RegistrarAPI: Sendable {
  let store: Store
  let publisher: Publisher
  let zones: any ZoneWriter
  let domains: TopLevelDomains
  let clock: WorldClock
  /// Whether the request bears the administrator's token.
  let isAdministrator: @Sendable (Request) -> Bool

  /// A body larger than this is no order.
  private static let bodyLimit = 65_536

  func addRoutes(to router: Router) {
    router.get("/v1/tlds") { _ in try listTopLevelDomains() }
    router.get("/v1/availability") { try await availability($0) }
    router.get("/v1/registrants") { try await listRegistrants($0) }
    router.post("/v1/registrants") { try await createRegistrant($0) }
    router.get("/v1/registrants/{id}") { try await showRegistrant($0) }
    router.delete("/v1/registrants/{id}") { try await deleteRegistrant($0) }
    router.get("/v1/domains") { try await listDomains($0) }
    router.post("/v1/domains") { try await registerDomain($0) }
    router.get("/v1/domains/{name}") { try await showDomain($0) }
    router.delete("/v1/domains/{name}") { try await deleteDomain($0) }
    router.put("/v1/domains/{name}/name-servers") { try await setNameServers($0) }
    router.post("/v1/domains/{name}/renew") { try await renewDomain($0) }
  }

  // MARK: What every handler needs

  /// Who asks.
  /// - Throws: `Unauthorized` without a token that is known here.
  func principal(_ request: Request) async throws -> Principal {
    if isAdministrator(request) { return .administrator }
    guard case .bearer(let token) = Access.credentials(request),
      let id = try await store.registrant(tokenDigest: try Secrets.digest(token))
    else { throw Unauthorized() }
    return .registrant(id)
  }

  /// - Throws: `Unauthorized`, or 403 for a registrant.
  func requireAdministrator(_ request: Request) async throws {
    guard case .administrator = try await principal(request) else {
      throw Problem(.forbidden, "This is for the administrator.")
    }
  }

  /// The body's octets and what they say.
  func body<Value: Decodable>(_ type: Value.Type, of request: Request) async throws -> (octets: [UInt8], value: Value) {
    let media = request.header("content-type")?.split(separator: ";").first?.lowercased() ?? ""
    guard media.filter({ $0 != " " }) == "application/json" else {
      throw Problem(415, "The body must be application/json, and Content-Type must say so.")
    }
    let octets = try await request.collect(upTo: RegistrarAPI.bodyLimit)
    return (octets, try JSON.decode(type, from: octets))
  }

  /// The `Idempotency-Key`, which is good for this request only.
  func repeatKey(_ request: Request, _ octets: [UInt8]) throws -> RepeatKey? {
    guard let key = request.header("idempotency-key") else { return nil }
    guard 1...255 ~= key.utf8.count, key.utf8.allSatisfy({ 0x21...0x7E ~= $0 }) else {
      throw Problem(400, "Idempotency-Key must be 1 to 255 visible characters.", field: "Idempotency-Key")
    }
    return RepeatKey(key: key, request: Array("\(request.method.rawValue) \(request.path)\n".utf8) + octets)
  }

  func ifMatch(_ request: Request) throws -> String? {
    guard let field = request.header("if-match") else { return nil }
    guard field.utf8.count <= 200 else {
      throw Problem(400, "If-Match must be an ETag that this domain had, or a few of them.", field: "If-Match")
    }
    return field
  }
}

extension RuleError: ResponseError {
  var response: Response { Problem.invalid(field: field, reason).response }
}

extension Refusal: ResponseError {
  var response: Response {
    switch cause {
    case .name: Problem(409, "The name is taken. \(reason)", field: "name").response
    case .data: Problem(422, "The top-level domain can't serve that. \(reason)", field: "name_servers").response
    case .server: Problem(502, "The top-level domain's server refuses. \(reason)").response
    }
  }
}

extension StoreError: ResponseError {
  var response: Response {
    switch self {
    case .taken: Problem(409, "The name is taken.", field: "name").response
    case .noSuchDomain: Problem.notFound("such domain").response
    case .noSuchRegistrant: Problem.notFound("such registrant").response
    case .stale: Problem(412, "The domain was changed since; read it again.").response
    case .vanished: Problem(409, "The domain is gone: it was given back, or everything was reset, meanwhile.").response
    case .leaving: Problem(409, "The domain was given back or has expired, and goes.").response
    case .hasDomains: Problem(409, "The registrant still has domains; delete those first.").response
    case .keyReused:
      Problem(422, "This Idempotency-Key came with another request before.", field: "Idempotency-Key").response
    case .keySpent: Problem(409, "What this Idempotency-Key made is gone.").response
    case .termTooLong:
      Problem.invalid(field: "years", "must end within \(Term.longest) years from now").response
    }
  }
}
