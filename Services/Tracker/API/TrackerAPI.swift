import EventLoop
import HTTPServer
import HTTPWire
import Octets
import ServiceKit
import TorrentWire

/// The REST side of the tracker (openapi/tracker.yaml): every route stands here, its handler in the file of its resource.
struct TrackerAPI: Sendable {
  let swarms: SwarmStore
  let accounts: Accounts
  let store: TrackerStore
  let events: EventHub<TrackerEvent>
  let settings: TrackerSettings
  let clock: WorldClock
  let pool: BlockingPool
  let upkeep: Upkeep
  /// Throws where a request does not carry the administrator's token.
  let requireAdmin: @Sendable (Request) throws -> Void

  func addRoutes(to router: Router) {
    let admin = AdminRoutes(of: router, requireAdmin: requireAdmin)
    admin.on(.get, "/v1/torrents", listTorrents, query: ["limit", "cursor", "sort"])
    admin.on(.post, "/v1/torrents", addTorrent)
    admin.on(.get, "/v1/torrents/{info_hash}", getTorrent)
    admin.on(.patch, "/v1/torrents/{info_hash}", changeTorrent)
    admin.on(.delete, "/v1/torrents/{info_hash}", deleteTorrent)
    admin.on(.get, "/v1/torrents/{info_hash}/peers", listPeers, query: ["limit", "cursor"])
    admin.on(.get, "/v1/totals", getTotals)
    admin.on(.get, "/v1/events", listenToEvents)

    admin.on(.get, "/v1/users", listUsers, query: ["limit", "cursor"])
    admin.on(.post, "/v1/users", addUser)
    admin.on(.get, "/v1/users/{user}", getUser)
    admin.on(.delete, "/v1/users/{user}", deleteUser)
    admin.on(.get, "/v1/users/{user}/keys", listKeys)
    admin.on(.post, "/v1/users/{user}/keys", addKey)
    admin.on(.patch, "/v1/users/{user}/keys/{key}", changeKey)
    admin.on(.delete, "/v1/users/{user}/keys/{key}", deleteKey)
  }

  func getTotals(_ request: Request) async throws -> Response {
    let counts = swarms.counts
    return try .encode(
      TotalsView(torrents: counts.torrents, peers: counts.peers, evicted: counts.evicted, mode: settings.mode.rawValue))
  }
}

private struct TotalsView: Encodable {
  var torrents: Int
  var peers: Int
  var evicted: UInt64
  var mode: String
}

/// Runs what asks the store, with its refusals as problems.
func asking<Value>(_ body: () async throws -> Value) async throws -> Value {
  do {
    return try await body()
  } catch let failure as TrackerStore.Failure {
    throw switch failure {
    case .exists: Problem(409, "It is here already.")
    case .noSuchTorrent: Problem.notFound("such torrent")
    case .noSuchUser: Problem.notFound("such user")
    case .noSuchKey: Problem.notFound("such key")
    case .tooManyKeys: Problem(409, "The user has as many keys as a user may have; delete one first.")
    case .stale: Problem(412, "It was changed since; read it again.")
    }
  }
}

extension Request {
  /// The number of a user or a key in the path.
  func number(_ name: String) throws(Problem) -> Int64 {
    let text = parameter(name)
    guard text.utf8.count <= 15, let number = Array(text.utf8).parsedDecimal(as: Int64.self), number > 0 else {
      throw Problem.notFound("\(name) \(text)")
    }
    return number
  }

  /// The torrent of the path.
  func infoHash() throws(Problem) -> InfoHash {
    let text = parameter("info_hash")
    guard let hash = InfoHash(hex: text) else {
      throw Problem.notFound("torrent \(text): a hash has 40 hexadecimal digits")
    }
    return hash
  }
}
