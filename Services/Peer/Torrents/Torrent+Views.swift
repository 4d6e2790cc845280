import EventLoop
import Octets
import TorrentWire

/// What people ask of a torrent.
extension Torrent {
  struct Summary: Sendable {
    var record: TorrentRecord
    var state: State
    var info: TorrentInfo?
    var piecesHere: Int?
    /// From 0 to 1.
    var progress: Double
    var left: UInt64?
    var wasted: UInt64
    var rates: (download: Int, upload: Int)
    var peers: Int
    var seeders: Int
    var knownPeers: Int
    var isFreeRider: Bool
  }

  var summary: Summary {
    count()
    let here = exchange?.picker.have ?? have
    return Summary(
      record: record, state: state, info: info, piecesHere: info == nil ? nil : here?.held, progress: progress,
      left: left, wasted: exchange?.wasted ?? 0, rates: isRunning ? rates : (0, 0), peers: links.count,
      seeders: exchange?.peers.values.count { $0.isSeeder } ?? 0, knownPeers: book.count,
      isFreeRider: around.isFreeRider)
  }

  private var left: UInt64? {
    if let left = exchange?.left { return left }
    guard let info, let have else { return nil }
    let wanted = wantedPieces(of: info)
    return (0..<info.pieceCount).reduce(0) { $0 + (wanted[$1] && !have[$1] ? UInt64(info.length(of: $1)) : 0) }
  }

  private var progress: Double {
    guard let info else { return 0 }
    if case .checking(let done) = state { return Double(done) / Double(info.length) }
    let wanted = wantedPieces(of: info)
    let total = (0..<info.pieceCount).reduce(0) { $0 + (wanted[$1] ? Int64(info.length(of: $1)) : 0) }
    guard let left, total > 0 else { return total == 0 ? 1 : 0 }
    return 1 - Double(left) / Double(total)
  }

  // MARK: Changes

  /// - Parameters:
  ///   - upload: octets a second; 0 takes the bound away.
  ///   - demand: throws where the torrent is not as the caller believes.
  func change(
    paused: Bool?, upload: Int?, download: Int?, demand: @Sendable (TorrentRecord) throws -> Void
  ) async throws -> Summary {
    try demand(record)
    if let upload { record.uploadLimit = upload == 0 ? nil : upload }
    if let download { record.downloadLimit = download == 0 ? nil : download }
    self.upload.rate = record.uploadLimit
    self.download.rate = record.downloadLimit
    if let paused { record.isPaused = paused }
    try await around.store.put(record)
    if paused == true { await stop() }
    if paused == false { start() }
    return summary
  }

  /// Whether a file is wanted from now on.
  func want(_ file: Int, _ isWanted: Bool) async throws {
    if isWanted { record.unwanted.remove(file) } else { record.unwanted.insert(file) }
    try await around.store.put(record)
    guard let info else { return }
    if isWanted, let files {
      let wanted = wantedFiles(of: info)
      try await around.disk.run { try files.prepare(wanted: wanted) }
    }
    exchange?.want(wantedPieces(of: info), at: .current)
    if let exchange {
      if state == .seeding, !exchange.isComplete { state = .downloading }
      if state == .downloading, exchange.isComplete { state = .seeding }
    }
    act()
  }

  func add(peer: SocketAddress) {
    book.forget(peer)
    learn([peer])
  }

  func announceNow() { announcer?.assumeIsolated { $0.announceNow() } }

  var trackers: [TrackerStatus] { announcer?.assumeIsolated { $0.statuses } ?? [] }

  // MARK: Files and pieces

  struct FileState: Sendable {
    var file: TorrentInfo.File
    var isWanted: Bool
    /// Octets of the file that lie in pieces that are here.
    var here: Int64
  }

  var fileStates: [FileState]? {
    guard let info else { return nil }
    let here = exchange?.picker.have ?? have ?? Bitfield(pieceCount: info.pieceCount)
    return info.files.enumerated().map { number, file in
      var octets: Int64 = 0
      if file.length > 0 {
        let length = Int64(info.pieceLength)
        for piece in Int(file.offset / length)...Int((file.offset + file.length - 1) / length) where here[piece] {
          let start = max(file.offset, Int64(piece) * length)
          octets += min(file.offset + file.length, Int64(piece + 1) * length) - start
        }
      }
      return FileState(file: file, isWanted: !record.unwanted.contains(number), here: octets)
    }
  }

  /// A letter for each piece, and how many peers have it.
  var pieceMap: (states: String, availability: [Int])? {
    guard let info else { return nil }
    guard let picker = exchange?.picker, picker.pieceCount == info.pieceCount else {
      let here = have ?? Bitfield(pieceCount: info.pieceCount)
      return (String((0..<info.pieceCount).map { here[$0] ? "#" : "." }), Array(repeating: 0, count: info.pieceCount))
    }
    let states = (0..<info.pieceCount).map { piece -> Character in
      switch picker.state(of: piece) {
      case .missing: "."
      case .begun: "+"
      case .checking: "?"
      case .here: "#"
      case .unwanted: "-"
      }
    }
    return (String(states), (0..<info.pieceCount).map { picker.order.peers(with: $0) })
  }

  // MARK: Peers

  struct PeerSummary: Sendable {
    var address: SocketAddress
    var client: String?
    var isOutgoing: Bool
    var pieces: Int
    var isSeeder: Bool
    /// It gives us nothing; we give it nothing.
    var chokesUs: Bool
    var isChoked: Bool
    var wantsOurs: Bool
    var isWanted: Bool
    var isSnubbed: Bool
    var rates: (received: Int, sent: Int)
    var totals: (received: UInt64, sent: UInt64)
    var asked: Int
    var wishes: Int
    var optimistic: Bool
  }

  var peerSummaries: [PeerSummary] {
    guard let exchange else { return [] }
    let now = Instant.current
    return exchange.inOrder.map { peer in
      let rates = peer.rates(at: now)
      return PeerSummary(
        address: peer.address, client: peer.client, isOutgoing: peer.isOutgoing, pieces: peer.pieces.held,
        isSeeder: peer.isSeeder, chokesUs: peer.chokesUs, isChoked: peer.isChoked, wantsOurs: peer.wantsOurs,
        isWanted: peer.isWanted, isSnubbed: peer.isSnubbed, rates: (Int(rates.received), Int(rates.sent)),
        totals: (peer.received.total, peer.sent.total), asked: peer.asked.count, wishes: peer.wishes.count,
        optimistic: exchange.choker.optimistic == peer.number && !peer.isChoked)
    }
  }

  var webSeedSummaries: [WebSeed] { webSeeds.sorted { $0.key > $1.key }.map(\.value) }
}

extension Torrent.State {
  var name: String {
    switch self {
    case .fetchingInfo: "fetching_info"
    case .checking: "checking"
    case .downloading: "downloading"
    case .seeding: "seeding"
    case .paused: "paused"
    case .failed: "failed"
    }
  }
}

extension TorrentRecord {
  /// Changes with what an operator says of the torrent, and with nothing else.
  var tag: String {
    let out = unwanted.sorted().map(String.init).joined(separator: ".")
    return
      "\(isPaused ? 1 : 0)-\(uploadLimit ?? 0)-\(downloadLimit ?? 0)-\(out.isEmpty ? "all" : String(out.hashed, radix: 16))"
  }
}

extension String {
  /// FNV-1a: the same in each run, and of no weight.
  fileprivate var hashed: UInt64 { utf8.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 } }
}
