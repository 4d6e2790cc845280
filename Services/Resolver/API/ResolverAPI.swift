import DNSWire
import EventLoop
import HTTPServer
import HTTPWire
import Octets
import ServiceKit

/// The routes of openapi/resolver.yaml.
struct ResolverAPI: Sendable {
  /// One for each loop, in the loops' order.
  let resolvers: [LoopResolver]
  let requireAdmin: @Sendable (Request) throws -> Void

  func register(on router: Router) {
    router.get("/resolve") { request async throws in try await resolve(request) }
    router.get("/dns-query") { request async throws in try await query(request, octets: queryParameter(request)) }
    router.post("/dns-query") { request async throws in try await query(request, octets: queryBody(request)) }
    router.get("/v1/cache") { request async throws in try await listCache(request) }
    router.delete("/v1/cache") { request async throws in try await flush(request, nil) }
    router.delete("/v1/cache/{name}") { request async throws in
      try requireAdmin(request)
      let name = try Parameters.name(request.parameter("name"), isStrict: true)
      return try await flush(request, name)
    }
  }

  /// The resolver of the loop that serves the request, so that nothing hops.
  private func resolver(_ request: Request) -> LoopResolver {
    resolvers.first { $0.loop === request.loop } ?? resolvers[0]
  }

  private func requireAllowed(_ request: Request) throws {
    guard resolver(request).allows(request.peer.ip.unmapped) else {
      throw Problem(403, "This resolver answers only its own networks; see --allow.")
    }
  }

  // MARK: Looking up

  private func resolve(_ request: Request) async throws -> Response {
    try requireAllowed(request)
    try request.requireQuery(of: "name", "type", "rd", "cd", "trace")
    guard let text = request.query("name") else { throw Problem(400, "name is missing", field: "name") }
    let name = try Parameters.name(text)
    let type = try Parameters.type(request.query("type") ?? "A")
    let recursionDesired = try Parameters.flag(request, "rd", default: true)
    let checkingDisabled = try Parameters.flag(request, "cd", default: false)
    let tracing = try Parameters.flag(request, "trace", default: false)
    let question = Question(name: name, type: type)
    let outcome = await resolver(request).resolve(
      question, cacheOnly: !recursionDesired, tracing: tracing, context: request.trace)
    if outcome.isPassing { throw Problem(503, outcome.comment ?? "The resolver is busy.") }
    let json = DNSJSON.resolution(
      question, outcome, recursionDesired: recursionDesired, checkingDisabled: checkingDisabled, tracing: tracing)
    let wantsOwnType = request.header("accept")?.contains("application/dns-json") ?? false
    return .octets(json, type: wantsOwnType ? "application/dns-json" : "application/json")
  }

  private func queryParameter(_ request: Request) throws -> [UInt8] {
    guard let text = request.query("dns") else { throw Problem(400, "dns is missing", field: "dns") }
    guard (16...2048).contains(text.utf8.count), let octets = Base64.decodeURL(Array(text.utf8)) else {
      throw Problem(400, "dns must be a DNS message in base64url without padding (RFC 8484 §6)", field: "dns")
    }
    return octets
  }

  private func queryBody(_ request: Request) async throws -> [UInt8] {
    let type = request.header("content-type")?.prefix { $0 != ";" && $0 != " " }.lowercased()
    guard type == "application/dns-message" else {
      throw Problem(415, "The body must be application/dns-message (RFC 8484 §6).")
    }
    return try await request.collect(upTo: Message.maximumLength)
  }

  private func query(_ request: Request, octets: [UInt8]) async throws -> Response {
    try requireAllowed(request)
    guard let header = unsafe Header(decoding: octets.span.bytes) else {
      throw Problem(422, "A DNS message has at least twelve octets.")
    }
    guard !header.isResponse else { throw Problem(422, "The message is a response, not a query.") }
    let answer = await resolver(request).respond(to: octets, for: request.peer.ip.unmapped)
    let records = (try? Message(decoding: answer)).map { $0.answers + $0.authorities } ?? []
    return Response.octets(answer, type: "application/dns-message")
      .with("cache-control", "max-age=\(records.map(\.ttl).min() ?? 0)")
  }

  // MARK: Cache

  private func listCache(_ request: Request) async throws -> Response {
    try requireAdmin(request)
    try request.requireQuery(of: "limit", "cursor")
    let limit = try Parameters.number(request, "limit", 1...1000, default: 100)
    let cursor = try Parameters.number(request, "cursor", 0...999_999_999, default: 0)
    // A cursor is a position in one loop's cache and that loop's number.
    var loop = cursor % resolvers.count
    var position = cursor / resolvers.count
    var items: [CacheItem] = []
    var next: Int?
    while next == nil, loop < resolvers.count {
      let page = await resolvers[loop].page(from: position, limit: limit - items.count)
      items += page.items.map { item in
        var item = item
        item.loop = loop
        return item
      }
      if let after = page.next {
        next = after * resolvers.count + loop
      } else {
        loop += 1
        position = 0
        if items.count == limit, loop < resolvers.count { next = loop }
      }
    }
    var bytes = 0
    var most = 0
    for resolver in resolvers {
      let size = await resolver.cacheSize
      bytes += size.bytes
      most += size.limit
    }
    return .json(DNSJSON.cache(items, next: next, bytes: bytes, limit: most))
  }

  /// Returns when every loop has forgotten.
  private func flush(_ request: Request, _ name: Name?) async throws -> Response {
    try requireAdmin(request)
    // Who means `DELETE /v1/cache?name=…` would lose everything.
    try request.requireQuery()
    for resolver in resolvers { await resolver.flush(name) }
    return .empty()
  }
}
