import DNSWire
import HTTPServer
import HTTPWire
import ServiceKit

/// The handlers of zones.
struct ZoneHandlers: Sendable {
  let keeper: ZoneKeeper
  let clock: WorldClock
  /// Octets of the largest body.
  static let bodyLimit = 64 << 20

  private func name(_ request: Request) throws(APIProblem) -> Name {
    let text = request.parameter("zone")
    guard let name = ZoneID.name(text) else { throw APIProblem(404, "Could not find domain '\(text)'") }
    return name
  }

  private func body<Value: Decodable>(_ type: Value.Type, _ request: Request) async throws -> Value {
    try JSON.decode(type, from: try await request.collect(upTo: Self.bodyLimit))
  }

  func list(_ request: Request) async throws -> Response {
    var zones = await keeper.all()
    if let filter = request.query("zone") {
      let name = Name(filter)
      zones = zones.filter { $0.zone.name == name }
    }
    return .json(try JSON.encode(zones.map { ZoneView($0, rrsets: nil) }))
  }

  func create(_ request: Request) async throws -> Response {
    let body = try await body(ZoneBody.self, request)
    let now = clock.now
    let zone = try body.newZone(now: now.seconds, date: ZoneKeeper.date(now))
    let stored = try await keeper.create(zone)
    let shown = request.query("rrsets") == "false" ? nil : stored.zone.sortedRRsets
    let view = ZoneView(stored, rrsets: shown)
    return .json(try JSON.encode(view), status: .created)
      .with("location", view.url).with("etag", ZoneTag.text(stored.revision))
  }

  func show(_ request: Request) async throws -> Response {
    let stored = try await keeper.zone(try name(request))
    if ZoneTag.isKnown(stored.revision, to: request) {
      return Response(.notModified).with("etag", ZoneTag.text(stored.revision))
    }
    var shown: [RRset]?
    if request.query("rrsets") != "false" {
      var zone = stored.zone
      // Chosen before they are sorted: whoever asks for one name of a large zone does not pay for all.
      if let text = request.query("rrset_name") {
        let owner = Name(text)
        zone.rrsets = zone.rrsets.filter { $0.key.name == owner }
      }
      if let text = request.query("rrset_type") {
        let type = RecordType(text)
        zone.rrsets = zone.rrsets.filter { $0.key.type == type }
      }
      shown = zone.sortedRRsets
    }
    return .json(try JSON.encode(ZoneView(stored, rrsets: shown))).with("etag", ZoneTag.text(stored.revision))
  }

  /// PATCH: some RRsets, all or none of the changes.
  func patch(_ request: Request) async throws -> Response {
    let name = try name(request)
    // A client tells by 404 that it has to create the zone, whatever else is wrong.
    _ = try await keeper.zone(name)
    let body = try await body(PatchBody.self, request)
    let now = clock.now.seconds
    var changes: [RRsetChange] = []
    for set in body.rrsets { changes.append(try set.change(default: nil, now: now)) }
    let stored = try await keeper.change(name, if: ZoneTag.expectation(request)) { [changes] zone in
      try zone.apply(changes)
    }
    return .empty().with("etag", ZoneTag.text(stored.revision))
  }

  /// PUT: what is said of the zone; and its data, if any are given.
  func replace(_ request: Request) async throws -> Response {
    let name = try name(request)
    _ = try await keeper.zone(name)
    let body = try await body(ZoneBody.self, request)
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
    return .octets(ZoneFile.text(stored.zone.records), type: "text/plain; charset=utf-8")
  }

  /// Accepted: there are no secondaries to be told yet.
  func notify(_ request: Request) async throws -> Response {
    _ = try await keeper.zone(try name(request))
    return .json(try JSON.encode(ResultView(result: "Notification queued")))
  }
}
