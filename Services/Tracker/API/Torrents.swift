import EventLoop
import HTTPServer
import HTTPWire
import Octets
import ServiceKit
import TorrentWire

/// `/v1/torrents`
extension TrackerAPI {
  func listTorrents(_ request: Request) async throws -> Response {
    let limit = try request.limit()
    let order = try order(request)
    let cursor = try request.query("cursor").map { text throws(Problem) in try order.place(text) }
    let (swarms, now) = (swarms, clock.now.seconds)
    let page = try await pool.run {
      var all = swarms.summaries(at: now).map { (order.key($0), $0) }
      if let cursor { all.removeAll { $0.0 <= cursor } }
      all.sort { $0.0 < $1.0 }
      return all.prefix(limit + 1).map { $0.1 }
    }
    let records = try await store.records(page.map(\.hash))
    return try .encode(
      Page(page, limit: limit, cursor: { order.text(order.key($0)) }, view: { TorrentView($0, records[$0.hash]) }))
  }

  private func order(_ request: Request) throws(Problem) -> TorrentOrder {
    guard let name = request.query("sort") else { return .hash }
    guard let order = TorrentOrder(rawValue: name) else {
      throw Problem(400, "sort is info_hash or seeders.", field: "sort")
    }
    return order
  }

  /// Registers a torrent from its .torrent file, or from its hash alone.
  func addTorrent(_ request: Request) async throws -> Response {
    let (hash, name, length, isDenied): (InfoHash, String?, Int64?, Bool)
    if request.isOf(type: "application/x-bittorrent") {
      let octets = try await request.collect(upTo: 16 << 20)
      (hash, name, length) = try await pool.run {
        let info: TorrentInfo
        do throws(TorrentError) {
          info = try Metainfo(decoding: octets[...]).info
        } catch {
          throw Problem.invalid(field: "", "is no torrent: \(error)")
        }
        guard let hash = InfoHash(try Secrets.sha1(info.octets)) else { throw SecretsError.failed }
        return (hash, info.name, info.length)
      }
      isDenied = false
    } else if request.isOf(type: "application/json") {
      let body = try await request.checked(NewTorrent.self)
      guard let given = InfoHash(hex: body.infoHash) else {
        throw Problem.invalid(field: "info_hash", "must be 40 hexadecimal digits")
      }
      if let name = body.name, !(1...255 ~= name.unicodeScalars.count) {
        throw Problem.invalid(field: "name", "must have 1 to 255 characters")
      }
      (hash, name, length, isDenied) = (given, body.name, nil, body.denied ?? false)
    } else {
      throw Problem(415, "The body must be application/x-bittorrent or application/json, and Content-Type must say so.")
    }
    let standing: SwarmStore.Standing = isDenied ? .denied : .registered
    let record = try await asking {
      try await store.add(hash, standing, name: name, length: length, at: clock.now.seconds)
    }
    swarms.set(hash, standing)
    events.publish(.torrentAdded(hash))
    return try shown(hash, record, status: .created).with("location", "/v1/torrents/\(hash)")
  }

  func getTorrent(_ request: Request) async throws -> Response {
    let hash = try request.infoHash()
    return try shown(hash, try await store.torrent(hash))
  }

  func changeTorrent(_ request: Request) async throws -> Response {
    let hash = try request.infoHash()
    let change = try await request.checked(TorrentChange.self)
    let standing: SwarmStore.Standing = change.denied ? .denied : .registered
    let record = try await asking { try await store.set(hash, standing, demand: demand(request)) }
    swarms.set(hash, standing)
    events.publish(.torrentChanged(hash))
    return try shown(hash, record)
  }

  /// It is forgotten with its peers; in open mode the next announce makes it anew.
  func deleteTorrent(_ request: Request) async throws -> Response {
    let hash = try request.infoHash()
    let demand = demand(request)
    try await upkeep.exclusively {
      let isKnown = swarms.standing(hash) != nil
      do {
        try await asking { try await store.remove(hash, demand: demand) }
      } catch let problem as Problem where problem.status == 404 && isKnown {
        // Only its peers know of it.
      }
      swarms.remove(hash)
      events.publish(.torrentDeleted(hash))
    }
    return .empty()
  }

  private func demand(_ request: Request) -> @Sendable (TrackerStore.Record) throws -> Void {
    let head = request.head
    return { record in
      guard
        head.firstField("if-match") == nil
          || head.precondition(Validators(entityTag: EntityTag("\(record.revision)"))) == .proceed
      else { throw TrackerStore.Failure.stale }
    }
  }

  /// The tag is of what the operator said: peers come and go without it.
  private func shown(_ hash: InfoHash, _ record: TrackerStore.Record?, status: Status = .ok) throws -> Response {
    guard let torrent = swarms.torrent(hash, at: clock.now.seconds) else { throw Problem.notFound("torrent \(hash)") }
    let summary = SwarmStore.Summary(
      hash: hash, standing: torrent.standing, seeders: torrent.swarm.seeders, leechers: torrent.swarm.leechers,
      downloads: torrent.swarm.downloads)
    return try .encode(TorrentView(summary, record), status: status).with(
      "etag", EntityTag("\(record?.revision ?? 0)").description)
  }
}

/// How a list of torrents is ordered. Equal ones follow their hashes, so that a cursor has one place.
private enum TorrentOrder: String, Sendable {
  case hash = "info_hash"
  /// Most first.
  case seeders

  struct Key: Comparable, Sendable {
    var rank: Int
    var hash: InfoHash

    static func < (one: Key, other: Key) -> Bool { (one.rank, one.hash) < (other.rank, other.hash) }
  }

  func key(_ torrent: SwarmStore.Summary) -> Key {
    Key(rank: self == .seeders ? -torrent.seeders : 0, hash: torrent.hash)
  }

  func text(_ key: Key) -> String { self == .seeders ? "\(-key.rank)-\(key.hash)" : "\(key.hash)" }

  func place(_ cursor: String) throws(Problem) -> Key {
    let parts = cursor.split(separator: "-")
    if self == .hash, parts.count == 1, let hash = InfoHash(hex: parts[0]) { return Key(rank: 0, hash: hash) }
    if self == .seeders, parts.count == 2, let seeders = Array(parts[0].utf8).parsedDecimal(as: Int.self),
      let hash = InfoHash(hex: parts[1])
    {
      return Key(rank: -seeders, hash: hash)
    }
    throw Problem(400, "cursor is the next of the page before.", field: "cursor")
  }
}

private struct NewTorrent: KnownBody {
  enum CodingKeys: String, CodingKey {
    case infoHash = "info_hash"
    case name, denied
  }

  var infoHash: String
  var name: String?
  var denied: Bool?
}

private struct TorrentChange: KnownBody {
  enum CodingKeys: String, CodingKey { case denied }

  var denied: Bool
}

private struct TorrentView: Encodable {
  var infoHash: String
  var name: String?
  var length: Int64?
  var addedAt: WorldTime?
  var registered: Bool
  var denied: Bool
  var seeders: Int
  var leechers: Int
  var downloads: Int

  init(_ torrent: SwarmStore.Summary, _ record: TrackerStore.Record?) {
    infoHash = "\(torrent.hash)"
    name = record?.name
    length = record?.length
    addedAt = record?.addedAt.map { WorldTime(seconds: $0) }
    registered = torrent.standing == .registered
    denied = torrent.standing == .denied
    seeders = torrent.seeders
    leechers = torrent.leechers
    downloads = torrent.downloads
  }
}
