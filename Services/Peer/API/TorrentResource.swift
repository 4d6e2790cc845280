import EventLoop
import HTTPClient
import HTTPServer
import HTTPWire
import Octets
import ServiceKit
import TorrentWire

/// `/v1/torrents`
extension PeerAPI {
  func listTorrents(_ request: Request) async throws -> Response {
    let limit = try request.limit()
    let cursor = try request.query("cursor").map { text throws(Problem) in
      guard let hash = InfoHash(hex: text) else {
        throw Problem(400, "cursor is the next of the page before.", field: "cursor")
      }
      return hash
    }
    var page: [Torrent.Summary] = []
    for torrent in await torrents.all where cursor.map({ torrent.infoHash > $0 }) ?? true {
      page.append(await torrent.summary)
      if page.count > limit { break }
    }
    return try .encode(
      Page(page, limit: limit, cursor: { "\($0.record.hash)" }, view: { TorrentView($0) }))
  }

  func getTorrent(_ request: Request) async throws -> Response {
    try shown(await torrent(request).summary)
  }

  private func shown(_ summary: Torrent.Summary, status: Status = .ok) throws -> Response {
    .json(try JSON.encode(TorrentView(summary)), status: status).with("etag", EntityTag(summary.record.tag).description)
  }

  // MARK: Adding

  /// From a .torrent file, its URL or a magnet link; or made from what lies in the download folder.
  func addTorrent(_ request: Request) async throws -> Response {
    let isPaused = try request.flag("paused") ?? false
    if request.isOf(type: "application/x-bittorrent") {
      let choice = try FileChoice(request)
      let octets = try await request.collect(upTo: PeerLimits.metainfo)
      var new = try await read(octets)
      try choice.apply(to: &new.record, new.info)
      new.record.isPaused = isPaused
      return try await add(new)
    }
    guard request.isOf(type: "application/json") else {
      throw Problem(415, "The body must be application/x-bittorrent or application/json, and Content-Type must say so.")
    }
    var body = try await request.checked(NewTorrent.self)
    body.paused = body.paused ?? isPaused
    guard [body.magnet, body.url, body.path].compactMap({ $0 }).count == 1 else {
      throw Problem(422, "Give one of magnet, url and path.", field: "magnet")
    }
    guard body.path != nil || [body.pieceLength != nil, body.private != nil, body.webSeeds != nil].allSatisfy({ !$0 })
    else {
      throw Problem(
        422, "piece_length, private and web_seeds are for a torrent that is made from a path.", field: "path")
    }
    let choice =
      if body.wantedFiles == nil, body.unwantedFiles == nil { try FileChoice(request) } else {
        try FileChoice(only: body.wantedFiles, without: body.unwantedFiles)
      }
    if let path = body.path {
      guard !choice.isSaid else { throw Problem(422, "Of a torrent that is made all files are here.", field: "path") }
      return try await make(path, body)
    }
    let tiers = try tiers(body.trackers)
    let uploadLimit = try Self.rate(body.uploadLimit, "upload_limit")
    let downloadLimit = try Self.rate(body.downloadLimit, "download_limit")
    var new = if let magnet = body.magnet { try read(magnet: magnet) } else { try await fetch(body.url ?? "") }
    try choice.apply(to: &new.record, new.info)
    new.record.tiers += tiers
    new.record.isPaused = body.paused ?? false
    (new.record.uploadLimit, new.record.downloadLimit) = (Self.bound(uploadLimit), Self.bound(downloadLimit))
    return try await add(new)
  }

  /// A torrent, and what its info dictionary says.
  private typealias New = (record: TorrentRecord, info: TorrentInfo?)

  private func add(_ new: New) async throws -> Response {
    do {
      let torrent = try await torrents.add(new.record, info: new.info)
      return try shown(await torrent.summary, status: .created).with("location", "/v1/torrents/\(new.record.hash)")
    } catch let failure as Torrents.Failure {
      throw Problem(409, "\(failure)")
    }
  }

  /// Off the loop: of a hundred thousand files it takes long.
  private func read(_ octets: [UInt8], field: String = "") async throws -> New {
    let clock = around.clock
    return try await around.disk.run {
      let metainfo: Metainfo
      do throws(TorrentError) {
        metainfo = try Metainfo(decoding: octets[...])
      } catch {
        throw Problem.invalid(field: field, "is no torrent: \(error)")
      }
      guard let hash = InfoHash(try Secrets.sha1(metainfo.info.octets)) else { throw SecretsError.failed }
      var record = TorrentRecord(hash: hash, addedAt: clock.now.seconds)
      record.info = Array(metainfo.info.octets)
      record.name = metainfo.info.name
      record.tiers = metainfo.tiers
      record.webSeeds = metainfo.webSeeds
      return (record, try record.readInfo())
    }
  }

  private func read(magnet: String) throws -> New {
    let link: MagnetLink
    do throws(TorrentError) {
      link = try MagnetLink(magnet)
    } catch {
      throw Problem.invalid(field: "magnet", "is no magnet link that can be used: \(error)")
    }
    var record = TorrentRecord(hash: link.infoHash, addedAt: around.clock.now.seconds)
    record.name = link.name.map { String($0.unicodeScalars.prefix(255)) }
    record.tiers = link.trackers.map { [$0] }
    record.webSeeds = link.webSeeds
    record.peers = link.peers
    return (record, nil)
  }

  private func fetch(_ url: String) async throws -> New {
    guard WebAddress.isUsable(url) else { throw Problem.invalid(field: "url", WebAddress.words) }
    var request = ClientRequest(url)
    request.bodyLimit = PeerLimits.metainfo
    request.redirects = WebAddress.redirectLimit
    let response: ClientResponse
    do throws(HTTPClientError) {
      response = try await around.client.send(request)
    } catch {
      throw Problem.invalid(field: "url", "could not be fetched: \(error)")
    }
    guard response.status == 200 else {
      throw Problem.invalid(field: "url", "answers with status \(response.status)")
    }
    return try await read(response.body, field: "url")
  }

  // MARK: Changing

  func changeTorrent(_ request: Request) async throws -> Response {
    let torrent = try await torrent(request)
    let change = try await request.checked(TorrentChange.self)
    let upload = try Self.rate(change.uploadLimit, "upload_limit")
    let download = try Self.rate(change.downloadLimit, "download_limit")
    let demand = request.demand
    do {
      return try shown(
        await torrent.change(
          paused: change.paused, upload: upload, download: download, demand: { try demand($0.tag) }))
    } catch Torrents.Failure.noSuchTorrent {
      throw gone(torrent)
    }
  }

  func deleteTorrent(_ request: Request) async throws -> Response {
    let hash = try request.infoHash()
    let withData = try request.flag("data") ?? false
    let demand = request.demand
    do {
      try await torrents.remove(hash, withData: withData) { try demand($0.tag) }
    } catch Torrents.Failure.noSuchTorrent {
      throw Problem.notFound("torrent \(hash)")
    }
    return .empty()
  }

  /// Reads all of its files again.
  func checkTorrent(_ request: Request) async throws -> Response {
    guard try await torrent(request).checkAgain() else {
      throw Problem(409, "There is nothing to check: it is paused, or only its magnet link is known.")
    }
    return .empty(202)
  }

  func getMetainfo(_ request: Request) async throws -> Response {
    let summary = try await torrent(request).summary
    guard let info = summary.record.info else { throw notYet }
    let octets = Metainfo.encode(info: info, tiers: summary.record.tiers, webSeeds: summary.record.webSeeds)
    return Response.octets(octets, type: "application/x-bittorrent")
  }

  /// It was removed while it was to be changed.
  func gone(_ torrent: Torrent) -> Problem { .notFound("torrent \(torrent.infoHash)") }

  /// For what needs the info dictionary.
  var notYet: Problem { Problem(409, "Only the magnet link is known so far: no peer has told the rest yet.") }
}

struct NewTorrent: KnownBody {
  enum CodingKeys: String, CodingKey {
    case magnet, url, path, trackers, paused, `private`
    case pieceLength = "piece_length"
    case webSeeds = "web_seeds"
    case wantedFiles = "wanted_files"
    case unwantedFiles = "unwanted_files"
    case uploadLimit = "upload_limit"
    case downloadLimit = "download_limit"
  }

  var magnet: String?
  var url: String?
  /// Below the download folder.
  var path: String?
  var pieceLength: Int?
  var `private`: Bool?
  var webSeeds: [String]?
  var trackers: [String]?
  var paused: Bool?
  var wantedFiles: [Int]?
  var unwantedFiles: [Int]?
  var uploadLimit: Int?
  var downloadLimit: Int?
}

private struct TorrentChange: KnownBody {
  enum CodingKeys: String, CodingKey {
    case paused
    case uploadLimit = "upload_limit"
    case downloadLimit = "download_limit"
  }

  var paused: Bool?
  var uploadLimit: Int?
  var downloadLimit: Int?
}

struct TorrentView: Encodable {
  var infoHash: String
  var name: String?
  var state: String
  /// What keeps it from going on.
  var error: String?
  /// What it waits for, where nobody is there to ask.
  var waiting: String?
  var length: Int64?
  var pieceLength: Int?
  var pieces: Int?
  var piecesHere: Int?
  /// From 0 to 1, of what is wanted.
  var progress: Double
  /// Octets that are missing of what is wanted.
  var left: UInt64?
  var `private`: Bool
  var addedAt: WorldTime
  var completedAt: WorldTime?
  var uploaded: UInt64
  var downloaded: UInt64
  var ratio: Double?
  var wasted: UInt64
  var uploadRate: Int
  var downloadRate: Int
  var uploadLimit: Int
  var downloadLimit: Int
  var peers: Int
  var seeders: Int
  var knownPeers: Int
  var freeRider: Bool
  var magnet: String

  init(_ summary: Torrent.Summary) {
    let record = summary.record
    infoHash = "\(record.hash)"
    name = summary.info?.name ?? record.name
    state = summary.state.name
    if case .failed(let reason) = summary.state { error = reason }
    waiting = summary.waiting
    length = summary.info?.length
    pieceLength = summary.info?.pieceLength
    pieces = summary.info?.pieceCount
    piecesHere = summary.piecesHere
    progress = (summary.progress * 10_000).rounded(.down) / 10_000
    left = summary.left
    `private` = summary.info?.isPrivate ?? false
    addedAt = WorldTime(seconds: record.addedAt)
    completedAt = record.completedAt.map { WorldTime(seconds: $0) }
    uploaded = record.uploaded
    downloaded = record.downloaded
    ratio = downloaded > 0 ? (Double(uploaded) / Double(downloaded) * 1000).rounded() / 1000 : nil
    wasted = summary.wasted
    (downloadRate, uploadRate) = summary.rates
    uploadLimit = record.uploadLimit ?? 0
    downloadLimit = record.downloadLimit ?? 0
    peers = summary.peers
    seeders = summary.seeders
    knownPeers = summary.knownPeers
    freeRider = summary.isFreeRider
    var link = MagnetLink(infoHash: record.hash, name: name, trackers: record.tiers.flatMap { $0 })
    link.webSeeds = record.webSeeds
    magnet = "\(link)"
  }
}
