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
    /// What it waits for, where nobody is there to ask.
    var waiting: String?
  }

  var summary: Summary {
    count()
    let here = here
    return Summary(
      record: record, state: state, info: info, piecesHere: info == nil ? nil : here?.held, progress: progress,
      left: left, wasted: exchange?.wasted ?? 0, rates: isRunning ? rates : (0, 0), peers: links.count,
      seeders: exchange?.peers.values.count { $0.isSeeder } ?? 0, knownPeers: book.count,
      isFreeRider: around.isFreeRider, waiting: waiting)
  }

  private var waiting: String? {
    switch state {
    case .fetchingInfo: break
    case .downloading where exchange?.webSeeds.isEmpty ?? true: break
    default: return nil
    }
    guard links.isEmpty, calls.isEmpty, book.count == 0, trackers.isEmpty else { return nil }
    return "no tracker, no peer known: give it one of either, or wait until a peer calls"
  }

  /// The pieces that are here; nil where nobody has looked yet, as when a magnet link's info dictionary has just come.
  var here: Bitfield? {
    guard let info else { return nil }
    return [exchange?.picker.have, have].compactMap { $0 }.first { $0.pieceCount == info.pieceCount }
  }

  private var left: UInt64? {
    guard let info else { return nil }
    // Nobody looks at each piece where all are wanted.
    if record.unwanted.isEmpty, let missing { return missing }
    if let left = exchange?.left { return left }
    guard let have = here else { return nil }
    let wanted = wantedPieces(of: info)
    return (0..<info.pieceCount).reduce(0) { $0 + (wanted[$1] && !have[$1] ? UInt64(info.length(of: $1)) : 0) }
  }

  private var progress: Double {
    guard let info else { return 0 }
    if case .checking(let done) = state { return Double(done) / Double(info.length) }
    guard !record.unwanted.isEmpty else { return left.map { 1 - Double($0) / Double(info.length) } ?? 0 }
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
    guard !isRemoved else { throw Torrents.Failure.noSuchTorrent }
    try demand(record)
    let before = record
    if let upload { record.uploadLimit = upload == 0 ? nil : upload }
    if let download { record.downloadLimit = download == 0 ? nil : download }
    if let paused { record.isPaused = paused }
    bound()
    do {
      try await around.store.update(record)
    } catch {
      // What is not written down does not hold.
      if upload != nil { record.uploadLimit = before.uploadLimit }
      if download != nil { record.downloadLimit = before.downloadLimit }
      if paused != nil { record.isPaused = before.isPaused }
      bound()
      throw error
    }
    guard !isRemoved else { throw Torrents.Failure.noSuchTorrent }
    // Somebody may have said otherwise meanwhile: the last one holds.
    if paused == true, record.isPaused { await stop() }
    if paused != nil, !record.isPaused { start() }
    return summary
  }

  private func bound() {
    upload.rate = record.uploadLimit
    download.rate = record.downloadLimit
  }

  /// Whether a file is wanted from now on.
  /// - Parameter demand: throws where the file's tag is not what the caller believes.
  func want(_ file: Int, _ isWanted: Bool, demand: @Sendable (String) throws -> Void) async throws {
    guard !isRemoved else { throw Torrents.Failure.noSuchTorrent }
    let wasWanted = !record.unwanted.contains(file)
    try demand(record.tag(ofFile: file))
    record.want(file, isWanted)
    jobs.begin()
    defer { jobs.end() }
    do {
      // Where nobody has begun yet, or all begins anew, the start makes it.
      if isWanted, let files, record.isBegun, warning == nil {
        try await onThread(of: around.checks) { try files.prepare(file) }
        guard !isRemoved else { throw Torrents.Failure.noSuchTorrent }
      }
      try await around.store.update(record)
    } catch {
      // What is not written down does not hold.
      record.want(file, wasWanted)
      throw error
    }
    guard let info else { return }
    if let exchange, exchange.info != nil {
      exchange.want(wantedPieces(of: info), at: .current)
      if state == .seeding, !exchange.isComplete { state = .downloading }
      if state == .downloading, exchange.isComplete { state = .seeding }
    }
    act()
  }

  func add(peer: SocketAddress) {
    learn([peer], from: .person)
  }

  // MARK: Files and pieces

  struct FileState: Sendable {
    var number: Int
    var file: TorrentInfo.File
    var isWanted: Bool
    /// Octets of the file that lie in pieces that are here.
    var here: Int64
    /// Changes with what an operator says of the file.
    var tag: String
  }

  /// Of the files with these numbers, as far as there are any; nil while only the magnet link is known.
  func fileStates(_ range: Range<Int>) -> [FileState]? {
    guard let info else { return nil }
    let here = here ?? Bitfield(pieceCount: info.pieceCount)
    return range.clamped(to: info.files.indices).map { number in
      let file = info.files[number]
      var octets: Int64 = 0
      if file.length > 0 {
        let length = Int64(info.pieceLength)
        for piece in Int(file.offset / length)...Int((file.offset + file.length - 1) / length) where here[piece] {
          let start = max(file.offset, Int64(piece) * length)
          octets += min(file.offset + file.length, Int64(piece + 1) * length) - start
        }
      }
      return FileState(
        number: number, file: file, isWanted: !record.unwanted.contains(number), here: octets,
        tag: record.tag(ofFile: number))
    }
  }

  struct PieceMap: Sendable {
    var pieceCount: Int
    /// The pieces that it shows.
    var range: Range<Int>
    /// A letter for each.
    var states: String
    /// How many peers have it.
    var availability: [Int]
  }

  /// Of these pieces, as far as there are any; nil while only the magnet link is known.
  func pieceMap(_ range: Range<Int>) -> PieceMap? {
    guard let info else { return nil }
    let range = range.clamped(to: 0..<info.pieceCount)
    guard let picker = exchange?.picker, picker.pieceCount == info.pieceCount else {
      let here = here ?? Bitfield(pieceCount: info.pieceCount)
      let wanted = wantedPieces(of: info)
      return PieceMap(
        pieceCount: info.pieceCount, range: range,
        states: String(range.map { here[$0] ? "#" : wanted[$0] ? "." : "-" }),
        availability: Array(repeating: 0, count: range.count))
    }
    let states = range.map { piece -> Character in
      switch picker.state(of: piece) {
      case .missing: "."
      case .begun: "+"
      case .checking: "?"
      case .here: "#"
      case .unwanted: "-"
      }
    }
    return PieceMap(
      pieceCount: info.pieceCount, range: range, states: String(states),
      availability: range.map { picker.order.peers(with: $0) })
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
