import EventLoop
import HTTPServer
import HTTPWire
import Octets
import ServiceKit
import TorrentWire

/// What is in a torrent: its files, its pieces, and what was decided about them.
extension PeerAPI {
  func listFiles(_ request: Request) async throws -> Response {
    let limit = try request.limit()
    let start = try request.idCursor().map { Int($0) + 1 } ?? 0
    guard let files = try await torrent(request).fileStates(start..<start + limit + 1) else { throw notYet }
    return try .encode(Page(files, limit: limit, cursor: { "\($0.number)" }, view: { FileView($0) }))
  }

  func getFile(_ request: Request) async throws -> Response {
    try await shown(fileNumber(request), of: torrent(request))
  }

  private func shown(_ number: Int, of torrent: Torrent) async throws -> Response {
    let state = try await state(of: number, in: torrent)
    return try .encode(FileView(state)).with("etag", EntityTag(state.tag).description)
  }

  private func state(of number: Int, in torrent: Torrent) async throws -> Torrent.FileState {
    guard let states = await torrent.fileStates(number..<number + 1) else { throw notYet }
    guard let state = states.first else { throw Problem.notFound("file \(number)") }
    return state
  }

  func changeFile(_ request: Request) async throws -> Response {
    let torrent = try await torrent(request)
    let number = try fileNumber(request)
    let change = try await request.checked(FileChange.self)
    _ = try await state(of: number, in: torrent)
    let demand = request.demand
    do {
      try await torrent.want(number, change.wanted) { try demand($0) }
    } catch Torrents.Failure.noSuchTorrent {
      throw gone(torrent)
    } catch let error as DiskError {
      throw Problem(error)
    }
    return try await shown(number, of: torrent)
  }

  /// The file itself, once it is whole.
  func getContent(_ request: Request) async throws -> Response {
    let torrent = try await torrent(request)
    let number = try fileNumber(request)
    let state = try await state(of: number, in: torrent)
    guard let files = await torrent.files else { throw notYet }
    guard state.here == state.file.length else {
      throw Problem(409, "The file is not whole yet: \(state.here) of \(state.file.length) octets are here.")
    }
    let path = files.path(of: number).joined(separator: "/")
    return try await Response.file(
      path, beneath: around.folder, type: "application/octet-stream", for: request, pool: around.disk)
  }

  private func fileNumber(_ request: Request) throws -> Int {
    let text = request.parameter("file")
    guard text.utf8.count <= 9, let number = Array(text.utf8).parsedDecimal(as: Int.self) else {
      throw Problem.notFound("file \(text)")
    }
    return number
  }

  /// Pieces of one answer: all of a usual torrent, while the largest has nearly a million.
  static let pieceLimit = 65_536

  func getPieces(_ request: Request) async throws -> Response {
    let limit = try request.limit(upTo: Self.pieceLimit, otherwise: Self.pieceLimit)
    let start = try request.idCursor().map { Int($0) + 1 } ?? 0
    guard let map = try await torrent(request).pieceMap(start..<start + limit) else { throw notYet }
    // So many numbers take long to write.
    let body = try await around.disk.run { try JSON.encode(PieceMapView(map)) }
    return .json(body)
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

  // MARK: Peers

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

  func listWebSeeds(_ request: Request) async throws -> Response {
    try .encode(Page(items: try await torrent(request).webSeedStates.map { WebSeedView($0, at: .current) }))
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
  /// As in the torrent, its folders with slashes.
  var path: String
  var length: Int64
  var here: Int64
  var wanted: Bool
  var progress: Double

  init(_ state: Torrent.FileState) {
    file = state.number
    path = state.file.path.joined(separator: "/")
    length = state.file.length
    here = state.here
    wanted = state.isWanted
    progress = length == 0 ? 1 : (Double(here) / Double(length) * 10_000).rounded(.down) / 10_000
  }
}

private struct PieceMapView: Encodable {
  var first: Int
  var states: String
  var availability: [Int]
  var next: String?

  init(_ map: Torrent.PieceMap) {
    (first, states, availability) = (map.range.lowerBound, map.states, map.availability)
    next = map.range.upperBound < map.pieceCount && !map.range.isEmpty ? "\(map.range.upperBound - 1)" : nil
  }
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
    client = peer.client?.bounded
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

private struct WebSeedView: Encodable {
  var url: String
  var state: String
  /// What it is asked for.
  var piece: Int?
  var downloadRate: Int
  var downloaded: UInt64
  var failures: Int
  var error: String?
  /// Seconds until it is asked again.
  var retryAfter: Int?

  init(_ seed: WebSeed, at now: Instant) {
    var meter = seed.received
    (url, failures) = (seed.url, seed.failures)
    (downloadRate, downloaded) = (Int(meter.rate(at: now)), meter.total)
    error = seed.error?.bounded
    switch seed.state {
    case .waiting: state = "waiting"
    case .fetching(let piece): (state, self.piece) = ("fetching", piece)
    case .resting(let end): (state, retryAfter) = ("resting", Int(max(.zero, end.since(now)) / .seconds(1)))
    case .refused: state = "refused"
    }
  }
}
