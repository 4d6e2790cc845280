import EventLoop
import Octets
import Testing
import TorrentWire

@testable import Peer

/// What is given to others.
@Suite struct RequestTests {
  private func block(_ piece: Int, _ number: Int = 0) -> Block {
    Block(piece: piece, offset: number * Block.size, length: Block.size)
  }

  /// A peer that is interested and so gets the free place.
  private func taker(_ talk: Talk, _ number: Int = 1, fast: Bool = true) throws -> PeerNumber {
    let peer = try talk.join(number, fast: fast)
    talk.hear(.interested, from: peer)
    #expect(talk.takeSaid(to: peer).contains(.unchoke))
    return peer
  }

  @Test func whoWantsSomethingGetsAFreePlaceAtOnce() throws {
    let talk = try Talk(pieces: 30, have: [0, 1, 2])
    for number in 1...4 { _ = try taker(talk, number) }
    _ = try talk.join(5)
    talk.hear(.interested, from: 5)
    let choked = (1...5).filter { talk.exchange.peers[$0]?.isChoked == true }
    #expect(choked.count == 1)
    // A place that gets free is given on.
    let first = try #require((1...5).first { !choked.contains($0) })
    for number in 1...5 { _ = talk.takeSaid(to: number) }
    talk.hear(.notInterested, from: first)
    #expect(talk.takeSaid(to: first).first == .choke)
    #expect(talk.takeSaid(to: choked[0]) == [.unchoke])
  }

  @Test func blocksAreGivenInTheOrderOfTheirRequests() throws {
    let talk = try Talk(pieces: 30, have: [0, 1, 2])
    let peer = try taker(talk)
    let wishes = [block(2), block(0, 1), block(0), Block(piece: 1, offset: 5, length: 70)]
    for wish in wishes + wishes { talk.hear(.request(wish), from: peer) }
    #expect(talk.served == Array(repeating: peer, count: 4))
    var given: [Block] = []
    while talk.exchange.hasWishes(peer), let block = talk.exchange.nextUpload(for: peer, at: talk.now) {
      given.append(block)
    }
    #expect(given == wishes)
    #expect(talk.exchange.uploaded == UInt64(3 * Block.size + 70))
    #expect(talk.exchange.nextUpload(for: peer, at: talk.now) == nil)
    #expect(talk.exchange.nextUpload(for: 99, at: talk.now) == nil)
  }

  @Test func whatIsNotHereOrNotGivenIsRejectedWhereThatCanBeSaid() throws {
    let talk = try Talk(pieces: 2000, have: [0])
    let choked = try talk.join(1)
    let old = try talk.join(2, fast: false)
    let peer = try taker(talk, 3)
    _ = talk.takeSaid(to: choked)
    _ = talk.takeSaid(to: old)
    talk.hear(.request(block(0)), from: choked)
    talk.hear(.request(block(0)), from: old)
    talk.hear(.request(block(1)), from: peer)
    #expect(talk.takeSaid(to: choked) == [.reject(block(0))])
    #expect(talk.takeSaid(to: old).isEmpty)
    #expect(talk.takeSaid(to: peer) == [.reject(block(1))])
    #expect(talk.isHere(choked) && talk.isHere(old) && talk.isHere(peer))
    #expect(talk.served.isEmpty)
  }

  @Test func aRequestOutsideOfAPieceEndsTheConnection() throws {
    for wrong in [
      Block(piece: 0, offset: 32_768, length: 1), Block(piece: 0, offset: 32_767, length: 2),
      Block(piece: 2, offset: 0, length: 32_768), Block(piece: 0, offset: 0, length: 0), block(3),
    ] {
      let talk = try Talk(pieces: 3, have: [0, 1, 2])
      let peer = try taker(talk)
      talk.hear(.request(wrong), from: peer)
      #expect(talk.ends[peer] == .outOfTurn("a request outside of its piece"), "\(wrong)")
    }
  }

  @Test func moreThanItsLimitWaitsNot() throws {
    let talk = try Talk(pieces: 300, have: Array(0..<300))
    let peer = try taker(talk)
    for number in 0..<510 { talk.hear(.request(block(number / 2, number % 2)), from: peer) }
    #expect(talk.exchange.peers[peer]?.wishes.count == Exchange.wishLimit)
    #expect(talk.takeSaid(to: peer).count == 10)
  }

  @Test func whatIsTakenBackIsNotGiven() throws {
    for fast in [true, false] {
      let talk = try Talk(pieces: 30, have: [0, 1])
      let peer = try taker(talk, fast: fast)
      talk.hear(.request(block(0)), from: peer)
      talk.hear(.request(block(1)), from: peer)
      talk.hear(.cancel(block(0)), from: peer)
      talk.hear(.cancel(block(7)), from: peer)
      #expect(talk.takeSaid(to: peer) == (fast ? [.reject(block(0))] : []))
      #expect(talk.exchange.nextUpload(for: peer, at: talk.now) == block(1))
      #expect(!talk.exchange.hasWishes(peer))
    }
  }

  @Test func aChokeEndsAllThatWaits() throws {
    for fast in [true, false] {
      let talk = try Talk(pieces: 2000, have: [0, 1])
      let peer = try taker(talk, fast: fast)
      talk.hear(.request(block(0)), from: peer)
      talk.hear(.request(block(1)), from: peer)
      talk.hear(.notInterested, from: peer)
      #expect(talk.takeSaid(to: peer) == (fast ? [.choke, .reject(block(0)), .reject(block(1))] : [.choke]))
      #expect(!talk.exchange.hasWishes(peer))
    }
  }

  // MARK: Gifts

  @Test func aNewPeerGetsItsGiftsThoughItIsChoked() throws {
    let talk = try Talk(pieces: 10, have: Array(0..<10))
    let peer = try talk.join(1)
    _ = talk.takeSaid(to: peer)
    talk.hear(.request(block(3)), from: peer)
    #expect(talk.takeSaid(to: peer).isEmpty && talk.exchange.nextUpload(for: peer, at: talk.now) == block(3))
  }

  @Test func whoHasTenPiecesNeedsNoGift() throws {
    let talk = try Talk(pieces: 20, have: Array(0..<20))
    let peer = try talk.join(1)
    let allowed = try #require(talk.exchange.peers[peer]?.allowed.sorted())
    #expect(allowed.count == 10)
    for piece in 0..<9 { talk.hear(.have(piece: piece), from: peer) }
    _ = talk.takeSaid(to: peer)
    talk.hear(.request(block(allowed[0])), from: peer)
    #expect(talk.takeSaid(to: peer).isEmpty)
    talk.hear(.have(piece: 9), from: peer)
    talk.hear(.request(block(allowed[1])), from: peer)
    #expect(talk.takeSaid(to: peer) == [.reject(block(allowed[1]))])
  }

  @Test func giftsOutliveAChoke() throws {
    let talk = try Talk(pieces: 20, have: Array(0..<20))
    let peer = try taker(talk)
    let allowed = try #require(talk.exchange.peers[peer]?.allowed)
    let gift = try #require(allowed.min())
    let other = try #require((0..<20).first { !allowed.contains($0) })
    talk.hear(.request(block(gift)), from: peer)
    talk.hear(.request(block(other)), from: peer)
    talk.hear(.notInterested, from: peer)
    #expect(talk.takeSaid(to: peer) == [.choke, .reject(block(other))])
    #expect(talk.exchange.nextUpload(for: peer, at: talk.now) == block(gift))
  }

  @Test func giftsAreNotWithoutEnd() throws {
    let talk = try Talk(pieces: 20, have: Array(0..<20))
    let peer = try talk.join(1)
    let gift = try #require(talk.exchange.peers[peer]?.allowed.min())
    // One that never says what it has asks again and again.
    var given = 0
    for _ in 0..<1000 {
      talk.hear(.request(block(gift)), from: peer)
      if talk.exchange.nextUpload(for: peer, at: talk.now) != nil { given += 1 }
    }
    #expect(given >= 2 && given <= 60, "\(given)")
  }

  @Test func aFreeRiderGivesNothing() throws {
    let talk = try Talk(pieces: 20, have: Array(0..<10)) { $0.isFreeRider = true }
    let peer = try talk.join(1)
    talk.hear(.interested, from: peer)
    for _ in 0..<70 { talk.tick() }
    for piece in 0..<10 { talk.hear(.request(block(piece)), from: peer) }
    let said = talk.takeSaid(to: peer)
    #expect(!said.contains(.unchoke) && !said.contains { if case .allowedFast = $0 { true } else { false } })
    #expect(said.filter { if case .reject = $0 { true } else { false } }.count == 10)
    #expect(talk.served.isEmpty && talk.exchange.uploaded == 0)
  }
}
