import EventLoop
import HTTPServer
import HTTPWire
import Octets
import ServiceKit
import TorrentWire

/// `/v1/torrents/{info_hash}/peers`
extension TrackerAPI {
  func listPeers(_ request: Request) async throws -> Response {
    let hash = try request.infoHash()
    let limit = try request.limit()
    let cursor = request.query("cursor")
    guard cursor == nil || cursor.flatMap({ SocketAddress($0) }) != nil else {
      throw Problem(400, "cursor is the next of the page before.", field: "cursor")
    }
    guard let torrent = swarms.torrent(hash, at: clock.now.seconds) else { throw Problem.notFound("torrent \(hash)") }
    let page = try await pool.run {
      Array(
        torrent.swarm.members.map { ("\($0.address)", $0) }.filter { $0.0 > cursor ?? "" }.sorted { $0.0 < $1.0 }
          .prefix(limit + 1))
    }
    return try .encode(Page(page, limit: limit, cursor: \.0, view: { PeerView($0.1, settings.limits) }))
  }
}

private struct PeerView: Encodable {
  /// Address and port.
  var address: String
  /// As it would stand in a URL: some octets of it are no text.
  var peerId: String
  var uploaded: UInt64?
  var downloaded: UInt64?
  var left: UInt64?
  var seeder: Bool
  var seenAt: WorldTime

  init(_ member: Member, _ limits: TrackerLimits) {
    address = "\(member.address)"
    peerId = PercentEncoding.encode(octets: member.client.id.octets)
    uploaded = member.progress?.uploaded
    downloaded = member.progress?.downloaded
    left = member.progress?.left
    seeder = member.isSeeder
    seenAt = WorldTime(seconds: member.expires - limits.lifetime(stretch: member.stretch))
  }
}
