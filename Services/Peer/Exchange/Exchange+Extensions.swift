import EventLoop
import Octets
import TorrentWire

/// The extension protocol (BEP 10): the info dictionary for who has a magnet link alone (BEP 9), and other peers (BEP 11).
extension Exchange {
  /// What others are to call our extensions.
  private static let metadataID: UInt8 = 1
  private static let exchangeID: UInt8 = 2
  /// Peers are exchanged once a minute (BEP 11).
  private static let exchangeTime = Duration.seconds(60)

  func extensionHandshake(for peer: PeerState) -> ExtensionHandshake {
    var handshake = ExtensionHandshake()
    handshake.metadataID = Self.metadataID
    if !settings.isPrivate { handshake.exchangeID = Self.exchangeID }
    handshake.metadataSize = info?.octets.count
    handshake.client = settings.client
    if !peer.isOutgoing || settings.listenPort != 0 { handshake.port = settings.listenPort }
    handshake.requestLimit = Self.wishLimit
    handshake.yourAddress = peer.address.ip
    return handshake
  }

  func extended(_ id: UInt8, _ payload: [UInt8], _ peer: PeerState, at now: Instant) {
    guard peer.knowsExtensions else { return close(peer, .outOfTurn("an extension"), at: now) }
    switch id {
    case 0: extensions(ExtensionHandshake(payload), peer, at: now)
    case Self.metadataID: if let message = MetadataMessage(payload) { metadata(message, peer, at: now) }
    case Self.exchangeID: if let exchange = PeerExchange(payload) { met(exchange, peer, at: now) }
    default: break
    }
  }

  private func extensions(_ handshake: ExtensionHandshake?, _ peer: PeerState, at now: Instant) {
    guard let handshake else { return }
    // It may come again, with what has changed.
    let (id, size) = (peer.metadataID, peer.metadataSize)
    if let id = handshake.metadataID { peer.metadataID = id == 0 ? nil : id }
    if let id = handshake.exchangeID { peer.exchangeID = id == 0 ? nil : id }
    if let size = handshake.metadataSize { peer.metadataSize = size }
    if let client = handshake.client { peer.client = client }
    if let port = handshake.port { peer.listenPort = port }
    if let limit = handshake.requestLimit { peer.requestLimit = limit }
    guard info == nil else { return }
    if (peer.metadataID, peer.metadataSize) != (id, size) {
      metadata.release(peer.metadataAsked)
      peer.metadataAsked = []
      metadata.forgetSole(peer.number)
    }
    askForMetadata(of: peer, at: now)
  }

  // MARK: The info dictionary

  private static let metadataPipeline = 4
  /// How often a peer may ask for all of it.
  private static let metadataFactor = 4

  func askForMetadata(of peer: PeerState, at now: Instant) {
    guard info == nil, let id = peer.metadataID, let size = peer.metadataSize, metadata.mayHave(size),
      metadata.asks(peer.number)
    else { return }
    // A size that nobody claims any more keeps nobody from another.
    if let believed = metadata.size, believed != size, !metadata.isChecking,
      !peers.values.contains(where: { $0.metadataSize == believed })
    {
      forgetMetadata()
    }
    if metadata.size == nil { metadataSince = now }
    metadata.learn(size)
    guard metadata.size == size else { return }
    if peer.metadataAsked.isEmpty { peer.metadataAskedAt = now }
    while peer.metadataAsked.count < Self.metadataPipeline,
      let part = metadata.next(notIn: peer.metadataAsked)
    {
      peer.metadataAsked.insert(part)
      say(.extended(id: id, payload: MetadataMessage.request(piece: part).encoded), to: peer, at: now)
    }
  }

  /// It has none to give, or is gone.
  func noMetadata(of peer: PeerState) {
    metadata.release(peer.metadataAsked)
    peer.metadataAsked = []
    peer.metadataSize = nil
    metadata.forgetSole(peer.number)
  }

  /// What a silent peer was asked for, others may give.
  func giveUpOnMetadata(of peer: PeerState, at now: Instant) {
    guard !peer.metadataAsked.isEmpty, now.since(peer.metadataAskedAt) > Self.snubTime else { return }
    noMetadata(of: peer)
  }

  /// A size is believed for a bounded time, where others claim others: one part a minute would be no silence.
  func giveUpOnSize(at now: Instant) {
    guard let since = metadataSince, now.since(since) > metadata.patience else { return }
    guard metadata.turn(among: Set(peers.values.compactMap(\.metadataSize))) else { return }
    for peer in inOrder { peer.metadataAsked = [] }
    for peer in inOrder { askForMetadata(of: peer, at: now) }
  }

  private func forgetMetadata() {
    metadata.forget()
    for peer in peers.values { peer.metadataAsked = [] }
  }

  private func metadata(_ message: MetadataMessage, _ peer: PeerState, at now: Instant) {
    switch message {
    case .request(let part):
      guard let id = peer.metadataID else { return }
      let answer: MetadataMessage
      let start = part * MetadataMessage.pieceSize
      if let octets = info?.octets, start < octets.count,
        peer.metadataGiven * MetadataMessage.pieceSize < Self.metadataFactor * octets.count
      {
        peer.metadataGiven += 1
        peer.lastOfUseAt = now
        let content = octets.dropFirst(start).prefix(MetadataMessage.pieceSize)
        answer = .data(piece: part, totalSize: octets.count, content: Array(content))
      } else {
        answer = .reject(piece: part)
      }
      say(.extended(id: id, payload: answer.encoded), to: peer, at: now)
    case .data(let part, let size, let content):
      guard peer.metadataAsked.remove(part) != nil else { return }
      metadata.release([part])
      guard metadata.fits(part, content, totalSize: size) else { return noMetadata(of: peer) }
      (peer.metadataAskedAt, peer.lastOfUseAt) = (now, now)
      if let whole = metadata.receive(part, content, totalSize: size, from: peer.number) {
        actions.append(.checkMetadata(whole))
      }
      askForMetadata(of: peer, at: now)
    case .reject(let part):
      guard peer.metadataAsked.contains(part) else { return }
      noMetadata(of: peer)
    }
  }

  /// What the peers gave is not what the magnet link names.
  func metadataIsBad(at now: Instant) {
    let liar = metadata.refuse()
    for peer in peers.values { peer.metadataAsked = [] }
    if let liar, let origin = origins[liar] { ban(origin, at: now) }
    for peer in inOrder { askForMetadata(of: peer, at: now) }
  }

  /// The info dictionary is here, and the files are looked at: the exchange begins.
  func install(_ info: TorrentInfo, have: Bitfield, wanted: Bitfield?, at now: Instant) {
    self.info = info
    settings.isPrivate = info.isPrivate
    picker = PiecePicker(
      pieceCount: info.pieceCount, pieceLength: info.pieceLength, length: info.length, have: have, wanted: wanted,
      memory: memory)
    metadata.forget()
    for peer in inOrder {
      peer.metadataAsked = []
      peer.pieces = Bitfield(pieceCount: info.pieceCount)
      guard let pieces = peer.claims.pieces(of: info.pieceCount) else {
        close(peer, .outOfTurn("pieces that there are not"), at: now)
        continue
      }
      if peer.knowsExtensions {
        say(.extended(id: 0, payload: extensionHandshake(for: peer).encoded), to: peer, at: now)
      }
      for piece in 0..<info.pieceCount where have[piece] { say(.have(piece: piece), to: peer, at: now) }
      hasPieces(pieces, peer, at: now)
    }
    tell(.infoComplete)
  }

  // MARK: Other peers

  /// Tells the peer whom we have met and lost since the last time (BEP 11).
  func exchangePeers(with peer: PeerState, at now: Instant) {
    peer.nextExchangeAt = now + Self.exchangeTime
    guard !settings.isPrivate, let id = peer.exchangeID else {
      peer.nextExchangeAt = now + .seconds(5)
      return
    }
    var there: [SocketAddress: PeerExchange.Flags] = [:]
    for other in peers.values where other.number != peer.number {
      guard let address = other.reachableAt, address != peer.reachableAt else { continue }
      var flags: PeerExchange.Flags = other.isOutgoing ? .isReachable : []
      if other.isSeeder { flags.insert(.isSeeder) }
      there[address] = flags
    }
    var message = PeerExchange()
    for address in there.keys.sorted(by: { "\($0)" < "\($1)" }) where !peer.toldOf.contains(address) {
      guard message.added.count < PeerExchange.limit else { break }
      message.added.append(PeerExchange.Added(address: address, flags: there[address] ?? []))
    }
    let gone = peer.toldOf.filter { there[$0] == nil }.sorted { "\($0)" < "\($1)" }
    message.dropped = Array(gone.prefix(PeerExchange.limit))
    guard !message.added.isEmpty || !message.dropped.isEmpty else { return }
    peer.toldOf.formUnion(message.added.map(\.address))
    peer.toldOf.subtract(message.dropped)
    say(.extended(id: id, payload: message.encoded), to: peer, at: now)
  }

  private func met(_ exchange: PeerExchange, _ peer: PeerState, at now: Instant) {
    guard !settings.isPrivate else { return }
    // More often than it may is too often to be believed.
    if let last = peer.lastExchangeFromAt, now.since(last) < Self.exchangeTime / 2 { return }
    peer.lastExchangeFromAt = now
    let addresses = exchange.added.map(\.address).filter { !banned.contains($0.ip) }
    if !addresses.isEmpty { actions.append(.met(addresses)) }
  }
}
