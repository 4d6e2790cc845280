import EventLoop
import TorrentWire

/// What peers say (BEP 3, 6, 10).
extension Exchange {
  /// All that came together from a peer.
  func received(_ messages: [PeerMessage], from number: PeerNumber, at now: Instant) {
    for message in messages {
      guard let peer = peers[number] else { break }
      hear(message, peer, at: now)
    }
    settle(at: now)
  }

  func received(_ message: PeerMessage, from number: PeerNumber, at now: Instant) {
    received([message], from: number, at: now)
  }

  private func hear(_ message: PeerMessage, _ peer: PeerState, at now: Instant) {
    peer.lastHeardAt = now
    switch message {
    case .keepAlive, .port, .suggest, .unknown: break
    case .choke: chokedUs(peer, at: now)
    case .unchoke: unchokedUs(peer, at: now)
    case .interested: interest(peer, true, at: now)
    case .notInterested: interest(peer, false, at: now)
    case .have(let piece): has(piece, peer, at: now)
    case .bitfield(let bits):
      // It belongs at the beginning (BEP 3), but aria2 says anew what it has now and then.
      guard info != nil else {
        peer.claims.bitfield(bits)
        return
      }
      guard let pieces = Bitfield(bits, pieceCount: picker.pieceCount) else {
        return close(peer, .outOfTurn("bitfield"), at: now)
      }
      hasPieces(pieces, peer, at: now)
    case .haveAll:
      guard peer.knowsFast else { return close(peer, .outOfTurn("have all"), at: now) }
      guard info != nil else {
        peer.claims.everything()
        return
      }
      guard !peer.pieces.isFull else { return }
      hasPieces(Bitfield(pieceCount: picker.pieceCount, isFull: true), peer, at: now)
    case .haveNone:
      guard peer.knowsFast else { return close(peer, .outOfTurn("have none"), at: now) }
    case .request(let block): wishes(for: block, peer, at: now)
    case .cancel(let block): takesBack(block, peer, at: now)
    case .piece(let piece, let offset, let content):
      gives(Block(piece: piece, offset: offset, length: content.count), content, peer, at: now)
    case .reject(let block):
      guard peer.knowsFast else { return close(peer, .outOfTurn("reject"), at: now) }
      guard peer.asked[block] != nil else { return }
      peer.forget(block)
      peer.allowsUs.remove(block.piece)
      // What one gives back, another may give; the same one would be asked in vain until some time has gone.
      if picker.release(block, from: peer.number) {
        asksAll = true
        sparing.insert(peer.number)
      } else if !picker.lacks(block) {
        asking.insert(peer.number)
      }
    case .allowedFast(let piece):
      guard peer.knowsFast else { return close(peer, .outOfTurn("allowed fast"), at: now) }
      guard peer.allowsUs.count < Self.allowedLimit, peer.allowsUs.insert(piece).inserted else { return }
      asking.insert(peer.number)
    case .extended(let id, let payload): extended(id, payload, peer, at: now)
    }
  }

  /// Pieces that a peer may allow, at most.
  private static let allowedLimit = 100

  // MARK: What it does with us

  private func chokedUs(_ peer: PeerState, at now: Instant) {
    guard !peer.chokesUs, flips(peer, at: now) else { return }
    peer.chokesUs = true
    tell(.chokedUs(peer.address))
    // With the Fast extension each request is answered all the same (BEP 6).
    if peer.knowsFast { return picker.forgetSole(peer.number) }
    releaseAll(of: peer)
    peer.forgetAll()
    asksAll = true
  }

  /// Whether a peer may change its mind once more: who does so hundreds of times between two rounds wants to keep us busy.
  private func flips(_ peer: PeerState, at now: Instant) -> Bool {
    peer.flips += 1
    if peer.flips > Self.flipLimit { close(peer, .outOfTurn("the same thing again and again"), at: now) }
    return peer.flips <= Self.flipLimit
  }

  private static let flipLimit = 500

  private func unchokedUs(_ peer: PeerState, at now: Instant) {
    guard peer.chokesUs else { return }
    peer.chokesUs = false
    peer.pipeline.restart()
    // It has a minute from now.
    peer.lastBlockAt = now
    tell(.unchokedUs(peer.address))
    asking.insert(peer.number)
  }

  private func interest(_ peer: PeerState, _ isInterested: Bool, at now: Instant) {
    guard peer.wantsOurs != isInterested, flips(peer, at: now) else { return }
    peer.wantsOurs = isInterested
    peer.lastOfUseAt = now
    tell(isInterested ? .wantsOurs(peer.address) : .wantsNothing(peer.address))
    fillsPlaces = true
  }

  // MARK: What it has

  private func has(_ piece: Int, _ peer: PeerState, at now: Instant) {
    guard info != nil else {
      peer.claims.have(piece)
      return
    }
    guard piece < picker.pieceCount, !peer.pieces[piece] else { return }
    picker.add(piece, to: &peer.pieces)
    if picker.isMissing(piece) { peer.useful += 1 }
    peer.hasNothingSince = nil
    weigh(peer, at: now)
    asking.insert(peer.number)
  }

  func hasPieces(_ pieces: Bitfield, _ peer: PeerState, at now: Instant) {
    picker.remove(peer.pieces)
    picker.add(pieces)
    peer.pieces = pieces
    peer.useful = useful(pieces)
    peer.hasNothingSince = nil
    weigh(peer, at: now)
    asking.insert(peer.number)
  }

  func useful(_ pieces: Bitfield) -> Int { pieces.count(lackedBy: picker.have, among: picker.wanted) }

  /// Tells the peer whether it has something for us; where nobody has anything for the other, the connection serves nobody.
  func weigh(_ peer: PeerState, at now: Instant) {
    let isWanted = peer.useful > 0
    if isWanted != peer.isWanted {
      peer.isWanted = isWanted
      peer.lastOfUseAt = now
      say(isWanted ? .interested : .notInterested, to: peer, at: now)
    }
    if peer.isSeeder, isComplete { close(peer, .bothSeed, at: now) }
  }

  // MARK: What it wants

  private func wishes(for block: Block, _ peer: PeerState, at now: Instant) {
    guard info != nil, block.piece < picker.pieceCount, block.length > 0, block.offset >= 0,
      block.offset + block.length <= picker.length(of: block.piece)
    else { return close(peer, .outOfTurn("a request outside of its piece"), at: now) }
    let isGift =
      peer.allowed.contains(block.piece) && peer.pieces.held < Self.allowedPieces
      && peer.gifts < UInt64(Self.giftFactor * peer.allowed.count * picker.pieceLength)
    let mayHave = !peer.isChoked || isGift
    guard mayHave, picker.have[block.piece], peer.wishes.count < Self.wishLimit else {
      if peer.knowsFast { say(.reject(block), to: peer, at: now) }
      return
    }
    guard !peer.wishes.contains(block) else { return }
    peer.wishes.append(block)
    if peer.isChoked { peer.gifts += UInt64(block.length) }
    actions.append(.serve(peer.number))
  }

  private func takesBack(_ block: Block, _ peer: PeerState, at now: Instant) {
    guard let place = peer.wishes.firstIndex(of: block) else { return }
    peer.wishes.remove(at: place)
    if peer.knowsFast { say(.reject(block), to: peer, at: now) }
  }

  /// The next block that a peer is sent. It is counted as sent.
  func nextUpload(for number: PeerNumber, at now: Instant) -> Block? {
    guard let peer = peers[number], let block = peer.wishes.first else { return nil }
    peer.wishes.removeFirst()
    peer.sent.add(block.length, at: now)
    (peer.lastSpokenAt, peer.lastOfUseAt) = (now, now)
    uploaded += UInt64(block.length)
    return block
  }

  func hasWishes(_ number: PeerNumber) -> Bool { peers[number]?.wishes.isEmpty == false }
}
