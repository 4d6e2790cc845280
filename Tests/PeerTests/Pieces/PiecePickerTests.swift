import Octets
import Testing
import TorrentWire

@testable import Peer

@Suite struct PiecePickerTests {
  private var random = SeededGenerator(seed: 1)
  private static let pieceLength = 2 * Block.size

  private func content(_ block: Block, _ octet: UInt8 = 1) -> [UInt8] { Array(repeating: octet, count: block.length) }

  private func picker(
    _ pieceCount: Int, have: [Int] = [], wanted: Bitfield? = nil, length: Int64? = nil, peersWithAll: Int = 0
  ) -> PiecePicker {
    var here = Bitfield(pieceCount: pieceCount)
    for piece in have { here[piece] = true }
    var picker = PiecePicker(
      pieceCount: pieceCount, pieceLength: Self.pieceLength, length: length ?? Int64(pieceCount * Self.pieceLength),
      have: here, wanted: wanted)
    for _ in 0..<peersWithAll { picker.add(all(picker)) }
    return picker
  }

  private func all(_ picker: PiecePicker) -> Bitfield { Bitfield(pieceCount: picker.pieceCount, isFull: true) }

  private func some(_ pieces: [Int], of pieceCount: Int) -> Bitfield {
    var bits = Bitfield(pieceCount: pieceCount)
    for piece in pieces { bits[piece] = true }
    return bits
  }

  /// Gets a whole piece from a peer that has all, so that it is being checked.
  private mutating func download(
    _ picker: inout PiecePicker, from peers: [PeerNumber], octet: (PeerNumber) -> UInt8 = { _ in 1 }
  ) -> Int? {
    var piece: Int?
    for number in 0..<2 {
      let peer = peers[number % peers.count]
      guard let pick = picker.pick(1, for: peer, having: all(picker), using: &random).first else { return nil }
      if piece == nil { piece = pick.block.piece }
      #expect(pick.block == Block(piece: piece ?? -1, offset: number * Block.size, length: Block.size))
      let arrival = picker.receive(pick.block, content(pick.block, octet(peer)), from: peer)
      #expect(arrival == (number == 1 ? .complete(cancel: []) : .kept(cancel: [])))
    }
    return piece
  }

  // MARK: What is picked

  @Test mutating func theFirstFourAreAnyAndThenTheRarest() {
    var firsts: Set<Int> = []
    for _ in 0..<40 {
      var picker = picker(40, peersWithAll: 1)
      for piece in 0..<40 where piece != 33 { picker.add(some([piece], of: 40)) }
      let picks = picker.pick(10, for: 1, having: all(picker), using: &random)
      #expect(picks.map(\.reason).prefix(8).allSatisfy { $0 == .random })
      if !firsts.contains(33), let pick = picks.last, !picks.prefix(8).contains(where: { $0.block.piece == 33 }) {
        #expect(
          pick
            == .init(
              block: Block(piece: 33, offset: Block.size, length: Block.size), reason: .rarest(peers: 1, equals: 1)))
      }
      firsts.formUnion(picks.prefix(8).map(\.block.piece))
    }
    #expect(firsts.count > 30)
  }

  @Test mutating func whoHasNothingOfUseIsAskedForNothing() {
    var picker = picker(6, have: [0, 1, 2, 3])
    let pieces = some([0, 1], of: 6)
    picker.add(pieces)
    #expect(picker.pick(10, for: 1, having: pieces, using: &random).isEmpty)
    let other = some([0, 5], of: 6)
    picker.add(other)
    #expect(picker.pick(10, for: 2, having: other, using: &random).map(\.block.piece) == [5, 5])
  }

  @Test mutating func whatIsBegunIsFinishedFirst() throws {
    var picker = picker(10, have: [0, 1, 2, 3], peersWithAll: 2)
    let first = try #require(picker.pick(1, for: 1, having: all(picker), using: &random).first)
    let next = picker.pick(2, for: 2, having: all(picker), using: &random)
    #expect(
      next.first
        == .init(block: Block(piece: first.block.piece, offset: Block.size, length: Block.size), reason: .begun))
    #expect(next.last?.block.piece != first.block.piece)
    #expect(next.last?.reason == .rarest(peers: 2, equals: 5))
  }

  @Test mutating func aPieceGoesItsWay() throws {
    var picker = picker(5, peersWithAll: 1)
    let piece = try #require(download(&picker, from: [1]))
    #expect(picker.state(of: piece) == .checking)
    #expect(picker.progress(of: piece) == Self.pieceLength)
    #expect(picker.blocks(of: piece).map(\.count) == [Block.size, Block.size])
    #expect(picker.givers(of: piece) == [1])
    #expect(picker.accept(piece).isEmpty)
    #expect(picker.state(of: piece) == .here)
    #expect(picker.have[piece] && picker.have.held == 1)
    #expect(picker.blocks(of: piece).isEmpty)
    #expect(!picker.pick(100, for: 1, having: all(picker), using: &random).contains { $0.block.piece == piece })
  }

  @Test mutating func theLastPieceAndItsLastBlockAreShorter() {
    let length = Int64(2 * Self.pieceLength + Block.size + 7)
    var picker = picker(3, length: length, peersWithAll: 1)
    #expect((0..<3).map { picker.length(of: $0) } == [Self.pieceLength, Self.pieceLength, Block.size + 7])
    let picks = picker.pick(100, for: 1, having: all(picker), using: &random)
    #expect(picks.count == 6)
    #expect(picks.contains { $0.block == Block(piece: 2, offset: Block.size, length: 7) })
    // Of any other length it is no block.
    #expect(
      picker.receive(
        Block(piece: 2, offset: Block.size, length: 8), content(.init(piece: 2, offset: 0, length: 8)), from: 1)
        == .unwanted)
    #expect(picker.receive(Block(piece: 2, offset: Block.size, length: 7), [1], from: 1) == .unwanted)
    #expect(
      picker.receive(Block(piece: 2, offset: Block.size, length: 7), [1, 2, 3, 4, 5, 6, 7], from: 1)
        == .kept(cancel: []))
    #expect(picker.progress(of: 2) == 7)
  }

  @Test mutating func whatIsNoBlockOfABegunPieceIsUnwanted() throws {
    var picker = picker(3, peersWithAll: 1)
    let block = try #require(picker.pick(1, for: 1, having: all(picker), using: &random).first?.block)
    for wrong in [
      Block(piece: block.piece, offset: 1, length: Block.size),
      Block(piece: block.piece, offset: -Block.size, length: Block.size),
      Block(piece: block.piece, offset: 2 * Block.size, length: Block.size),
      Block(piece: block.piece, offset: 0, length: 0),
      Block(piece: (block.piece + 1) % 3, offset: 0, length: Block.size),
      Block(piece: 99, offset: 0, length: Block.size),
    ] {
      #expect(picker.receive(wrong, content(wrong), from: 1) == .unwanted)
      picker.release(wrong, from: 1)
    }
    #expect(picker.receive(block, content(block), from: 1) == .kept(cancel: []))
    #expect(picker.receive(block, content(block), from: 1) == .unwanted)
  }

  @Test mutating func aPeerThatChokesIsAskedOnlyForWhatItAllows() {
    var picker = picker(9, have: [0, 1, 2, 3], peersWithAll: 1)
    let picks = picker.pick(10, for: 1, having: all(picker), allowed: [2, 6], using: &random)
    #expect(picks.map(\.block.piece) == [6, 6] && picks.allSatisfy { $0.reason == .allowedFast })
    #expect(picker.pick(10, for: 1, having: some([5], of: 9), allowed: [7], using: &random).isEmpty)
  }

  @Test mutating func noMorePiecesAreBegunThanMemoryHolds() {
    // Four pieces of two blocks fit.
    var picker = PiecePicker(
      pieceCount: 9, pieceLength: Self.pieceLength, length: Int64(9 * Self.pieceLength),
      memory: PieceMemory(limit: 4 * Self.pieceLength))
    picker.add(all(picker))
    #expect(picker.pick(18, for: 1, having: all(picker), using: &random).count == 8)
    #expect(picker.pickWhole(for: -1, using: &random) == nil)
    #expect(!picker.isEndgame)
  }

  /// Whoever begins much and goes would else keep the torrent from what others give.
  @Test mutating func whatNobodyIsAtWorkOnMakesRoom() throws {
    var picker = PiecePicker(
      pieceCount: 4, pieceLength: Self.pieceLength, length: Int64(4 * Self.pieceLength),
      memory: PieceMemory(limit: 2 * Self.pieceLength))
    let (first, second) = (some([0, 1], of: 4), some([2, 3], of: 4))
    picker.add(first)
    picker.add(second)
    let picks = picker.pick(4, for: 1, having: first, using: &random)
    #expect(picks.count == 4)
    #expect(picker.pick(4, for: 2, having: second, using: &random).isEmpty)
    // Half of one piece comes, and then nothing more.
    _ = picker.receive(picks[0].block, content(picks[0].block), from: 1)
    for pick in picks[1...] { picker.release(pick.block, from: 1) }
    #expect(picker.pick(2, for: 2, having: second, using: &random).count == 2)
    // The one of which more is here stays.
    #expect(picker.downloads.keys.contains(picks[0].block.piece) && picker.downloads.count == 2)
    #expect(picker.progress(of: picks[0].block.piece) == Block.size)
  }

  @Test mutating func torrentsShareTheMemory() throws {
    let memory = PieceMemory(limit: 8 * Self.pieceLength)
    func another() -> PiecePicker {
      var picker = PiecePicker(
        pieceCount: 20, pieceLength: Self.pieceLength, length: Int64(20 * Self.pieceLength), memory: memory)
      picker.add(Bitfield(pieceCount: 20, isFull: true))
      return picker
    }
    var first = another()
    let everything = all(first)
    #expect(first.pick(100, for: 1, having: everything, using: &random).count == 16)
    // However little is free, each may have one piece.
    var second = another()
    #expect(second.pick(100, for: 1, having: everything, using: &random).count == 2)
    #expect(memory.used == 9 * Self.pieceLength)
    // What becomes free is news to who was denied, and goes to who has less.
    let before = second.changes
    for _ in 0..<3 {
      let piece = try #require(first.downloads.keys.min())
      for number in 0..<2 {
        let block = Block(piece: piece, offset: number * Block.size, length: Block.size)
        _ = first.receive(block, content(block), from: 1)
      }
      _ = first.accept(piece)
      #expect(first.pick(100, for: 1, having: everything, using: &random).isEmpty)
    }
    #expect(second.changes != before)
    #expect(second.pick(100, for: 1, having: everything, using: &random).count == 4)
    // One that stops gives back what it has.
    first = another()
    #expect(memory.used == 3 * Self.pieceLength)
  }

  // MARK: Who has what

  @Test mutating func aPeerThatComesToHaveAllIsCountedOnce() {
    var picker = picker(3)
    var pieces = Bitfield(pieceCount: 3)
    picker.add(pieces)
    for piece in [1, 0, 0, 2] { picker.add(piece, to: &pieces) }
    #expect(pieces.isFull && picker.order.everywhere == 1)
    #expect(picker.order.availability == [0, 0, 0])
    #expect((0..<3).allSatisfy { picker.order.peers(with: $0) == 1 })
    picker.remove(pieces)
    #expect((0..<3).allSatisfy { picker.order.peers(with: $0) == 0 })
  }

  @Test mutating func atTheEndOthersAreAskedTooAndCancelled() throws {
    var picker = picker(1, peersWithAll: 3)
    #expect(picker.pick(10, for: 1, having: all(picker), using: &random).count == 2)
    #expect(picker.isEndgame)
    #expect(picker.pickAgain(for: 1, having: all(picker), using: &random) == nil)
    #expect(picker.pickAgain(for: 2, having: Bitfield(pieceCount: 1), using: &random) == nil)
    let one = try #require(picker.pickAgain(for: 2, having: all(picker), using: &random))
    #expect(one.reason == .endgame)
    // Of what fewest were asked for.
    let other = try #require(picker.pickAgain(for: 3, having: all(picker), using: &random))
    #expect(other.block != one.block)
    #expect(picker.receive(one.block, content(one.block), from: 2) == .kept(cancel: [1]))
    #expect(picker.receive(one.block, content(one.block), from: 1) == .unwanted)
    #expect(picker.receive(other.block, content(other.block), from: 1) == .complete(cancel: [3]))
    #expect(picker.givers(of: 0) == [1, 2])
    #expect(!picker.isEndgame)
  }

  @Test mutating func whatIsReleasedAnotherIsAskedFor() throws {
    var picker = picker(1, peersWithAll: 2)
    let blocks = picker.pick(2, for: 1, having: all(picker), using: &random).map(\.block)
    let again = try #require(picker.pickAgain(for: 2, having: all(picker), using: &random)?.block)
    // One of two that were asked.
    picker.release(again, from: 1)
    #expect(picker.isEndgame)
    picker.release(again, from: 1)
    picker.release(again, from: 2)
    #expect(!picker.isEndgame)
    #expect(picker.pick(5, for: 3, having: all(picker), using: &random) == [.init(block: again, reason: .begun)])
    // What has come is not free again.
    #expect(picker.receive(blocks[0], content(blocks[0]), from: 1) != .unwanted)
    picker.release(blocks[0], from: 1)
    #expect(!picker.pick(5, for: 4, having: all(picker), using: &random).contains { $0.block == blocks[0] })
  }

  // MARK: Bad pieces

  @Test mutating func whoGaveABadPieceAloneIsItsCulprit() throws {
    var picker = picker(1, peersWithAll: 1)
    let piece = try #require(download(&picker, from: [7]))
    #expect(picker.refuse(piece) == 7)
    #expect(picker.state(of: piece) == .missing)
    // And it is no matter of trust: anybody is asked again.
    #expect(picker.pick(1, for: 8, having: all(picker), using: &random).first?.reason == .random)
  }

  @Test(arguments: 1...4 as ClosedRange<PeerNumber>)
  mutating func theLiarAmongSeveralIsFoundAndNobodyElse(liar: PeerNumber) throws {
    // A piece of four blocks, each of another peer.
    var picker = PiecePicker(pieceCount: 1, pieceLength: 4 * Block.size, length: Int64(4 * Block.size))
    picker.add(all(picker))
    for peer in 1...4 {
      let block = try #require(picker.pick(1, for: peer, having: all(picker), using: &random).first?.block)
      _ = picker.receive(block, content(block, peer == liar ? 9 : 1), from: peer)
    }
    #expect(picker.refuse(0) == nil)
    // Now one alone is asked.
    let picks = picker.pick(2, for: 5, having: all(picker), using: &random)
    #expect(picks.count == 2 && picks.allSatisfy { $0.reason == .again })
    #expect(picker.pick(4, for: 1, having: all(picker), using: &random).isEmpty)
    #expect(picker.receive(picks[0].block, content(picks[0].block), from: 1) == .unwanted)
    let rest = picker.pick(4, for: 5, having: all(picker), using: &random)
    #expect(rest.count == 2 && rest.allSatisfy { $0.reason == .again })
    #expect(picker.pickAgain(for: 1, having: all(picker), using: &random) == nil)
    for pick in picks + rest { _ = picker.receive(pick.block, content(pick.block), from: 5) }
    #expect(picker.accept(0) == [liar])
  }

  @Test mutating func aLiarThatIsAskedAloneIsFoundAndThoseBeforeAreNot() throws {
    var picker = picker(1, peersWithAll: 1)
    // 2 lies; then it is asked alone, and lies again.
    _ = download(&picker, from: [1, 2], octet: { $0 == 2 ? 9 : 1 })
    #expect(picker.refuse(0) == nil)
    _ = download(&picker, from: [2], octet: { _ in 9 })
    #expect(picker.refuse(0) == 2)
    _ = download(&picker, from: [1])
    #expect(picker.accept(0) == [2])
  }

  @Test mutating func ofTheOnlyOneThatGoesNothingIsKept() throws {
    var picker = picker(1, peersWithAll: 1)
    _ = download(&picker, from: [1, 2])
    _ = picker.refuse(0)
    let block = try #require(picker.pick(1, for: 3, having: all(picker), using: &random).first?.block)
    _ = picker.receive(block, content(block), from: 3)
    picker.forgetSole(3)
    #expect(picker.state(of: 0) == .missing)
    let picks = picker.pick(9, for: 4, having: all(picker), using: &random)
    #expect(picks.count == 2 && picks.allSatisfy { $0.reason == .again })
  }

  @Test mutating func whatCouldNotBeWrittenIsMissingAndNobodysFault() throws {
    var picker = picker(1, peersWithAll: 1)
    _ = download(&picker, from: [1, 2])
    picker.giveUp(0)
    #expect(picker.state(of: 0) == .missing && !picker.have[0])
    #expect(picker.pick(1, for: 1, having: all(picker), using: &random).first?.reason == .random)
  }

  // MARK: What is wanted

  @Test mutating func onlyWhatIsWantedIsPicked() {
    var picker = picker(6, wanted: some([1, 4], of: 6), peersWithAll: 1)
    #expect((0..<6).map { picker.state(of: $0) } == [.unwanted, .missing, .unwanted, .unwanted, .missing, .unwanted])
    #expect(Set(picker.pick(99, for: 1, having: all(picker), using: &random).map(\.block.piece)) == [1, 4])
    // What is begun comes all the same; what is wanted now comes too.
    picker.want(some([1, 2], of: 6))
    #expect(picker.state(of: 4) == .begun && picker.state(of: 2) == .missing)
    #expect(Set(picker.pick(99, for: 1, having: all(picker), using: &random).map(\.block.piece)) == [2])
    #expect(!picker.isComplete)
    picker.want(some([], of: 6))
    #expect(picker.isComplete)
  }

  @Test mutating func aBegunPieceThatIsUnwantedNowIsNotBegunAgainWhenItIsBad() throws {
    var picker = picker(1, peersWithAll: 1)
    _ = download(&picker, from: [1])
    picker.want(some([], of: 1))
    #expect(picker.state(of: 0) == .checking)
    _ = picker.refuse(0)
    #expect(picker.state(of: 0) == .unwanted)
    #expect(picker.pick(9, for: 1, having: all(picker), using: &random).isEmpty)
  }

  // MARK: Whole pieces

  @Test mutating func aWholePieceIsAskedOfOne() throws {
    var picker = picker(9, have: [0, 1, 2, 3])
    let (piece, reason) = try #require(picker.pickWhole(for: -1, using: &random))
    #expect(reason == .rarest(peers: 0, equals: 5))
    #expect(picker.state(of: piece) == .begun)
    #expect(!picker.pick(99, for: 1, having: all(picker), using: &random).contains { $0.block.piece == piece })
  }

  @Test mutating func aPieceThatWasGivenBackIsPickedAsAWholeAgain() throws {
    var picker = picker(1)
    _ = try #require(picker.pickWhole(for: -1, using: &random))
    #expect(picker.pickWhole(for: -2, using: &random) == nil)
    for offset in [0, Block.size] { picker.release(Block(piece: 0, offset: offset, length: Block.size), from: -1) }
    let (piece, _) = try #require(picker.pickWhole(for: -2, using: &random))
    #expect(piece == 0)
    #expect(picker.pick(9, for: 1, having: all(picker), using: &random).isEmpty)
  }

  /// To drop a begun piece for another would waste what came, while this very one can be ended.
  @Test mutating func whereMemoryIsFullABegunPieceIsPickedAsAWhole() throws {
    var picker = PiecePicker(
      pieceCount: 4, pieceLength: Self.pieceLength, length: Int64(4 * Self.pieceLength),
      memory: PieceMemory(limit: Self.pieceLength))
    picker.add(all(picker))
    let picks = picker.pick(2, for: 1, having: all(picker), using: &random)
    _ = picker.receive(picks[0].block, content(picks[0].block), from: 1)
    picker.release(picks[1].block, from: 1)
    let (piece, reason) = try #require(picker.pickWhole(for: -1, using: &random))
    #expect(piece == picks[0].block.piece && reason == .begun)
    #expect(picker.progress(of: piece) == Block.size && picker.dropped == 0)
  }

  @Test mutating func whatIsDroppedToMakeRoomIsCounted() throws {
    var picker = PiecePicker(
      pieceCount: 2, pieceLength: Self.pieceLength, length: Int64(2 * Self.pieceLength),
      memory: PieceMemory(limit: Self.pieceLength))
    let (first, second) = (some([0], of: 2), some([1], of: 2))
    picker.add(first)
    picker.add(second)
    let picks = picker.pick(2, for: 1, having: first, using: &random)
    _ = picker.receive(picks[0].block, content(picks[0].block), from: 1)
    picker.release(picks[1].block, from: 1)
    #expect(picker.pick(2, for: 2, having: second, using: &random).count == 2)
    #expect(picker.progress(of: 0) == 0 && picker.dropped == UInt64(Block.size))
  }

  @Test mutating func anythingInAnyOrderComesToItsEnd() throws {
    // Ten peers that answer, refuse and come again, until all is here.
    var random = SeededGenerator(seed: 12)
    var picker = picker(60, length: Int64(60 * Self.pieceLength - 5), peersWithAll: 10)
    var asked: [(peer: PeerNumber, block: Block)] = []
    var steps = 0
    while !picker.isComplete, steps < 20_000 {
      steps += 1
      let peer = Int.random(in: 1...10, using: &random)
      switch Int.random(in: 0..<4, using: &random) {
      case 0:
        let picks = picker.pick(3, for: peer, having: all(picker), using: &random)
        asked += picks.map { (peer, $0.block) }
        if picks.isEmpty, picker.isEndgame, let pick = picker.pickAgain(for: peer, having: all(picker), using: &random)
        {
          asked.append((peer, pick.block))
        }
      case 1:
        guard !asked.isEmpty else { continue }
        let (peer, block) = asked.remove(at: Int.random(in: asked.indices, using: &random))
        picker.release(block, from: peer)
      default:
        guard !asked.isEmpty else { continue }
        let (peer, block) = asked.remove(at: Int.random(in: asked.indices, using: &random))
        switch picker.receive(block, content(block), from: peer) {
        case .unwanted: break
        case .kept(let cancel): asked.removeAll { $0.block == block && cancel.contains($0.peer) }
        case .complete(let cancel):
          asked.removeAll { $0.block == block && cancel.contains($0.peer) }
          if Int.random(in: 0..<3, using: &random) == 0 {
            picker.giveUp(block.piece)
          } else {
            #expect(picker.accept(block.piece).isEmpty)
          }
        }
      }
    }
    #expect(picker.isComplete && picker.order.isEmpty && picker.downloads.isEmpty && picker.open.isEmpty)
  }
}
