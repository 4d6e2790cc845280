import EventLoop
import Octets
import TorrentWire

/// Asking for blocks, and what becomes of them.
extension Exchange {
  func askEverybody(but spared: Set<PeerNumber> = [], at now: Instant) {
    guard info != nil, !picker.isComplete else { return }
    for peer in inOrder where !spared.contains(peer.number) { ask(peer, at: now) }
    askWebSeeds(at: now)
  }

  /// Keeps the peer busy: as many requests are on their way as its link holds.
  func ask(_ peer: PeerState, at now: Instant) {
    guard peer.useful > 0, info != nil else { return }
    guard !peer.chokesUs || !peer.allowsUs.isEmpty else { return }
    // One block at a time finds out whether a peer that snubbed us does so still.
    let depth = peer.isSnubbed ? 1 : peer.pipeline.depth(limit: peer.requestLimit)
    let room = depth - peer.asked.count
    // Few calls with many blocks, not many with one.
    guard room > 0, room >= depth / 4 || peer.asked.isEmpty else { return }
    var picks: [PiecePicker.Pick] = []
    // Nothing has become free since it was last found that there is nothing.
    if peer.chokesUs || peer.hasNothingSince != picker.changes {
      if peer.chokesUs { peer.allowsUs = peer.allowsUs.filter { picker.isMissing($0) } }
      picks = picker.pick(
        room, for: peer.number, having: peer.pieces, allowed: peer.chokesUs ? peer.allowsUs : nil, using: &random)
      if !peer.chokesUs { peer.hasNothingSince = picks.isEmpty ? picker.changes : nil }
    }
    // Who has nothing to do helps with what others are slow to give.
    if picks.isEmpty, peer.asked.isEmpty, !peer.chokesUs, picker.isEndgame {
      picks = picker.pickAgain(for: peer.number, having: peer.pieces, using: &random).map { [$0] } ?? []
    }
    request(picks, of: peer, at: now)
    if picks.last?.reason == .endgame, !hasToldEndgame {
      hasToldEndgame = true
      tell(.endgame(missing: picker.wanted.held - picker.have.held))
    }
  }

  private func request(_ picks: [PiecePicker.Pick], of peer: PeerState, at now: Instant) {
    for pick in picks {
      peer.asked[pick.block] = now
      say(.request(pick.block), to: peer, at: now)
      guard peer.isNews(pick) else { continue }
      peer.lastTold = (pick.block.piece, pick.reason.name)
      tell(.begun(piece: pick.block.piece, peer.address, pick.reason))
    }
  }

  /// What only those have who choke keeps nobody from helping. But as long as it is not the endgame, that is with what is slow to come
  /// alone: to ask for all of it twice would bring most of it twice.
  func helpWithSlow(at now: Instant) {
    guard info != nil, !picker.isEndgame, !picker.downloads.isEmpty else { return }
    let givers = inOrder.filter { !$0.chokesUs && !$0.isSnubbed && $0.useful > 0 }
    guard givers.contains(where: { $0.asked.isEmpty }),
      !givers.contains(where: { picker.hasFree(for: $0.number, having: $0.pieces, useful: $0.useful) })
    else { return }
    let slow = Set(inOrder.flatMap { peer in peer.asked.filter { now.since($0.value) > Self.slowTime }.keys })
    guard !slow.isEmpty else { return }
    for peer in givers where peer.asked.isEmpty {
      var picks: [PiecePicker.Pick] = []
      while picks.count < Self.helpBlocks,
        let pick = picker.pickAgain(
          for: peer.number, having: peer.pieces, using: &random, where: { slow.contains($0) })
      {
        picks.append(PiecePicker.Pick(block: pick.block, reason: .slow))
      }
      request(picks, of: peer, at: now)
    }
  }

  /// Twice as long as what a peer is asked for at a time takes at most.
  private static let slowTime = Duration.seconds(10)
  /// Blocks that somebody helps with at a time.
  private static let helpBlocks = 4

  func gives(_ block: Block, _ content: [UInt8], _ peer: PeerState, at now: Instant) {
    // What was asked for before a choke, or before others were asked instead, is of use all the same. What never was is not
    // taken: whoever wants to spoil pieces would need no more. It buys nothing, and is no sign of life.
    let (wasAsked, askedAt) = peer.takes(block)
    guard wasAsked else {
      // A few may have crossed something; more are meant to fill the link.
      unused += UInt64(content.count)
      peer.unasked += 1
      if peer.unasked > Self.unaskedLimit { close(peer, .outOfTurn("blocks that nobody asked for"), at: now) }
      return
    }
    peer.received.add(content.count, at: now)
    (peer.lastBlockAt, peer.lastOfUseAt) = (now, now)
    peer.isSnubbed = false
    if let askedAt { peer.pipeline.blockCame(after: now.since(askedAt)) }
    downloaded += UInt64(content.count)
    switch picker.receive(block, content, from: peer.number) {
    case .unwanted: unused += UInt64(content.count)
    case .kept(let others): cancel(block, others, at: now)
    case .complete(let others):
      cancel(block, others, at: now)
      actions.append(.store(piece: block.piece, picker.blocks(of: block.piece)))
    }
    asking.insert(peer.number)
  }

  private static let unaskedLimit = 64

  func cancel(_ block: Block, _ others: [PeerNumber], at now: Instant) {
    for other in others.compactMap({ peers[$0] }) where other.asked[block] != nil {
      // With the Fast extension the answer is a reject or the block itself: it is awaited (BEP 6).
      if !other.knowsFast { other.forget(block) }
      say(.cancel(block), to: other, at: now)
    }
  }

  enum Check: Sendable {
    /// Its hash is right and it is on the disk.
    case good
    case bad
    /// It could not be written.
    case unwritten
  }

  /// What came of a piece that was to be stored.
  func checked(_ piece: Int, _ check: Check, at now: Instant) {
    let givers = picker.givers(of: piece)
    let names = Givers(
      peers: givers.compactMap { peers[$0]?.address }.sorted { "\($0)" < "\($1)" },
      webSeeds: givers.compactMap { webSeeds[$0]?.url }.sorted())
    switch check {
    case .unwritten: picker.giveUp(piece)
    case .bad:
      unused += UInt64(picker.length(of: piece))
      tell(.refused(piece: piece, from: names))
      if let culprit = picker.refuse(piece) { blame(culprit, for: piece, at: now) }
      askEverybody(at: now)
    case .good:
      // It may have become unwanted on its way.
      let wasMissing = picker.isMissing(piece)
      let culprits = picker.accept(piece)
      for giver in givers { peers[giver]?.goodPieces += 1 }
      tell(.finished(piece: piece, from: names))
      for culprit in culprits { blame(culprit, for: piece, at: now) }
      for peer in inOrder {
        // It is no news to those that have it, but that there is nothing more to send here may be.
        say(.have(piece: piece), to: peer, at: now)
        guard wasMissing, peer.pieces[piece] else { continue }
        peer.useful -= 1
        weigh(peer, at: now)
      }
      if wasMissing, picker.isComplete { complete(at: now) }
    }
  }

  private func complete(at now: Instant) {
    tell(.completed)
    for peer in inOrder where peer.isSeeder { close(peer, .bothSeed, at: now) }
  }

  /// What is wanted from now on.
  func want(_ pieces: Bitfield, at now: Instant) {
    picker.want(pieces)
    for peer in inOrder {
      peer.useful = useful(peer.pieces)
      weigh(peer, at: now)
    }
    askEverybody(at: now)
  }
}
