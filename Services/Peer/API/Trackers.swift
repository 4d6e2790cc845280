import EventLoop
import HTTPServer
import HTTPWire
import Octets
import ServiceKit
import TorrentWire

/// `/v1/torrents/{info_hash}/trackers`
extension PeerAPI {
  func listTrackers(_ request: Request) async throws -> Response { try await shownTrackers(of: torrent(request)) }

  private func shownTrackers(of torrent: Torrent) async throws -> Response {
    try .encode(Page(items: await torrent.trackers.map { TrackerView($0) }))
      .with("etag", EntityTag(await torrent.record.tagOfTrackers).description)
  }

  /// These, and no others.
  func putTrackers(_ request: Request) async throws -> Response {
    let torrent = try await torrent(request)
    let tiers = try await request.checked(TrackerTiersBody.self).tiers
    guard tiers.count <= TrackerTiers.limit, tiers.joined().count <= TrackerTiers.limit else {
      throw Problem.invalid(field: "tiers", "may have \(TrackerTiers.limit) trackers")
    }
    for (number, tier) in tiers.enumerated() { try requireUsable(tier, field: "tiers[\(number)]") }
    try await change(torrent, request) { _ in Self.distinct(tiers) }
    return try await shownTrackers(of: torrent)
  }

  /// These too: a tier behind the others.
  func addTrackers(_ request: Request) async throws -> Response {
    let torrent = try await torrent(request)
    let more = try tiers(try await request.checked(MoreTrackers.self).trackers)
    try await change(torrent, request) { tiers in
      let all = Self.distinct(tiers + more)
      guard all.joined().count <= max(TrackerTiers.limit, tiers.joined().count) else {
        throw Problem.invalid(field: "trackers", "would be more than \(TrackerTiers.limit) with those that it has")
      }
      return all
    }
    return try await shownTrackers(of: torrent)
  }

  /// All but this one.
  func deleteTracker(_ request: Request) async throws -> Response {
    let torrent = try await torrent(request)
    guard let url = request.query("url") else { throw Problem(400, "url names the tracker.", field: "url") }
    guard let tracker = try? TrackerURL(url) else { throw Problem.notFound("tracker \(url)") }
    try await change(torrent, request) { tiers in
      let rest = tiers.map { $0.filter { (try? TrackerURL($0)) != tracker } }
      guard rest != tiers else { throw Problem.notFound("tracker \(url)") }
      return rest.filter { !$0.isEmpty }
    }
    return .empty()
  }

  private func change(
    _ torrent: Torrent, _ request: Request, _ change: @Sendable ([[String]]) throws -> [[String]]
  ) async throws {
    let demand = request.demand
    do {
      try await torrent.changeTrackers(change) { try demand($0) }
    } catch Torrents.Failure.noSuchTorrent {
      throw gone(torrent)
    }
  }

  /// A tracker that comes again counts once, and a tier without any is none.
  private static func distinct(_ tiers: [[String]]) -> [[String]] {
    var known: Set<TrackerURL> = []
    return tiers.map { tier in
      // What a link or a .torrent file brought and nobody can use stays for others.
      tier.filter { url in (try? TrackerURL(url)).map { known.insert($0).inserted } ?? true }
    }.filter { !$0.isEmpty }
  }

  func announce(_ request: Request) async throws -> Response {
    guard await (try torrent(request)).announceNow() else {
      throw Problem(409, "There is nobody to tell: it has no trackers, or is paused, checked or failed.")
    }
    return .empty(202)
  }

  func requireUsable(_ urls: [String], field: String) throws {
    for (number, url) in urls.enumerated() {
      do throws(TrackerURLError) {
        _ = try TrackerURL(url)
      } catch {
        throw Problem.invalid(field: "\(field)[\(number)]", "can't be used: \(error)")
      }
    }
  }
}

private struct TrackerTiersBody: KnownBody {
  enum CodingKeys: String, CodingKey { case tiers }

  var tiers: [[String]]
}

private struct MoreTrackers: KnownBody {
  enum CodingKeys: String, CodingKey { case trackers }

  var trackers: [String]
}

private struct TrackerView: Encodable {
  var url: String
  var tier: Int
  var state: String
  var lastAnnounce: WorldTime?
  var nextAnnounce: WorldTime?
  var seeders: Int?
  var leechers: Int?
  var downloads: Int?
  var message: String?

  init(_ status: TrackerStatus) {
    url = "\(status.url)"
    tier = status.tier
    state = status.state.rawValue
    lastAnnounce = status.lastAnnounce.map { WorldTime(seconds: $0) }
    nextAnnounce = status.next.map { WorldTime(seconds: $0) }
    seeders = status.seeders
    leechers = status.leechers
    downloads = status.downloads
    message = status.message?.bounded
  }
}

extension String {
  /// What strangers say is shown, but not without end.
  var bounded: String { String(unicodeScalars.prefix(500)) }
}
