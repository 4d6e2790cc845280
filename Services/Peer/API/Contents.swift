import EventLoop
import HTTPServer
import HTTPWire
import Octets
import ServiceKit
import TorrentWire

/// What is in a torrent: its files, its pieces, and what was decided about them.
extension PeerAPI {
  func listFiles(_ request: Request) async throws -> Response {
    guard let files = try await torrent(request).fileStates else { throw notYet }
    return try .encode(Page(items: files.enumerated().map { FileView($0.offset, $0.element) }))
  }

  func changeFile(_ request: Request) async throws -> Response {
    let torrent = try await torrent(request)
    let change = try await request.checked(FileChange.self)
    let number = try await fileNumber(request, of: torrent)
    try await torrent.want(number, change.wanted)
    guard let files = await torrent.fileStates else { throw notYet }
    return try .encode(FileView(number, files[number]))
  }

  /// The file itself, once it is whole.
  func getContent(_ request: Request) async throws -> Response {
    let torrent = try await torrent(request)
    let number = try await fileNumber(request, of: torrent)
    guard let state = await torrent.fileStates?[number], let files = await torrent.files else { throw notYet }
    guard state.here == state.file.length else {
      throw Problem(409, "The file is not whole yet: \(state.here) of \(state.file.length) octets are here.")
    }
    let path = files.path(of: number).joined(separator: "/")
    return try await Response.file(
      path, beneath: around.folder, type: "application/octet-stream", for: request, pool: around.disk)
  }

  private func fileNumber(_ request: Request, of torrent: Torrent) async throws -> Int {
    guard let info = await torrent.info else { throw notYet }
    let text = request.parameter("file")
    guard text.utf8.count <= 9, let number = Array(text.utf8).parsedDecimal(as: Int.self), number < info.files.count
    else { throw Problem.notFound("file \(text)") }
    return number
  }

  func getPieces(_ request: Request) async throws -> Response {
    guard let map = try await torrent(request).pieceMap else { throw notYet }
    return try .encode(PieceMapView(states: map.states, availability: map.availability))
  }

  func listDecisions(_ request: Request) async throws -> Response {
    let limit = try request.limit()
    let cursor = try request.idCursor() ?? 0
    let decisions = try await torrent(request).decisions
    let start = decisions.firstIndex { $0.id > cursor } ?? decisions.endIndex
    return try .encode(
      Page(
        Array(decisions[start...].prefix(limit + 1)), limit: limit, cursor: { "\($0.id)" },
        view: { DecisionView($0) }))
  }

  // MARK: Peers and trackers

  func listPeers(_ request: Request) async throws -> Response {
    try .encode(Page(items: try await torrent(request).peerSummaries.map { PeerView($0) }))
  }

  /// Calls a peer that no tracker tells of.
  func addPeer(_ request: Request) async throws -> Response {
    let torrent = try await torrent(request)
    let text = try await request.checked(NewPeer.self).address
    guard let address = SocketAddress(text), address.port != 0 else {
      throw Problem.invalid(field: "address", "must be an address and a port, such as 127.0.30.11:6881")
    }
    guard around.loop.egress.allows(address.ip) else {
      throw Problem.invalid(field: "address", "is outside of the networks that this peer may connect to")
    }
    await torrent.add(peer: address)
    return .empty(202)
  }

  func listTrackers(_ request: Request) async throws -> Response {
    try .encode(Page(items: try await torrent(request).trackers.map { TrackerView($0) }))
  }

  func announce(_ request: Request) async throws -> Response {
    await (try torrent(request)).announceNow()
    return .empty(202)
  }
}

private struct FileChange: KnownBody {
  enum CodingKeys: String, CodingKey { case wanted }

  var wanted: Bool
}

private struct NewPeer: KnownBody {
  enum CodingKeys: String, CodingKey { case address }

  var address: String
}

private struct FileView: Encodable {
  var file: Int
  var path: String
  var length: Int64
  var here: Int64
  var wanted: Bool
  var progress: Double

  init(_ number: Int, _ state: Torrent.FileState) {
    file = number
    path = state.file.path.joined(separator: "/")
    length = state.file.length
    here = state.here
    wanted = state.isWanted
    progress = length == 0 ? 1 : (Double(here) / Double(length) * 10_000).rounded(.down) / 10_000
  }
}

private struct PieceMapView: Encodable {
  var states: String
  var availability: [Int]
}

private struct PeerView: Encodable {
  var address: String
  var client: String?
  var outgoing: Bool
  var pieces: Int
  var seeder: Bool
  var chokesUs: Bool
  var choked: Bool
  var interested: Bool
  var interesting: Bool
  var snubbed: Bool
  var optimistic: Bool
  var downloadRate: Int
  var uploadRate: Int
  var downloaded: UInt64
  var uploaded: UInt64
  var requestsOut: Int
  var requestsIn: Int

  init(_ peer: Torrent.PeerSummary) {
    address = "\(peer.address)"
    client = peer.client
    outgoing = peer.isOutgoing
    pieces = peer.pieces
    seeder = peer.isSeeder
    chokesUs = peer.chokesUs
    choked = peer.isChoked
    interested = peer.wantsOurs
    interesting = peer.isWanted
    snubbed = peer.isSnubbed
    optimistic = peer.optimistic
    (downloadRate, uploadRate) = peer.rates
    (downloaded, uploaded) = peer.totals
    (requestsOut, requestsIn) = (peer.asked, peer.wishes)
  }
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
    message = status.message
  }
}
