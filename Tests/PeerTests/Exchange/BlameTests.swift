import EventLoop
import Octets
import Testing
import TorrentWire

@testable import Peer

/// Who is banned for bad data, and who is not.
@Suite struct BlameTests {
  /// It gives all that it is asked for of one piece, which is bad.
  private func spoil(_ talk: Talk, from peer: PeerNumber) throws -> Int {
    let asked = talk.exchange.peers[peer]?.askedInOrder ?? []
    let piece = try #require(asked.first?.piece)
    for block in asked where block.piece == piece { talk.give(block, from: peer) }
    #expect(talk.takeStored() == [piece])
    talk.check(piece, .bad)
    talk.tick()
    return piece
  }

  private func asked(_ talk: Talk, of peer: PeerNumber) -> Set<Int> {
    Set((talk.exchange.peers[peer]?.asked.keys.map(\.piece)) ?? [])
  }

  /// A peer that has all and gives it, one of several behind one address.
  private func join(_ talk: Talk, _ number: Int, at port: UInt16) throws -> PeerNumber {
    let address = SocketAddress(ip: Make.address(1).ip, port: port)
    let peer = try talk.exchange.join(
      address, try talk.handshake(number, fast: true, extensions: false), isOutgoing: false, at: talk.now
    ).get()
    talk.collect()
    talk.hear(.haveAll, from: peer)
    talk.hear(.unchoke, from: peer)
    return peer
  }

  @Test func whoGaveABadPieceThatOthersHaveIsBanned() throws {
    let talk = try Talk(pieces: 1)
    let liar = try talk.joinGiver(1)
    let honest = try talk.join(2, having: nil)
    _ = try spoil(talk, from: liar)
    #expect(talk.ends[liar] == .badData && talk.exchange.banned == [Make.address(1).ip])
    #expect(talk.exchange.wasted == UInt64(talk.info.length))
    talk.hear(.unchoke, from: honest)
    talk.giveAll(from: honest)
    #expect(talk.exchange.isComplete)
  }

  /// What one sector of a disk lost is not the end of all else that is there.
  @Test func theOnlySourceIsAskedOnceMoreAndThenForTheRest() throws {
    let talk = try Talk(pieces: 5)
    let seeder = try talk.joinGiver(1)
    let rotten = try spoil(talk, from: seeder)
    #expect(talk.isHere(seeder) && talk.exchange.banned.isEmpty)
    for _ in 0..<20 where !talk.exchange.isComplete {
      let asked = talk.exchange.peers[seeder]?.askedInOrder ?? []
      for block in asked { talk.give(block, from: seeder) }
      for piece in talk.takeStored() { talk.check(piece, piece == rotten ? .bad : .good) }
      talk.tick()
    }
    #expect(talk.isHere(seeder) && talk.exchange.picker.have.held == 4)
    #expect(asked(talk, of: seeder).isEmpty, "it is not asked for that one any more")
    let other = try talk.joinGiver(2)
    talk.giveAll(from: other)
    #expect(talk.exchange.isComplete)
  }

  @Test func theOnlySourceIsBannedWithItsSecondPiece() throws {
    let talk = try Talk(pieces: 9)
    let liar = try talk.joinGiver(1)
    var spoilt: [Int] = []
    while talk.isHere(liar), spoilt.count < 9 { spoilt.append(try spoil(talk, from: liar)) }
    #expect(talk.ends[liar] == .badData && talk.exchange.banned == [Make.address(1).ip])
    #expect(Set(spoilt).count == 2 && spoilt.count <= 3)
  }

  /// Nor does it help to come anew, or to go before it is seen.
  @Test func theOnlySourceThatComesAgainIsBannedToo() throws {
    let talk = try Talk(pieces: 1)
    var came = 0
    while talk.exchange.banned.isEmpty, came < 9 {
      came += 1
      let liar = try talk.joinGiver(1)
      for block in talk.exchange.peers[liar]?.askedInOrder ?? [] { talk.give(block, from: liar) }
      let peer = try #require(talk.exchange.peers[liar])
      talk.exchange.gone(peer, .lost("gone"), at: talk.now)
      talk.check(0, .bad)
    }
    #expect(talk.exchange.banned == [Make.address(1).ip] && came == 3)
  }

  // MARK: Many behind one address

  @Test func whoGaveWhatIsRightStaysWhenItsNeighbourGoes() throws {
    let talk = try Talk(pieces: 9)
    let honest = try join(talk, 1, at: 1001)
    let block = try #require(talk.requests(to: honest).first)
    for number in 0..<2 {
      talk.give(Block(piece: block.piece, offset: number * Block.size, length: Block.size), from: honest)
    }
    for piece in talk.takeStored() { talk.check(piece) }
    let liar = try join(talk, 2, at: 1002)
    _ = try spoil(talk, from: liar)
    #expect(talk.ends == [liar: .badData] && talk.isHere(honest) && talk.exchange.banned.isEmpty)
    // It may not come again under its name; but names cost nothing, and so there is an end to it.
    #expect(throws: Exchange.PeerRefusal.self) { try join(talk, 2, at: 1003) }
    for number in 3...5 {
      guard talk.isHere(honest) else { break }
      _ = try spoil(talk, from: try join(talk, number, at: UInt16(1000 + number)))
    }
    #expect(!talk.isHere(honest) && talk.exchange.banned == [Make.address(1).ip])
  }

  @Test func whoGaveNothingYetIsNoBetterThanItsNeighbour() throws {
    let talk = try Talk(pieces: 9)
    let liar = try join(talk, 1, at: 1001)
    let other = try join(talk, 2, at: 1002)
    _ = try spoil(talk, from: liar)
    #expect(talk.ends == [liar: .badData, other: .badData])
  }
}
