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
    shown(try await torrent(request).summary)
  }

  private func shown(_ summary: Torrent.Summary, status: Status = .ok) -> Response {
    let body = (try? JSON.encode(TorrentView(summary))) ?? []
    return Response.json(body, status: status).with("etag", EntityTag(summary.record.tag).description)
  }

  // MARK: Adding

  /// From a .torrent file, its URL or a magnet link; or made from what lies in the download folder.
  func addTorrent(_ request: Request) async throws -> Response {
    if request.isOf(type: "application/x-bittorrent") {
      let octets = try await request.collect(upTo: PeerLimits.metainfo)
      return try await add(try await read(octets))
    }
    guard request.isOf(type: "application/json") else {
      throw Problem(415, "The body must be application/x-bittorrent or application/json, and Content-Type must say so.")
    }
    let body = try await request.checked(NewTorrent.self)
    guard [body.magnet, body.url, body.path].compactMap({ $0 }).count == 1 else {
      throw Problem(422, "Give one of magnet, url and path.", field: "magnet")
    }
    guard body.path != nil || [body.pieceLength != nil, body.private != nil, body.webSeeds != nil].allSatisfy({ !$0 })
    else {
      throw Problem(
        422, "piece_length, private and web_seeds are for a torrent that is made from a path.", field: "path")
    }
    if let path = body.path { return try await make(path, body) }
    var record: TorrentRecord
    if let magnet = body.magnet {
      record = try self.record(of: magnet)
    } else {
      record = try await fetch(body.url ?? "")
    }
    record.tiers += try tiers(body.trackers)
    record.isPaused = body.paused ?? false
    record.uploadLimit = try Self.rate(body.uploadLimit, "upload_limit")
    record.downloadLimit = try Self.rate(body.downloadLimit, "download_limit")
    return try await add(record)
  }

  private func add(_ record: TorrentRecord) async throws -> Response {
    do {
      let torrent = try await torrents.add(record)
      return shown(await torrent.summary, status: .created).with("location", "/v1/torrents/\(record.hash)")
    } catch Torrents.Failure.exists {
      throw Problem(409, "The torrent \(record.hash) is here already.")
    } catch Torrents.Failure.samePlace(let name) {
      throw Problem(409, "Another torrent has its files at \(name) in the download folder; remove it first.")
    } catch Torrents.Failure.tooMany {
      throw Problem(409, "There are as many torrents as this peer takes; remove one first.")
    }
  }

  private func read(_ octets: [UInt8], field: String = "") async throws -> TorrentRecord {
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
      return record
    }
  }

  private func record(of magnet: String) throws -> TorrentRecord {
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
    return record
  }

  private func fetch(_ url: String) async throws -> TorrentRecord {
    guard url.hasPrefix("http://") || url.hasPrefix("https://"), url.utf8.count <= 2000 else {
      throw Problem.invalid(field: "url", "must begin with http:// or https:// and have at most 2000 octets")
    }
    var request = ClientRequest(url)
    request.bodyLimit = PeerLimits.metainfo
    let response: ClientResponse
    do throws(HTTPClientError) {
      response = try await around.client.send(request)
    } catch {
      throw Problem.invalid(field: "url", "could not be fetched: \(error)")
    }
    guard response.status == 200 else { throw Problem.invalid(field: "url", "answers with status \(response.status)") }
    return try await read(response.body, field: "url")
  }

  private func tiers(_ trackers: [String]?) throws -> [[String]] {
    guard let trackers else { return [] }
    guard trackers.count <= Metainfo.urlLimit else {
      throw Problem.invalid(field: "trackers", "may have \(Metainfo.urlLimit) URLs")
    }
    for url in trackers {
      do throws(TrackerURLError) {
        _ = try TrackerURL(url)
      } catch {
        throw Problem.invalid(field: "trackers", "has a URL that can't be used: \(error)")
      }
    }
    // Those that are given together serve alike (BEP 12).
    return trackers.isEmpty ? [] : [trackers]
  }

  // MARK: Making

  /// Hashing takes as long as reading: the answer is a job.
  private func make(_ path: String, _ body: NewTorrent) async throws -> Response {
    let parts = path.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
    let tiers = try tiers(body.trackers)
    let webSeeds = body.webSeeds ?? []
    guard webSeeds.count <= Metainfo.urlLimit,
      webSeeds.allSatisfy({ $0.hasPrefix("http://") || $0.hasPrefix("https://") })
    else {
      throw Problem.invalid(field: "web_seeds", "must be at most \(Metainfo.urlLimit) URLs with http:// or https://")
    }
    let around = around
    let maker: TorrentMaker
    do {
      maker = try await around.disk.run {
        try TorrentMaker(parts, below: around.folder, pieceLength: body.pieceLength ?? 262_144)
      }
    } catch TorrentMakerError.pieceLength(let length) {
      throw Problem.invalid(field: "piece_length", "can't be \(length): a power of two from 16384 to 16777216 can")
    } catch let error as TorrentMakerError {
      throw Problem.invalid(field: "path", "makes no torrent: \(error)")
    } catch let error as DiskError {
      throw Problem.invalid(field: "path", "makes no torrent: \(error)")
    }
    let uploadLimit = try Self.rate(body.uploadLimit, "upload_limit")
    let downloadLimit = try Self.rate(body.downloadLimit, "download_limit")
    guard let job = jobs.begin() else { throw Problem(503, "Too many jobs are under way.", retryAfter: 10) }
    let torrents = torrents
    around.loop.spawn {
      do {
        var record = try await around.disk.run {
          var builder = try maker.make { done, total in
            job.progress(total > 0 ? Double(done) / Double(total) : 1)
            return true
          }
          builder.isPrivate = body.private ?? false
          let info = builder.info
          guard let hash = InfoHash(try Secrets.sha1(info)) else { throw SecretsError.failed }
          var record = TorrentRecord(hash: hash, addedAt: around.clock.now.seconds)
          record.info = info
          record.name = builder.name
          return record
        }
        record.tiers = tiers
        record.webSeeds = webSeeds
        record.isPaused = body.paused ?? false
        record.uploadLimit = uploadLimit
        record.downloadLimit = downloadLimit
        do {
          _ = try await torrents.add(record)
        } catch Torrents.Failure.exists {
          // It is what was wanted.
        }
        job.finish(.success("/v1/torrents/\(record.hash)"))
      } catch {
        job.finish(.failure("\(error)"))
      }
    }
    return try .encode(JobView(job), status: .accepted).with("location", "/v1/jobs/\(job.id)")
  }

  // MARK: Changing

  func changeTorrent(_ request: Request) async throws -> Response {
    let torrent = try await torrent(request)
    let change = try await request.checked(TorrentChange.self)
    let upload = try Self.rate(change.uploadLimit, "upload_limit")
    let download = try Self.rate(change.downloadLimit, "download_limit")
    let head = request.head
    let summary = try await torrent.change(
      paused: change.paused, upload: upload, download: download,
      demand: { record in
        guard
          head.firstField("if-match") == nil
            || head.precondition(Validators(entityTag: EntityTag(record.tag))) == .proceed
        else { throw Problem(412, "It was changed since; read it again.") }
      })
    return shown(summary)
  }

  func deleteTorrent(_ request: Request) async throws -> Response {
    let hash = try request.infoHash()
    let withData: Bool
    switch request.query("data") {
    case nil, "false": withData = false
    case "true": withData = true
    default: throw Problem(400, "data is true or false.", field: "data")
    }
    do {
      try await torrents.remove(hash, withData: withData)
    } catch Torrents.Failure.noSuchTorrent {
      throw Problem.notFound("torrent \(hash)")
    }
    return .empty()
  }

  func getMetainfo(_ request: Request) async throws -> Response {
    let summary = try await torrent(request).summary
    guard let info = summary.record.info else { throw notYet }
    let octets = Metainfo.encode(info: info, tiers: summary.record.tiers, webSeeds: summary.record.webSeeds)
    return Response.octets(octets, type: "application/x-bittorrent")
  }

  /// For what needs the info dictionary.
  var notYet: Problem { Problem(409, "Only the magnet link is known so far: no peer has told the rest yet.") }
}

private struct NewTorrent: KnownBody {
  enum CodingKeys: String, CodingKey {
    case magnet, url, path, trackers, paused, `private`
    case pieceLength = "piece_length"
    case webSeeds = "web_seeds"
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
