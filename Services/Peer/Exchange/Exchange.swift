import EventLoop
import Octets
import ServiceKit
import TorrentWire

/// All that a peer decides about one torrent: what it asks whom for, whom it gives what, and why. It does nothing of it: what comes
/// in is told to it, and what is to be done stands in `actions`.
final class Exchange {
  struct Settings: Sendable {
    /// Peers that are given something at a time.
    var uploadSlots = 4
    /// Gives nothing to anybody, to see what becomes of those who do.
    var isFreeRider = false
    /// Peers come from the tracker alone (BEP 27).
    var isPrivate = false
    /// Where connections are taken.
    var listenPort: UInt16 = 0
    var client = "utopia-peer"
    /// Who is of no use for so long makes room for others.
    var idleTime = PeerLimits().idleTime
  }

  let infoHash: InfoHash
  let peerID: PeerID
  var settings: Settings
  /// Nil until it has come from a peer (BEP 9).
  var info: TorrentInfo?
  var picker: PiecePicker
  let memory: PieceMemory
  var choker: Choker
  var peers: [PeerNumber: PeerState] = [:]
  /// The peers in the order in which they came, so that the same events make the same result.
  private(set) var inOrder: [PeerState] = []
  /// Web servers that have the torrent's files.
  var webSeeds: [PeerNumber: WebSeed] = [:]
  var banned: Set<IPAddress> = []
  /// Some of an address.
  var bannedAlone: [IPAddress: Set<PeerID>] = [:]
  /// The piece that an address spoilt of which nobody else had it, and how often.
  var spoilt: [IPAddress: (piece: Int, times: Int)] = [:]
  var metadata = MetadataAssembly()
  var actions: [ExchangeAction] = []
  var random: Chance
  private(set) var origins: [PeerNumber: Origin] = [:]
  /// Since when each piece that came out bad is asked of one peer alone, and since when the info dictionary of one size is.
  private var solesSince: [Int: Instant] = [:]
  var metadataSince: Instant?
  private(set) var lastNumber: PeerNumber
  private var round = 0
  private var nextRoundAt: Instant
  var hasToldEndgame = false
  /// Octets of pieces that came and went.
  var downloaded: UInt64 = 0
  var uploaded: UInt64 = 0
  /// Octets that were bad, or here already.
  var unused: UInt64 = 0
  /// Octets that had to be thrown away: those, and what was dropped before its piece was whole.
  var wasted: UInt64 { unused + picker.dropped }

  /// Requests of a peer that wait, at most: it is told so.
  static let wishLimit = 500
  /// A peer that gives nothing for so long is snubbed (BEP 3).
  static let snubTime = Duration.seconds(60)
  /// Nothing has to be said for so long before a connection is kept alive, and nothing may be heard before it is over (BEP 3).
  static let speakTime = Duration.seconds(90)
  static let silenceTime = Duration.seconds(180)

  /// - Parameters:
  ///   - memory: for pieces that are begun, of all torrents.
  ///   - lastNumber: the peers have greater ones.
  init(
    infoHash: InfoHash, info: TorrentInfo?, have: Bitfield? = nil, wanted: Bitfield? = nil, peerID: PeerID,
    settings: Settings, random: Chance, memory: PieceMemory = PieceMemory(limit: PeerLimits().pieceMemory),
    after lastNumber: PeerNumber = 0, at now: Instant
  ) {
    self.memory = memory
    self.lastNumber = lastNumber
    self.infoHash = infoHash
    self.peerID = peerID
    self.settings = settings
    self.random = random
    choker = Choker(slots: settings.isFreeRider ? 0 : settings.uploadSlots)
    nextRoundAt = now + .seconds(Choker.roundSeconds)
    picker = PiecePicker(pieceCount: 0, pieceLength: 1, length: 0)
    if let info { begin(info, have, wanted) }
  }

  private func begin(_ info: TorrentInfo, _ have: Bitfield?, _ wanted: Bitfield?) {
    self.info = info
    settings.isPrivate = info.isPrivate
    picker = PiecePicker(
      pieceCount: info.pieceCount, pieceLength: info.pieceLength, length: info.length, have: have, wanted: wanted,
      memory: memory)
  }

  var isComplete: Bool { info != nil && picker.isComplete }
  /// Octets that are missing of what is wanted; nil while that is not known.
  var left: UInt64? {
    guard info != nil else { return nil }
    var left: UInt64 = 0
    for piece in 0..<picker.pieceCount where picker.isMissing(piece) { left += UInt64(picker.length(of: piece)) }
    return left
  }

  func takeActions() -> [ExchangeAction] {
    var taken: [ExchangeAction] = []
    swap(&taken, &actions)
    return taken
  }

  func say(_ message: PeerMessage, to peer: PeerState, at now: Instant) {
    peer.lastSpokenAt = now
    actions.append(.send(peer.number, message))
  }

  // MARK: What is done once, however much came together

  /// Who is to be asked for more, or all of them, but for these; and whether a place is free for somebody.
  var asking: Set<PeerNumber> = []
  var asksAll = false
  var sparing: Set<PeerNumber> = []
  var fillsPlaces = false

  /// Does what the messages of a batch call for: thousands of them may lie in one read, and each would have all peers looked at.
  func settle(at now: Instant) {
    if fillsPlaces {
      fillsPlaces = false
      fillPlaces(at: now)
    }
    if asksAll {
      askEverybody(but: sparing, at: now)
    } else {
      for number in asking.sorted() where !sparing.contains(number) {
        if let peer = peers[number] { ask(peer, at: now) }
      }
    }
    (asking, asksAll, sparing) = ([], false, [])
  }

  func tell(_ event: ExchangeEvent) { actions.append(.tell(event)) }

  func close(_ peer: PeerState, _ end: PeerEnd, at now: Instant) {
    guard peers[peer.number] != nil else { return }
    actions.append(.close(peer.number, end))
    gone(peer, end, at: now)
  }

  // MARK: Coming and going

  /// A connection whose handshakes are done.
  /// - Returns: its name from now on; nil where it is not wanted.
  func join(
    _ address: SocketAddress, _ handshake: Handshake, isOutgoing: Bool, at now: Instant
  ) -> Result<PeerNumber, PeerRefusal> {
    if handshake.peerID == peerID { return .failure(.init(end: .ourselves)) }
    if isBanned(address, handshake.peerID) { return .failure(.init(end: .badData)) }
    if let other = peers.values.first(where: { $0.id == handshake.peerID && $0.address.ip == address.ip }) {
      // Both have called: both sides keep the call of the one with the greater id.
      let keepsNew = isOutgoing != other.isOutgoing && isOutgoing == (handshake.peerID < peerID)
      guard keepsNew else { return .failure(.init(end: .twice)) }
      close(other, .twice, at: now)
    }
    lastNumber += 1
    let number = lastNumber
    let peer = PeerState(
      number, address, handshake, isOutgoing: isOutgoing, pieceCount: picker.pieceCount, at: now)
    peers[number] = peer
    inOrder.append(peer)
    choker.add(number, using: &random)
    remember(number, Origin(address: address, id: handshake.peerID))
    tell(.connected(address, isOutgoing: isOutgoing))
    greet(peer, at: now)
    return .success(number)
  }

  struct PeerRefusal: Error { var end: PeerEnd }

  /// The first messages: what is here (BEP 3, 6), and which extensions (BEP 10).
  private func greet(_ peer: PeerState, at now: Instant) {
    if info != nil {
      if peer.knowsFast, picker.have.isFull {
        say(.haveAll, to: peer, at: now)
      } else if peer.knowsFast, picker.have.isEmpty {
        say(.haveNone, to: peer, at: now)
      } else if !picker.have.isEmpty {
        say(.bitfield(picker.have.octets), to: peer, at: now)
      }
    } else if peer.knowsFast {
      say(.haveNone, to: peer, at: now)
    }
    if peer.knowsExtensions {
      say(.extended(id: 0, payload: extensionHandshake(for: peer).encoded), to: peer, at: now)
    }
    if peer.knowsFast, info != nil { allowSome(peer, at: now) }
  }

  /// Pieces that it gets at once, so that it has something to give (BEP 6).
  private func allowSome(_ peer: PeerState, at now: Instant) {
    guard !settings.isFreeRider else { return }
    let pieces = AllowedFast.pieces(
      Self.allowedPieces, of: picker.pieceCount, for: peer.address.ip, in: infoHash,
      hash: { (try? Secrets.sha1($0)) ?? [] })
    for piece in pieces where picker.have[piece] {
      peer.allowed.insert(piece)
      say(.allowedFast(piece: piece), to: peer, at: now)
    }
  }

  /// How many, and the pieces with which a peer needs no gift any more.
  static let allowedPieces = 10
  /// How often it may ask for all of its gifts.
  static let giftFactor = 2

  /// The connection is over.
  func gone(_ peer: PeerState, _ end: PeerEnd, at now: Instant) {
    guard peers.removeValue(forKey: peer.number) != nil else { return }
    inOrder.removeAll { $0 === peer }
    releaseAll(of: peer)
    picker.remove(peer.pieces)
    noMetadata(of: peer)
    choker.remove(peer.number)
    tell(.disconnected(peer.address, end))
    if !peer.isChoked { fillPlaces(at: now) }
    askEverybody(at: now)
  }

  private func remember(_ number: PeerNumber, _ origin: Origin) {
    origins[number] = origin
    origins[number - Self.originLimit] = nil
  }

  private static let originLimit = 2000

  func releaseAll(of peer: PeerState) {
    for block in peer.askedInOrder { picker.release(block, from: peer.number) }
    picker.forgetSole(peer.number)
  }

  // MARK: Time

  /// Once a second.
  func tick(at now: Instant) {
    for peer in inOrder {
      if now.since(peer.lastHeardAt) > Self.silenceTime {
        close(peer, .silent, at: now)
        continue
      }
      if now.since(peer.lastSpokenAt) > Self.speakTime { say(.keepAlive, to: peer, at: now) }
      giveUpOnSlow(peer, at: now)
      if peer.nextExchangeAt <= now { exchangePeers(with: peer, at: now) }
      peer.pipeline.second()
      giveUpOnMetadata(of: peer, at: now)
      if info == nil { askForMetadata(of: peer, at: now) }
    }
    if nextRoundAt <= now {
      nextRoundAt = now + .seconds(Choker.roundSeconds)
      round += 1
      for peer in inOrder { peer.flips = 0 }
      let isNewTurn = round % Choker.optimisticRounds == 0
      if isNewTurn { picker.forgive() }
      rechoke(isNewTurn: isNewTurn, at: now)
    }
    giveUpOnSoles(at: now)
    giveUpOnDripping(at: now)
    if info == nil { giveUpOnSize(at: now) }
    askEverybody(at: now)
    helpWithSlow(at: now)
  }

  /// Who is asked alone for a piece has a bounded time for all of it: one block a minute would be no silence.
  private func giveUpOnSoles(at now: Instant) {
    let soles = picker.solePieces
    solesSince = solesSince.filter { soles.contains($0.key) }
    for piece in soles {
      let since = solesSince[piece] ?? now
      solesSince[piece] = since
      guard now.since(since) > Self.soleTime + .seconds(picker.length(of: piece) / Self.soleRate) else { continue }
      solesSince[piece] = nil
      picker.forgetSole(of: piece)
    }
  }

  private static let soleTime = Duration.seconds(20)
  /// Octets a second.
  private static let soleRate = 65_536

  /// What a snubbing peer was asked for, others may give.
  private func giveUpOnSlow(_ peer: PeerState, at now: Instant) {
    guard let oldest = peer.asked.values.min() else { return }
    guard now.since(max(oldest, peer.lastBlockAt)) > Self.snubTime else { return }
    peer.isSnubbed = true
    releaseAll(of: peer)
    for block in peer.askedInOrder { say(.cancel(block), to: peer, at: now) }
    peer.forgetAll()
  }

  // MARK: Choking

  func rechoke(isNewTurn: Bool, at now: Instant) {
    let isSeeding = isComplete
    let candidates = candidates(isSeeding, at: now)
    follow(choker.decide(candidates, isSeeding: isSeeding, isNewTurn: isNewTurn), at: now)
  }

  /// A place that is free waits for no round.
  func fillPlaces(at now: Instant) {
    let isSeeding = isComplete
    follow(choker.fill(candidates(isSeeding, at: now), isSeeding: isSeeding), at: now)
  }

  private func candidates(_ isSeeding: Bool, at now: Instant) -> [Choker.Candidate] {
    inOrder.map { peer in
      let rates = peer.rates(at: now)
      return Choker.Candidate(
        number: peer.number, isInterested: peer.wantsOurs, isChoked: peer.isChoked,
        isSnubbed: peer.isSnubbed && !isSeeding, rate: isSeeding ? rates.sent : rates.received,
        given: now.since(peer.lastBlockAt) < Self.thanksTime ? peer.received.total : 0)
    }
  }

  /// For so long what a peer gave is remembered to it.
  private static let thanksTime = Duration.seconds(300)

  private func follow(_ decisions: [Choker.Decision], at now: Instant) {
    for decision in decisions {
      guard let peer = peers[decision.peer] else { continue }
      decision.unchokes ? unchoke(peer, decision.reason, at: now) : choke(peer, decision.reason, at: now)
    }
  }

  private func unchoke(_ peer: PeerState, _ reason: Choker.Reason, at now: Instant) {
    peer.isChoked = false
    say(.unchoke, to: peer, at: now)
    tell(.unchoked(peer.address, reason))
  }

  private func choke(_ peer: PeerState, _ reason: Choker.Reason, at now: Instant) {
    peer.isChoked = true
    say(.choke, to: peer, at: now)
    tell(.choked(peer.address, reason))
    // Without the Fast extension a choke itself says that nothing comes; with it, each is told (BEP 6).
    let wishes = peer.wishes
    peer.wishes = wishes.filter { peer.allowed.contains($0.piece) }
    guard peer.knowsFast else { return }
    for block in wishes where !peer.allowed.contains(block.piece) { say(.reject(block), to: peer, at: now) }
  }
}
