import EventLoop
import FoundationEssentials
import Glibc
public import HTTPServer
public import HTTPWire
import Octets

extension Service {
  /// What every service answers: its health, its contract and, in a lab, its clock.
  func addSystemRoutes() {
    let service = self
    router.before(checkRate)
    router.before { request in try service.access.check(request) }
    router.get("/healthz") { _ in .json(Array(#"{"status":"alive"}"#.utf8)) }
    router.get("/readyz") { request async throws in
      if let why = service.lifecycle.phase { return Problem(503, why).response }
      if let why = await service.readiness.failure() { return Problem(503, why).response }
      return .json(Array(#"{"status":"ready"}"#.utf8))
    }
    router.get("/metrics") { _ in
      .octets(Array(service.metrics.render().utf8), type: "text/plain; version=0.0.4; charset=utf-8")
    }
    router.get("/openapi.yaml") { request async throws in
      guard let path = try await service.pool.run({ OpenAPIFile.path(of: service.name) }) else {
        throw Problem(404, "openapi/\(service.name).yaml is not beside this executable or above it.")
      }
      return try await .file(path, type: "application/yaml", for: request, pool: service.pool)
    }
    router.get("/v1/routes") { request in
      try service.access.requireAdmin(request)
      return try .encode(
        RouteList(items: service.router.routes.map { RouteItem(method: $0.method.rawValue, pattern: $0.pattern) }))
    }
    router.post("/v1/backup") { request async throws in try await service.backUp(request) }
    if isLab { addLabRoutes() }
  }

  private func addLabRoutes() {
    let service = self
    router.get("/v1/clock") { request in
      try service.access.requireAdmin(request)
      return try .encode(service.clockState)
    }
    router.put("/v1/clock") { request async throws in
      try service.access.requireAdmin(request)
      let wanted = try await request.decode(ClockChange.self).offsetSeconds
      // A century ahead is as far as dates in letters and certificates make sense.
      guard 0...3_155_760_000 ~= wanted else {
        throw Problem.invalid(field: "offset_seconds", "must be 0 to 3155760000")
      }
      guard wanted >= service.clock.offsetSeconds, try await service.advanceClock(to: wanted) else {
        throw service.goesNotBack
      }
      return try .encode(service.clockState)
    }
    router.post("/v1/reset") { request async throws in
      try service.access.requireAdmin(request)
      try await service.lifecycle.reset()
      try await service.resetClock()
      return .empty()
    }
  }

  private var goesNotBack: Problem {
    Problem(409, "The clock is \(clock.offsetSeconds) s ahead and does not go back; POST /v1/reset does that.")
  }

  private var clockState: ClockState { ClockState(now: clock.now, offsetSeconds: clock.offsetSeconds) }

  /// Returns when the timers that became due have been called; false where the clock is further ahead already.
  private func advanceClock(to seconds: Int64) async throws -> Bool {
    guard let clockOffset else { return await clock.advance(to: seconds) }
    let clock = clock
    guard try await pool.run({ try clockOffset.save(seconds) { clock.grow(to: seconds) } }) else { return false }
    await clock.fireDue()
    return true
  }

  private func resetClock() async throws {
    guard let clockOffset else { return clock.reset() }
    let clock = clock
    try await pool.run { try clockOffset.save(0, isReset: true) { clock.reset() } }
  }
}

private struct RouteList: Encodable { var items: [RouteItem] }
private struct RouteItem: Encodable {
  var method: String
  var pattern: String
}
private struct ClockChange: Decodable { var offsetSeconds: Int64 }
private struct ClockState: Encodable {
  var now: WorldTime
  var offsetSeconds: Int64
}

/// Where the contract of a service lies: in `openapi/` beside the executable, or of a folder above it.
enum OpenAPIFile {
  static func path(of service: String) -> String? {
    var folder = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
    for _ in 0..<6 {
      guard let slash = folder.lastIndex(of: "/") else { return nil }
      folder = String(folder[..<slash])
      let candidate = "\(folder)/openapi/\(service).yaml"
      if unsafe Glibc.access(candidate, R_OK) == 0 { return candidate }
    }
    return nil
  }
}

extension Response {
  /// A value as JSON.
  public static func encode(_ value: some Encodable, status: Status = .ok) throws -> Response {
    .json(try JSON.encode(value), status: status)
  }
}

extension Request {
  /// The content as a value of JSON; at most `limit` octets, which are decoded on the loop.
  public func decode<Value: Decodable>(_ type: Value.Type, upTo limit: Int = 65_536) async throws -> Value {
    try JSON.decode(type, from: try await collect(upTo: limit))
  }
}

extension Problem: ResponseError {
  public var response: Response {
    var response = Response.problem(
      status, detail, members: field.map { [("field", JSONText.quoted($0, limit: Response.detailLimit))] } ?? [])
    if let retryAfter { response.fields.append("retry-after", "\(retryAfter)") }
    return response
  }
}
