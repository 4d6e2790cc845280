import EventLoop
import HTTPServer
import HTTPWire
import Octets
import ServiceKit
import TorrentWire

/// The REST side of the peer (openapi/peer.yaml): every route stands here, its handler in the file of its resource.
struct PeerAPI: Sendable {
  let torrents: Torrents
  let jobs: Jobs
  let around: Surroundings
  /// Throws where a request does not carry the administrator's token.
  let requireAdmin: @Sendable (Request) throws -> Void

  func addRoutes(to router: Router) {
    let admin = AdminRoutes(of: router, requireAdmin: requireAdmin)
    admin.on(.get, "/v1/torrents", listTorrents, query: ["limit", "cursor"])
    admin.on(.post, "/v1/torrents", addTorrent, query: ["paused", "wanted_files", "unwanted_files"])
    admin.on(.get, "/v1/torrents/{info_hash}", getTorrent)
    admin.on(.patch, "/v1/torrents/{info_hash}", changeTorrent)
    admin.on(.delete, "/v1/torrents/{info_hash}", deleteTorrent, query: ["data"])
    admin.on(.get, "/v1/torrents/{info_hash}/metainfo", getMetainfo)
    admin.on(.post, "/v1/torrents/{info_hash}/check", checkTorrent)
    admin.on(.get, "/v1/torrents/{info_hash}/pieces", getPieces, query: ["limit", "cursor"])
    admin.on(.get, "/v1/torrents/{info_hash}/decisions", listDecisions, query: ["limit", "cursor"])
    admin.on(.get, "/v1/torrents/{info_hash}/files", listFiles, query: ["limit", "cursor"])
    admin.on(.get, "/v1/torrents/{info_hash}/files/{file}", getFile)
    admin.on(.patch, "/v1/torrents/{info_hash}/files/{file}", changeFile)
    admin.on(.get, "/v1/torrents/{info_hash}/files/{file}/content", getContent)
    admin.on(.get, "/v1/torrents/{info_hash}/peers", listPeers)
    admin.on(.post, "/v1/torrents/{info_hash}/peers", addPeer)
    admin.on(.get, "/v1/torrents/{info_hash}/trackers", listTrackers)
    admin.on(.put, "/v1/torrents/{info_hash}/trackers", putTrackers)
    admin.on(.post, "/v1/torrents/{info_hash}/trackers", addTrackers)
    admin.on(.delete, "/v1/torrents/{info_hash}/trackers", deleteTracker, query: ["url"])
    admin.on(.get, "/v1/torrents/{info_hash}/web-seeds", listWebSeeds)
    admin.on(.post, "/v1/torrents/{info_hash}/announce", announce)

    admin.on(.get, "/v1/files", listStoredFiles, query: ["limit", "cursor"])
    admin.on(.get, "/v1/files/{name}", getStoredFile)
    admin.on(.put, "/v1/files/{name}", putFile)
    admin.on(.delete, "/v1/files/{name}", deleteStoredFile)
    admin.on(.get, "/v1/jobs/{job}", getJob)
    admin.on(.get, "/v1/limits", getLimits)
    admin.on(.patch, "/v1/limits", changeLimits)
    admin.on(.get, "/v1/totals", getTotals)
    admin.on(.get, "/v1/events", listenToEvents)
  }
}

extension Request {
  /// A query parameter that is true or false; nil where it is left out.
  func flag(_ name: String) throws(Problem) -> Bool? {
    switch query(name) {
    case nil: return nil
    case "false": return false
    case "true": return true
    default: throw Problem(400, "\(name) is true or false.", field: name)
    }
  }

  /// The torrent of the path.
  func infoHash() throws(Problem) -> InfoHash {
    let text = parameter("info_hash")
    guard let hash = InfoHash(hex: text) else {
      throw Problem.notFound("torrent \(text): a hash has 40 hexadecimal digits")
    }
    return hash
  }

  /// Throws 412 where If-Match is for another state than that of the tag.
  var demand: @Sendable (_ tag: String) throws -> Void {
    let head = head
    return { tag in
      guard
        head.firstField("if-match") == nil
          || head.precondition(Validators(entityTag: EntityTag(tag))) == .proceed
      else { throw Problem(412, "It was changed since; read it again.") }
    }
  }
}

extension Problem {
  /// What the disk did not do: the administrator, who alone sees this, may know where files lie.
  init(_ error: DiskError) {
    self.init(Self.isFull(error) ? 507 : .internalServerError, "\(error)")
  }

  private static func isFull(_ error: DiskError) -> Bool { if case .full = error { true } else { false } }
}

extension PeerAPI {
  func torrent(_ request: Request) async throws -> Torrent {
    let hash = try request.infoHash()
    guard let torrent = await torrents[hash] else { throw Problem.notFound("torrent \(hash)") }
    return torrent
  }

  /// A bound in octets a second; 0 is none.
  static func rate(_ value: Int?, _ field: String) throws(Problem) -> Int? {
    guard let value else { return nil }
    guard value == 0 || rates ~= value else {
      throw Problem.invalid(
        field: field, "must be 0, for no bound, or \(rates.lowerBound) to \(rates.upperBound) octets a second")
    }
    return value
  }

  /// As it is kept: nil is none.
  static func bound(_ rate: Int?) -> Int? { rate == 0 ? nil : rate }

  /// Fewer would not carry the protocol's own messages.
  static let rates = 1024...100_000_000_000
}
