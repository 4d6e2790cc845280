import HTTPServer
import HTTPWire
import ServiceKit

extension RegistrarAPI {
  // MARK: Names

  func listTopLevelDomains() throws -> Response {
    try .encode(Page(items: domains.names.map { Bodies.TopLevelDomain(name: $0.text) }))
  }

  func availability(_ request: Request) async throws -> Response {
    try request.requireQuery(of: "name")
    guard let text = request.query("name") else {
      throw Problem(400, "Say which name: ?name=networkutopia.com", field: "name")
    }
    let name = try Bodies.domainName(text, field: "name")
    let reason: String?
    do {
      let zone = try domains.owner(of: name)
      if try await store.domain(name) != nil {
        reason = "\(name) is registered"
      } else {
        let state = try await zones.look(at: name, in: zone, trace: request.trace)
        reason = state.types.isEmpty ? nil : "\(name) is in the zone of \(zone), though not by this registrar"
      }
    } catch let error as RuleError {
      reason = error.reason
    } catch let error as ZoneError {
      // Strangers ask this, and how the zone's server is reached is not for them.
      throw Problem(error.kind == .unavailable ? 503 : 502, "The top-level domain's server can't say now.")
    }
    return try .encode(Bodies.Availability(name: name.text, available: reason == nil, reason: reason))
  }

  // MARK: Domains

  func listDomains(_ request: Request) async throws -> Response {
    let principal = try await principal(request)
    try request.requireQuery(of: "limit", "cursor")
    let limit = try request.limit()
    var after = ""
    if let cursor = request.query("cursor") {
      guard let name = DomainName(cursor) else {
        throw Problem(400, "The cursor is not one that this list gave.", field: "cursor")
      }
      after = name.text
    }
    let found = try await store.domains(for: principal, after: after, limit: limit + 1)
    return try .encode(Page(found, limit: limit, cursor: \.name.text, view: { Bodies.DomainOut($0) }))
  }

  func registerDomain(_ request: Request) async throws -> Response {
    let principal = try await principal(request)
    let (octets, order) = try await body(Bodies.NewDomain.self, of: request)
    let name = try Bodies.domainName(order.name, field: "name")
    _ = try domains.owner(of: name)
    try Term.check(order.years)
    let servers = try Bodies.nameServers(order.nameServers, of: name)
    let registrant = try registrant(order.registrant, principal)
    let key = try repeatKey(request, octets)
    let now = clock.now
    guard let end = Term.end(of: now, years: order.years) else { throw StoreError.termTooLong }
    do {
      let domain = try await store.register(
        name, for: registrant, servers: servers, until: end, by: principal, key: key, now: now)
      // Nothing is to be done for an order that was sent again.
      return try await domain.order == nil ? answer(domain, .created) : carriedOut(domain, .created, principal, request)
    } catch StoreError.noSuchRegistrant {
      throw Problem.invalid(field: "registrant", "must be the id of a registrant")
    }
  }

  func showDomain(_ request: Request) async throws -> Response {
    let principal = try await principal(request)
    let name = try name(request)
    let refusal = try await store.refusal(name, for: principal)
    guard let domain = try await store.domain(name), principal.owns(domain) else {
      guard let refusal else { throw StoreError.noSuchDomain }
      throw Problem(404, "There is no such domain: its registration failed. \(refusal.reason)")
    }
    return try answer(domain, .ok, refusal)
  }

  func setNameServers(_ request: Request) async throws -> Response {
    let principal = try await principal(request)
    let name = try name(request)
    let body = try await body(Bodies.NameServersIn.self, of: request).value
    let servers = try Bodies.nameServers(body.nameServers, of: name)
    let domain = try await store.setNameServers(
      name, servers, ifMatch: try ifMatch(request), by: principal, now: clock.now)
    return try await carriedOut(domain, .ok, principal, request)
  }

  func renewDomain(_ request: Request) async throws -> Response {
    let principal = try await principal(request)
    let name = try name(request)
    let (octets, body) = try await body(Bodies.Renewal.self, of: request)
    try Term.check(body.years)
    let now = clock.now
    let latest = Term.end(of: now, years: Term.longest)
    let domain = try await store.renew(
      name, ifMatch: try ifMatch(request), by: principal, key: try repeatKey(request, octets), now: now
    ) { end in
      guard let new = Term.end(of: end, years: body.years), let latest, new <= latest else { return nil }
      return new
    }
    await publisher.setAlarm()
    return try answer(domain, .ok)
  }

  func deleteDomain(_ request: Request) async throws -> Response {
    let principal = try await principal(request)
    let name = try name(request)
    try await store.delete(name, ifMatch: try ifMatch(request), by: principal, now: clock.now)
    await publisher.carryOut(name, trace: request.trace)
    await publisher.setAlarm()
    guard let left = try await store.domain(name), left.order?.kind.isFinal == true else { return .empty() }
    return try pending(left)
  }

  // MARK: Answers

  /// The order is kept; now it is tried, so that who asks sees at once whether the delegation is served.
  private func carriedOut(
    _ domain: Domain, _ status: Status, _ principal: Principal, _ request: Request
  ) async throws -> Response {
    await publisher.carryOut(domain.name, trace: request.trace)
    await publisher.setAlarm()
    if let refusal = try await store.refusal(domain.name, for: principal) { throw refusal }
    guard let present = try await store.domain(domain.name), present.id == domain.id else { throw StoreError.vanished }
    return try present.order == nil ? answer(present, status) : pending(present)
  }

  private func pending(_ domain: Domain) throws -> Response {
    try answer(domain, .accepted).with("location", "/v1/domains/\(domain.name)")
  }

  private func answer(_ domain: Domain, _ status: Status, _ refusal: Refusal? = nil) throws -> Response {
    let response = try Response.encode(Bodies.DomainOut(domain, refused: refusal), status: status).with(
      "etag", domain.entityTag)
    return status == .created ? response.with("location", "/v1/domains/\(domain.name)") : response
  }

  private func name(_ request: Request) throws -> DomainName {
    guard let name = DomainName(request.parameter("name")) else { throw StoreError.noSuchDomain }
    return name
  }

  /// A registrant registers for itself, the administrator for anyone or for nobody.
  private func registrant(_ wanted: Int?, _ principal: Principal) throws -> Int? {
    switch principal {
    case .administrator: return wanted
    case .registrant(let id):
      guard wanted == nil || wanted == id else {
        throw Problem(.forbidden, "A registrant registers for itself.", field: "registrant")
      }
      return id
    }
  }
}
