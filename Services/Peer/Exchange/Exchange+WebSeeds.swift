import EventLoop
import TorrentWire

/// Web servers that have all of the torrent (BEP 19): each is asked for one whole piece after the other.
extension Exchange {
  @discardableResult
  func joinWebSeed(_ url: String, at now: Instant) -> PeerNumber {
    // Below all connections'.
    let number = -1 - webSeeds.count
    webSeeds[number] = WebSeed(url: url, at: now)
    askWebSeed(number, at: now)
    return number
  }

  func askWebSeeds(at now: Instant) {
    for seed in webSeeds.keys.sorted(by: >) { askWebSeed(seed, at: now) }
  }

  private func askWebSeed(_ seed: PeerNumber, at now: Instant) {
    switch webSeeds[seed]?.state {
    case .waiting: break
    case .resting(let end) where end <= now: break
    default: return
    }
    webSeeds[seed]?.state = .waiting
    guard info != nil, let pick = picker.pickWhole(for: seed, using: &random) else { return }
    webSeeds[seed]?.begins(pick.piece, at: now)
    actions.append(.fetch(seed, piece: pick.piece))
    tell(.fetching(piece: pick.piece, webSeeds[seed]?.url ?? "", pick.reason))
  }

  /// Octets of a piece came.
  func webSeed(_ seed: PeerNumber, gave octets: Int, at now: Instant) { webSeeds[seed]?.gave(octets, at: now) }

  /// It is its turn to give more.
  func webSeedIsAwaited(_ seed: PeerNumber, at now: Instant) { webSeeds[seed]?.isAwaited(at: now) }

  /// A piece that was to be fetched came whole.
  func fetched(_ piece: Int, _ content: [UInt8], from seed: PeerNumber, at now: Instant) {
    guard content.count == picker.length(of: piece) else {
      return fetchFailed(piece, "the piece has another length", from: seed, at: now)
    }
    var download = PieceDownload(piece: piece, length: content.count)
    for block in download.ask(.max, of: seed) {
      let octets = Array(content[block.offset..<block.offset + block.length])
      downloaded += UInt64(octets.count)
      switch picker.receive(block, octets, from: seed) {
      case .unwanted: unused += UInt64(octets.count)
      case .kept(let others): cancel(block, others, at: now)
      case .complete(let others):
        cancel(block, others, at: now)
        actions.append(.store(piece: piece, picker.blocks(of: piece)))
      }
    }
    webSeeds[seed]?.gaveAll()
    askWebSeed(seed, at: now)
  }

  /// Nothing came of it: others are asked, and the server rests.
  func fetchFailed(_ piece: Int, _ reason: String, from seed: PeerNumber, at now: Instant) {
    release(piece, from: seed)
    webSeeds[seed]?.failed(reason, at: now)
    if let url = webSeeds[seed]?.url { tell(.webSeedFailed(url, reason)) }
    askEverybody(at: now)
  }

  /// A piece that it was asked for may come from others.
  func release(_ piece: Int, from seed: PeerNumber) {
    var download = PieceDownload(piece: piece, length: picker.length(of: piece))
    for block in download.ask(.max, of: seed) { picker.release(block, from: seed) }
    picker.forgetSole(seed)
  }

  /// Who gives next to nothing keeps its piece from nobody.
  func giveUpOnDripping(at now: Instant) {
    for seed in webSeeds.keys.sorted(by: >) {
      guard case .fetching(let piece) = webSeeds[seed]?.state, webSeeds[seed]?.drips(at: now) == true else { continue }
      actions.append(.abandon(seed))
      fetchFailed(piece, "it gave too little in a minute", from: seed, at: now)
    }
  }
}
