import DNSWire
import EventLoop
import HTTPServer
import HTTPWire
import ServiceKit

/// The handlers of zones. What costs as much as a zone or a body is large is done in the pool: the loop that takes the
/// request has queries to answer.
struct ZoneHandlers: Sendable {
  let keeper: ZoneKeeper
  let clock: WorldClock
  let pool: BlockingPool
  /// Where large bodies are worked on, one at a time, so that what is made of them has a bound.
  private let bench = BlockingPool(threads: 1)
  /// Octets of the largest body.
  static let bodyLimit = 64 << 20
  /// Values of JSON in it: so many have half a million records in sets of their own.
  static let valueLimit = 4_000_000

  init(keeper: ZoneKeeper, clock: WorldClock, pool: BlockingPool) {
    self.keeper = keeper
    self.clock = clock
    self.pool = pool
  }

  private func name(_ request: Request) throws(APIProblem) -> Name {
    let text = request.parameter("zone")
    guard let name = ZoneID.name(text) else { throw APIProblem(404, "Could not find domain '\(text)'") }
    return name
  }

  /// Reads the body and makes something of it in the pool.
  private func body<Body: Decodable & SendableMetatype, Value: Sendable>(
    _ request: Request, _ make: @escaping @Sendable (Body) throws -> Value
  ) async throws -> Value {
    let octets = try await request.collect(upTo: Self.bodyLimit)
    return try await (octets.count > 1 << 20 ? bench : pool).run {
      try make(try JSON.decode(Body.self, from: octets, values: Self.valueLimit))
    }
  }

  func list(_ request: Request) async throws -> Response {
    let zones = await keeper.all()
    let filter = request.query("zone")
    let views = try await pool.run {
      let name = filter.flatMap { Name($0) }
      let listed = zones.filter { filter == nil || $0.zone.name == name }.sorted { $0.zone.name < $1.zone.name }
      return try JSON.encode(listed.map { ZoneView($0, rrsets: nil) })
    }
    return .json(views)
  }

  func create(_ request: Request) async throws -> Response {
    let now = clock.now
    let zone = try await body(request) { (body: ZoneBody) in
      try body.newZone(now: now.seconds, date: ZoneKeeper.date(now))
    }
    let stored = try await keeper.create(zone)
    let isShown = request.query("rrsets") != "false"
    let view = try await pool.run {
      try JSON.encode(ZoneView(stored, rrsets: isShown ? stored.zone.sortedRRsets : nil))
    }
    return .json(view, status: .created)
      .with("location", ZoneView.url(zone.name)).with("etag", ZoneTag.text(stored.revision))
  }

  func show(_ request: Request) async throws -> Response {
    let stored = try await keeper.zone(try name(request))
    if ZoneTag.isKnown(stored.revision, to: request) {
      return Response(.notModified).with("etag", ZoneTag.text(stored.revision))
    }
    let isShown = request.query("rrsets") != "false"
    let (owner, type) = (request.query("rrset_name"), request.query("rrset_type"))
    let view = try await pool.run {
      guard isShown else { return try JSON.encode(ZoneView(stored, rrsets: nil)) }
      var zone = stored.zone
      // Chosen before they are sorted: whoever asks for one name of a large zone does not pay for all.
      if let owner {
        let name = Name(owner)
        zone.rrsets = zone.rrsets.filter { $0.key.name == name }
      }
      if let type {
        let type = RecordType(type)
        zone.rrsets = zone.rrsets.filter { $0.key.type == type }
      }
      return try JSON.encode(ZoneView(stored, rrsets: zone.sortedRRsets))
    }
    return .json(view).with("etag", ZoneTag.text(stored.revision))
  }

  /// PATCH: some RRsets, all or none of the changes.
  func patch(_ request: Request) async throws -> Response {
    let name = try name(request)
    // A client tells by 404 that it has to create the zone, whatever else is wrong.
    _ = try await keeper.zone(name)
    let now = clock.now.seconds
    let changes = try await body(request) { (body: PatchBody) in
      try body.rrsets.map { try $0.change(default: nil, now: now) }
    }
    let stored = try await keeper.change(name, if: ZoneTag.expectation(request)) { try $0.apply(changes) }
    return .empty().with("etag", ZoneTag.text(stored.revision))
  }

  /// PUT: what is said of the zone; and its data, if any are given.
  func replace(_ request: Request) async throws -> Response {
    let name = try name(request)
    _ = try await keeper.zone(name)
    let body = try await body(request) { (body: ZoneBody) in body }
    if let text = body.name, try APIProblem.canonicalName(text) != name {
      throw APIProblem(422, "A zone can't be renamed.", field: "name")
    }
    let now = clock.now.seconds
    let stored = try await keeper.change(name, if: ZoneTag.expectation(request)) { zone in
      try body.configure(&zone)
      guard body.rrsets != nil || body.zone != nil else { return }
      let authority = zone.rrsets[RRsetKey(name: zone.name, type: .soa)]
      var fresh = body
      fresh.name = zone.name.description
      fresh.nameservers = nil
      zone.rrsets = try fresh.data(now: now)
      if zone.soa == nil { zone.rrsets[RRsetKey(name: zone.name, type: .soa)] = authority }
    }
    return .empty().with("etag", ZoneTag.text(stored.revision))
  }

  func delete(_ request: Request) async throws -> Response {
    try await keeper.delete(try name(request), if: ZoneTag.expectation(request))
    return .empty()
  }

  /// The zone as a zone file.
  func export(_ request: Request) async throws -> Response {
    let stored = try await keeper.zone(try name(request))
    let text = try await pool.run { ZoneFile.text(stored.zone.records) }
    return .octets(text, type: "text/plain; charset=utf-8")
  }

  /// Accepted: there are no secondaries to be told yet.
  func notify(_ request: Request) async throws -> Response {
    _ = try await keeper.zone(try name(request))
    return .json(try JSON.encode(ResultView(result: "Notification queued")))
  }

  /// Accepted: the order of names is made anew with each change, and there is nothing to put right.
  func rectify(_ request: Request) async throws -> Response {
    _ = try await keeper.zone(try name(request))
    return .json(try JSON.encode(ResultView(result: "Rectified")))
  }
}
