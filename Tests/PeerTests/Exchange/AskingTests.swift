import EventLoop
import Octets
import Testing
import TorrentWire

@testable import Peer

/// What others are asked for, and what becomes of it.
@Suite struct AskingTests {
  private func finished(_ talk: Talk) -> [Int] {
    talk.events.compactMap { if case .finished(let piece, _) = $0 { piece } else { nil } }
  }

  @Test func whoIsUnchokedAsksAndTellsEverybodyOnce() throws {
    let talk = try Talk(pieces: 3)
    let giver = try talk.joinGiver(1)
    let others = [try talk.join(2), try talk.join(3, fast: false)]
    talk.giveAll(from: giver)
    #expect(talk.exchange.isComplete && talk.exchange.left == 0)
    #expect(Set(finished(talk)) == [0, 1, 2])
    for other in others {
      let said = talk.takeSaid(to: other)
      for piece in 0..<3 { #expect(said.filter { $0 == .have(piece: piece) }.count == 1) }
    }
    #expect(talk.exchange.downloaded == UInt64(talk.info.length) && talk.exchange.wasted == 0)
    #expect(talk.events.contains { if case .completed = $0 { true } else { false } })
  }

  @Test func whoIsChokedAsksNothing() throws {
    let talk = try Talk(pieces: 3)
    let peer = try talk.join(1, having: nil)
    #expect(talk.requests(to: peer).isEmpty)
    talk.tick()
    #expect(talk.requests(to: peer).isEmpty)
  }

  @Test func whatAChokeTookAnotherIsAskedFor() throws {
    for fast in [true, false] {
      let talk = try Talk(pieces: 2)
      let first = try talk.joinGiver(1, fast: fast)
      let asked = talk.requests(to: first)
      let second = try talk.joinGiver(2)
      // Nothing is left but to help.
      #expect(talk.requests(to: second).count == 1)
      #expect(talk.reasons(for: second) == [.endgame])
      talk.hear(.choke, from: first)
      if fast { for block in asked { talk.hear(.reject(block), from: first) } }
      talk.giveAll(from: second)
      // One was asked for before that list was read.
      talk.tick(after: 61)
      talk.giveAll(from: second)
      #expect(talk.exchange.isComplete)
    }
  }

  @Test func ofAPeerThatGoesNothingIsWaitedFor() throws {
    let talk = try Talk(pieces: 2)
    let first = try talk.joinGiver(1)
    let asked = Set(talk.requests(to: first))
    let second = try talk.join(2, having: nil)
    let peer = try #require(talk.exchange.peers[first])
    talk.exchange.gone(peer, .lost("gone"), at: talk.now)
    talk.collect()
    talk.hear(.unchoke, from: second)
    #expect(Set(talk.requests(to: second)) == asked)
    #expect(talk.exchange.picker.order.everywhere == 1)
  }

  @Test func whatIsGivenBackIsAskedForInItsOrder() throws {
    let talk = try Talk(pieces: 40) { _ in }
    let first = try talk.joinGiver(1)
    // So fast that it is asked for much.
    for _ in 0..<100 { talk.exchange.peers[first]?.pipeline.blockCame(after: .milliseconds(100)) }
    talk.tick()
    let second = try talk.join(2, having: nil)
    let asked = try #require(
      talk.exchange.peers[first]?.asked.keys.sorted { ($0.piece, $0.offset) < ($1.piece, $1.offset) })
    #expect(asked.count > 60)
    talk.hear(.unchoke, from: second)
    let peer = try #require(talk.exchange.peers[first])
    talk.exchange.gone(peer, .lost("gone"), at: talk.now)
    // The same whatever the hashes of this run are.
    let open = talk.exchange.picker.open.filter { piece in asked.contains { $0.piece == piece } }
    #expect(open.count > 20 && open == open.sorted())
  }

  @Test func atTheEndTwoAreAskedAndOneIsCancelled() throws {
    for fast in [true, false] {
      let talk = try Talk(pieces: 1)
      let slow = try talk.joinGiver(1, fast: fast)
      let asked = talk.requests(to: slow)
      #expect(asked.count == 2)
      let quick = try talk.joinGiver(2)
      let again = try #require(talk.requests(to: quick).first)
      #expect(asked.contains(again))
      talk.give(again, from: quick)
      #expect(talk.takeSaid(to: slow) == [.cancel(again)])
      // With the Fast extension it is answered still.
      #expect((talk.exchange.peers[slow]?.asked[again] != nil) == fast)
      #expect(talk.events.count { if case .endgame = $0 { true } else { false } } == 1)
    }
  }

  // MARK: Blocks that nobody asked for

  @Test func whatNobodyAskedForIsWasted() throws {
    let talk = try Talk(pieces: 9)
    let peer = try talk.join(1, having: [0])
    talk.give(Block(piece: 5, offset: 0, length: Block.size), from: peer)
    talk.give(Block(piece: 0, offset: 3, length: 9), from: peer)
    talk.give(Block(piece: 0, offset: 0, length: 0), from: peer)
    #expect(talk.exchange.wasted == UInt64(Block.size + 9))
    #expect(talk.stored.isEmpty && talk.isHere(peer))
  }

  @Test func nobodySpoilsAPieceThatItWasNotAskedFor() throws {
    let talk = try Talk(pieces: 1)
    let honest = try talk.joinGiver(1)
    let asked = talk.requests(to: honest)
    let stranger = try talk.join(2, having: nil)
    talk.give(asked[0], from: stranger)
    #expect(talk.exchange.picker.progress(of: 0) == 0 && talk.exchange.wasted == UInt64(Block.size))
    for block in asked { talk.give(block, from: honest) }
    #expect(talk.exchange.picker.givers(of: 0) == [honest])
  }

  @Test func whatWasOnItsWayBeforeAChokeIsOfUse() throws {
    for fast in [true, false] {
      let talk = try Talk(pieces: 1)
      let peer = try talk.joinGiver(1, fast: fast)
      let asked = talk.requests(to: peer)
      talk.hear(.choke, from: peer)
      if fast { talk.hear(.reject(asked[0]), from: peer) }
      for block in asked + asked { talk.give(block, from: peer) }
      #expect(talk.takeStored() == [0])
      #expect(talk.exchange.wasted == UInt64(talk.info.length))
      #expect(talk.exchange.peers[peer]?.received.total == UInt64(talk.info.length))
    }
  }

  @Test func whatNobodyAskedForBuysNothing() throws {
    let talk = try Talk(pieces: 200, have: Array(0..<5)) { $0.uploadSlots = 1 }
    let honest = try talk.joinGiver(1)
    let cheat = try talk.join(2, having: [0])
    for block in talk.requests(to: honest) { talk.give(block, from: honest) }
    let block = Block(piece: 0, offset: 0, length: Block.size)
    for _ in 0..<60 { talk.give(block, from: cheat) }
    let rates = [honest, cheat].compactMap { talk.exchange.peers[$0]?.rates(at: talk.now).received }
    #expect(rates.count == 2 && rates[0] > 0 && rates[1] == 0)
    #expect(talk.exchange.downloaded < UInt64(60 * Block.size))
    // And who goes on is left.
    for _ in 0..<10 { talk.give(block, from: cheat) }
    #expect(talk.ends[cheat] == .outOfTurn("blocks that nobody asked for") && talk.isHere(honest))
  }

  @Test func chatterIsNotGiving() throws {
    let talk = try Talk(pieces: 1)
    let peer = try talk.joinGiver(1)
    let asked = talk.requests(to: peer)
    #expect(asked.count == 2)
    // It is asked, and gives empty blocks instead.
    for _ in 0..<7 {
      talk.tick(after: 10)
      talk.hear(.piece(piece: 0, offset: 0, content: []), from: peer)
    }
    #expect(talk.exchange.peers[peer]?.isSnubbed == true)
  }

  // MARK: The end

  /// A piece that only those have who choke keeps nobody from helping with what a slow one was asked for.
  @Test func whatOnlyThoseHaveWhoChokeHoldsNobodyUp() throws {
    let talk = try Talk(pieces: 2)
    _ = try talk.join(1, having: [1])
    let slow = try talk.join(2, having: [0])
    talk.hear(.unchoke, from: slow)
    #expect(Set(talk.requests(to: slow).map(\.piece)) == [0])
    let other = try talk.join(3, having: [0])
    talk.hear(.unchoke, from: other)
    for _ in 0..<10 { talk.tick() }
    #expect(talk.requests(to: other).isEmpty)
    talk.tick()
    let blocks = talk.requests(to: other)
    #expect(blocks.count == 2 && blocks.allSatisfy { $0.piece == 0 })
    let block = try #require(blocks.first)
    talk.give(block, from: other)
    #expect(talk.takeSaid(to: slow).contains(.cancel(block)))
    #expect(talk.reasons(for: other).last == .slow)
  }

  @Test func butWhatSomebodyGivesIsBegunFirst() throws {
    let talk = try Talk(pieces: 20)
    let busy = try talk.join(1, having: Array(1..<20))
    talk.hear(.unchoke, from: busy)
    let slow = try talk.join(2, having: [0])
    talk.hear(.unchoke, from: slow)
    #expect(talk.requests(to: slow).count == 2)
    let other = try talk.join(3, having: [0])
    talk.hear(.unchoke, from: other)
    for _ in 0..<30 {
      talk.tick()
      // It is quick, and there is more to begin.
      for block in talk.requests(to: busy).prefix(1) { talk.give(block, from: busy) }
    }
    #expect(talk.requests(to: other).isEmpty)
  }

  // MARK: Bad pieces

  @Test func whatCouldNotBeWrittenIsAskedForAgain() throws {
    let talk = try Talk(pieces: 1)
    let peer = try talk.joinGiver(1)
    for block in talk.requests(to: peer) { talk.give(block, from: peer) }
    talk.check(0, .unwritten)
    #expect(talk.isHere(peer) && !talk.exchange.isComplete)
    _ = talk.takeStored()
    talk.tick()
    talk.giveAll(from: peer)
    #expect(talk.exchange.isComplete)
  }

  // MARK: What is wanted

  private func some(_ pieces: [Int], of pieceCount: Int) -> Bitfield {
    var bits = Bitfield(pieceCount: pieceCount)
    for piece in pieces { bits[piece] = true }
    return bits
  }

  @Test func whereNothingIsWantedNobodyIsOfInterest() throws {
    let talk = try Talk(pieces: 9, wanted: some([3], of: 9))
    let peer = try talk.join(1, having: [1, 2, 3])
    #expect(talk.takeSaid(to: peer) == [.haveNone, .interested])
    talk.exchange.want(some([], of: 9), at: talk.now)
    talk.collect()
    #expect(talk.takeSaid(to: peer) == [.notInterested])
    talk.exchange.want(some([1, 8], of: 9), at: talk.now)
    talk.collect()
    #expect(talk.takeSaid(to: peer) == [.interested])
    #expect(talk.exchange.peers[peer]?.useful == 1)
  }

  @Test func aPieceThatComesThoughItIsUnwantedNowCountsForNothing() throws {
    let talk = try Talk(pieces: 3)
    let peer = try talk.join(1, having: [0, 1])
    talk.hear(.unchoke, from: peer)
    let asked = talk.requests(to: peer)
    let first = try #require(asked.first?.piece)
    for block in asked where block.piece == first { talk.give(block, from: peer) }
    talk.exchange.want(some([1 - first], of: 3), at: talk.now)
    talk.check(first)
    #expect(talk.exchange.peers[peer]?.useful == 1)
    #expect(talk.exchange.peers[peer]?.isWanted == true)
    #expect(!talk.events.contains { if case .completed = $0 { true } else { false } })
  }

  @Test func allIsHereOnlyOnce() throws {
    let talk = try Talk(pieces: 3)
    let peer = try talk.join(1, having: [0, 1])
    talk.hear(.unchoke, from: peer)
    for block in talk.requests(to: peer) { talk.give(block, from: peer) }
    let stored = talk.takeStored()
    #expect(stored.count == 2)
    talk.exchange.want(some([stored[0]], of: 3), at: talk.now)
    for piece in stored { talk.check(piece) }
    #expect(talk.events.count { if case .completed = $0 { true } else { false } } == 1)
  }

  // MARK: Gifts of others

  @Test func aGiftIsTakenThoughThePeerChokes() throws {
    let talk = try Talk(pieces: 30, have: [0, 1, 2, 3, 4])
    let peer = try talk.join(1, having: nil)
    _ = talk.takeSaid(to: peer)
    talk.hear(.allowedFast(piece: 7), from: peer)
    let asked = talk.requests(to: peer)
    #expect(asked.map(\.piece) == [7, 7])
    // Who takes it back is not asked for it again.
    talk.hear(.reject(asked[0]), from: peer)
    talk.tick()
    #expect(talk.requests(to: peer).isEmpty)
  }

  @Test func noMoreGiftsAreRememberedThanMakeSense() throws {
    let talk = try Talk(pieces: 3000)
    let peer = try talk.join(1)
    for piece in 0..<3000 { talk.hear(.allowedFast(piece: piece), from: peer) }
    #expect(talk.exchange.peers[peer]?.allowsUs.count == 100)
  }

  @Test func whoRejectsIsNotAskedForTheSameAtOnce() throws {
    let talk = try Talk(pieces: 1)
    let peer = try talk.joinGiver(1)
    let asked = talk.requests(to: peer)
    #expect(asked.count == 2)
    for block in asked { talk.hear(.reject(block), from: peer) }
    #expect(talk.requests(to: peer).isEmpty)
    // But a second later.
    talk.tick()
    #expect(talk.requests(to: peer).count == 2)
  }

  @Test func whoRejectsWhatIsHereIsAskedForMoreAtOnce() throws {
    let talk = try Talk(pieces: 1)
    let slow = try talk.joinGiver(1)
    let asked = talk.requests(to: slow)
    let quick = try talk.joinGiver(2)
    let again = try #require(talk.requests(to: quick).first)
    talk.give(again, from: quick)
    let other = try #require(talk.requests(to: quick).first)
    #expect(Set(asked) == [again, other])
    // The last one is given up by who has it alone, and then by the other.
    talk.hear(.reject(other), from: quick)
    #expect(talk.requests(to: quick).isEmpty)
    _ = talk.takeSaid(to: slow)
    talk.hear(.reject(other), from: slow)
    #expect(talk.requests(to: slow).isEmpty && talk.requests(to: quick) == [other])
    // What it was told not to send is nothing to wait for.
    talk.hear(.reject(again), from: slow)
    #expect(talk.requests(to: slow) == [other])
  }
}
