import EventLoop
import Octets
import Testing
import TorrentWire

@testable import Peer

/// Five peers say anything at any time, and what is counted stays true.
@Suite struct AnyMessagesTests {
  private static let pieces = 12

  @Test(arguments: [1, 2, 3, 4] as [UInt64])
  func whatIsCountedStaysTrue(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    let talk = try Talk(pieces: Self.pieces, have: seed == 1 ? [] : [0, 5], seed: seed)
    if seed == 3 { talk.exchange.settings.listenPort = 6881 }
    var here: [PeerNumber] = []
    var number = 0
    for step in 0..<5000 {
      here = here.filter { talk.isHere($0) }
      if here.isEmpty || here.count < 5 && Int.random(in: 0..<10, using: &random) == 0 {
        number += 1
        // Now and then an old name again, and an address that is banned.
        let name = Int.random(in: max(1, number - 8)...number, using: &random)
        if let peer = try? talk.join(
          name, fast: Bool.random(using: &random), extensions: Bool.random(using: &random),
          isOutgoing: Bool.random(using: &random))
        {
          here.append(peer)
        }
        talk.exchange.banned = []
      }
      guard let peer = here.randomElement(using: &random) else { continue }
      switch Int.random(in: 0..<200, using: &random) {
      case 0:
        if let state = talk.exchange.peers[peer] { talk.exchange.gone(state, .lost("gone"), at: talk.now) }
      case 1...20: talk.tick(after: Double.random(in: 0..<4, using: &random))
      case 21: talk.tick(after: 61)
      case 22: talk.exchange.want(anyPieces(&random), at: talk.now)
      case 23...60: answer(talk, peer, &random)
      case 61...90: for _ in 0..<8 { answer(talk, peer, &random) }
      case 91...95: _ = talk.exchange.nextUpload(for: peer, at: talk.now)
      default: talk.hear(anyMessage(&random), from: peer)
      }
      talk.collect()
      for piece in talk.takeStored() {
        let check: Exchange.Check = [.good, .good, .good, .bad, .unwritten].randomElement(using: &random) ?? .good
        talk.check(piece, check)
      }
      guard isTrue(talk) else {
        Issue.record("step \(step) of seed \(seed)")
        return
      }
    }
    #expect(number > 20)
  }

  /// Gives something that it was asked for.
  private func answer(_ talk: Talk, _ peer: PeerNumber, _ random: inout SeededGenerator) {
    let asked = talk.exchange.peers[peer]?.asked.keys.sorted { ($0.piece, $0.offset) < ($1.piece, $1.offset) } ?? []
    guard let block = asked.randomElement(using: &random) else { return }
    talk.give(block, from: peer)
  }

  private func anyPieces(_ random: inout SeededGenerator) -> Bitfield {
    var bits = Bitfield(pieceCount: Self.pieces)
    for piece in 0..<Self.pieces { bits[piece] = Bool.random(using: &random) }
    return bits
  }

  private func anyMessage(_ random: inout SeededGenerator) -> PeerMessage {
    let piece = Int.random(in: 0..<Self.pieces, using: &random)
    let offset = [0, Block.size, 1, Block.size * 2, Int(UInt32.max)].randomElement(using: &random) ?? 0
    let length = [Block.size, Block.size, 15_384, 1, Block.lengthLimit].randomElement(using: &random) ?? 1
    let block = Block(piece: piece, offset: offset, length: length)
    switch Int.random(in: 0..<40, using: &random) {
    case 0: return .keepAlive
    case 1...2: return .choke
    case 3...8: return .unchoke
    case 9...11: return .interested
    case 12: return .notInterested
    case 13...19: return .have(piece: piece)
    case 20: return .bitfield(anyPieces(&random).octets)
    case 21...23:
      return .request(Block(piece: piece, offset: [0, Block.size].randomElement(using: &random) ?? 0, length: 100))
    case 24: return .request(block)
    case 25...27:
      return .piece(piece: piece, offset: offset, content: Array(repeating: 2, count: min(length, Block.size)))
    case 28: return .cancel(block)
    case 29: return .port(1)
    case 30: return .suggest(piece: piece)
    case 31: return .haveAll
    case 32: return .haveNone
    case 33...34: return .reject(Block(piece: piece, offset: Block.size, length: Block.size))
    case 35: return .reject(block)
    case 36...37: return .allowedFast(piece: piece)
    case 38: return .extended(id: UInt8.random(in: 0...3, using: &random), payload: Array("d1:mde1:pi5ee".utf8))
    default: return .unknown(id: 77)
    }
  }

  private func isTrue(_ talk: Talk) -> Bool {
    let exchange = talk.exchange
    let picker = exchange.picker
    var isTrue = true
    func expect(_ condition: Bool, _ what: String) {
      if condition { return }
      isTrue = false
      Issue.record("\(what)")
    }
    // Who has what.
    let full = exchange.inOrder.count { $0.pieces.isFull }
    expect(picker.order.everywhere == full, "peers that have all")
    expect(exchange.peers.count == exchange.inOrder.count, "peers")
    let begun = (0..<Self.pieces).filter { picker.downloads[$0] != nil || picker.state(of: $0) == .checking }
    expect(exchange.memory.used == begun.reduce(0) { $0 + picker.length(of: $1) }, "memory")
    for piece in 0..<Self.pieces {
      let having = exchange.inOrder.count { $0.pieces[piece] }
      expect(picker.order.peers(with: piece) == having, "the peers that have \(piece)")
      let isToBegin = picker.isMissing(piece) && picker.state(of: piece) == .missing
      expect(picker.order.contains(piece) == isToBegin, "whether \(piece) is to be begun")
    }
    // What is on its way.
    for (piece, download) in picker.downloads {
      var (free, missing) = (0, 0)
      for number in download.blocks.indices {
        let (isHere, askers) = (!download.blocks[number].isEmpty, download.asked[number])
        if !isHere { missing += 1 }
        if !isHere, askers.isEmpty { free += 1 }
        expect(!isHere || askers.isEmpty, "nobody gives what is here")
        expect(Set(askers).count == askers.count, "nobody is asked twice")
        for asker in askers {
          expect(
            exchange.peers[asker]?.asked[download.block(number)] != nil, "\(asker) knows that it is asked for \(piece)")
        }
      }
      expect((free, missing) == (download.free, download.missing), "the blocks of \(piece)")
      expect(picker.open.contains(piece) == (free > 0), "whether \(piece) is open")
      expect(download.sole.map { exchange.peers[$0] != nil } ?? true, "the only one that is asked is here")
    }
    expect(Set(picker.open).count == picker.open.count, "open pieces are open once")
    for peer in exchange.inOrder {
      let useful = (0..<Self.pieces).count { peer.pieces[$0] && picker.isMissing($0) }
      expect(peer.useful == useful, "what \(peer.number) has for us: \(peer.useful), not \(useful)")
      expect(peer.isWanted == (useful > 0), "interest in \(peer.number)")
      expect(peer.wishes.count <= Exchange.wishLimit, "wishes of \(peer.number)")
      expect(peer.isChoked || peer.wantsOurs, "the places go to those that want them")
      expect(!peer.isChoked || peer.wishes.allSatisfy { peer.allowed.contains($0.piece) }, "choked wishes are gifts")
      for block in peer.asked.keys where !peer.knowsFast {
        let number = picker.downloads[block.piece]?.number(of: block)
        let isAsked = number.map { picker.downloads[block.piece]?.asked[$0].contains(peer.number) == true }
        expect(isAsked == true, "\(peer.number) is asked for \(block)")
      }
    }
    let given = exchange.inOrder.count { !$0.isChoked }
    expect(given <= 4, "places")
    expect(given == min(4, exchange.inOrder.count { $0.wantsOurs }), "no place is empty")
    return isTrue
  }
}
