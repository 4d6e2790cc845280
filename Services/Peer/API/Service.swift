import EventLoop
import HTTPServer
import HTTPWire
import Octets
import ServiceKit
import TorrentWire

/// What holds for all torrents together.
extension PeerAPI {
  func getLimits(_ request: Request) async throws -> Response {
    try await shownLimits()
  }

  private func shownLimits() async throws -> Response {
    let limits = await limits
    return try .encode(limits).with("etag", EntityTag(limits.tag).description)
  }

  private var limits: LimitsView {
    get async {
      let around = around
      return await torrents.limits(of: around)
    }
  }

  func changeLimits(_ request: Request) async throws -> Response {
    let change = try await request.checked(LimitsChange.self)
    let upload = try Self.rate(change.uploadLimit, "upload_limit")
    let download = try Self.rate(change.downloadLimit, "download_limit")
    let demand = request.demand
    try await torrents.setLimits(upload: upload, download: download) { try demand($0.tag) }
    return try await shownLimits()
  }

  func getTotals(_ request: Request) async throws -> Response {
    var totals = TotalsView(freeRider: around.isFreeRider)
    for torrent in await torrents.all {
      let summary = await torrent.summary
      totals.torrents += 1
      totals.peers += summary.peers
      totals.uploaded += summary.record.uploaded
      totals.downloaded += summary.record.downloaded
      totals.uploadRate += summary.rates.upload
      totals.downloadRate += summary.rates.download
    }
    totals.listening = around.listening.map { "\($0)" }
    totals.peerId = PercentEncoding.encode(octets: around.peerID.octets)
    return try .encode(totals)
  }
}

struct LimitsView: Encodable {
  /// Octets a second; 0 is no bound.
  var uploadLimit: Int
  var downloadLimit: Int

  var tag: String { "\(uploadLimit)-\(downloadLimit)" }
}

private struct LimitsChange: KnownBody {
  enum CodingKeys: String, CodingKey {
    case uploadLimit = "upload_limit"
    case downloadLimit = "download_limit"
  }

  var uploadLimit: Int?
  var downloadLimit: Int?
}

private struct TotalsView: Encodable {
  var torrents = 0
  var peers = 0
  var uploaded: UInt64 = 0
  var downloaded: UInt64 = 0
  var uploadRate = 0
  var downloadRate = 0
  var listening: [String] = []
  var peerId = ""
  var freeRider: Bool
}

extension Torrents {
  func limits(of around: Surroundings) -> LimitsView {
    LimitsView(uploadLimit: around.upload.rate ?? 0, downloadLimit: around.download.rate ?? 0)
  }

  /// Octets a second; 0 takes a bound away, nil leaves it.
  /// - Parameter demand: throws where they are not as the caller believes.
  func setLimits(
    upload: Int?, download: Int?, demand: @Sendable (LimitsView) throws -> Void = { _ in }
  ) async throws {
    try demand(limits(of: around))
    let before = (upload: around.upload.rate, download: around.download.rate)
    if let upload { around.upload.rate = upload == 0 ? nil : upload }
    if let download { around.download.rate = download == 0 ? nil : download }
    do {
      try await around.store.put(upload: around.upload.rate, download: around.download.rate)
    } catch {
      // What is not written down does not hold.
      if upload != nil { around.upload.rate = before.upload }
      if download != nil { around.download.rate = before.download }
      throw error
    }
  }
}
