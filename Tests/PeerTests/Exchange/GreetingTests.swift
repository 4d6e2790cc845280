import EventLoop
import Octets
import Testing
import TorrentWire

@testable import Peer

/// How connections begin, and which are wanted.
@Suite struct GreetingTests {
  private func refusal(_ talk: Talk, _ number: Int, at address: Int? = nil, isOutgoing: Bool = false) throws -> PeerEnd?
  {
    let handshake = try talk.handshake(number, fast: true, extensions: false)
    let result = talk.exchange.join(Make.address(address ?? number), handshake, isOutgoing: isOutgoing, at: talk.now)
    talk.collect()
    if case .failure(let refusal) = result { return refusal.end }
    return nil
  }

  // MARK: What is here

  @Test func whoHasAllSaysSo() throws {
    let talk = try Talk(pieces: 20, have: Array(0..<20))
    let said = talk.takeSaid(to: try talk.join(1))
    #expect(said.first == .haveAll)
    let allowed = said.dropFirst().compactMap { if case .allowedFast(let piece) = $0 { piece } else { nil } }
    #expect(said.count == 11 && Set(allowed).count == 10)
  }

  @Test func whoHasNothingSaysSo() throws {
    let talk = try Talk(pieces: 20)
    #expect(talk.takeSaid(to: try talk.join(1)) == [.haveNone])
  }

  @Test func whoHasSomeSaysWhich() throws {
    let talk = try Talk(pieces: 9, have: [0, 8]) { $0.isFreeRider = true }
    #expect(talk.takeSaid(to: try talk.join(1)) == [.bitfield([0x80, 0x80])])
    #expect(talk.takeSaid(to: try talk.join(2, fast: false)) == [.bitfield([0x80, 0x80])])
  }

  @Test func withoutTheFastExtensionNothingIsNotSaidAndAllIsABitfield() throws {
    let none = try Talk(pieces: 9)
    #expect(none.takeSaid(to: try none.join(1, fast: false)).isEmpty)
    let all = try Talk(pieces: 9, have: Array(0..<9))
    #expect(all.takeSaid(to: try all.join(1, fast: false)) == [.bitfield([0xFF, 0x80])])
  }

  @Test func extensionsAreNamed() throws {
    let talk = try Talk(pieces: 9) { $0.listenPort = 7000 }
    let peer = try talk.join(1, extensions: true)
    let (id, payload) = try #require(talk.extended(to: peer).first)
    let handshake = try #require(ExtensionHandshake(payload))
    #expect(id == 0)
    #expect(handshake.metadataID != nil && handshake.exchangeID != nil)
    #expect(handshake.metadataSize == talk.info.octets.count)
    #expect(handshake.port == 7000)
    #expect(handshake.yourAddress == Make.address(1).ip)
    #expect(talk.said[peer] == nil)
  }

  @Test func aPrivateTorrentNamesNoExchangeOfPeers() throws {
    let talk = try Talk(pieces: 9, isPrivate: true)
    let (_, payload) = try #require(talk.extended(to: try talk.join(1, extensions: true)).first)
    #expect(ExtensionHandshake(payload)?.exchangeID == nil)
  }

  // MARK: What it has

  @Test func whatItHasMayBeSaidAnew() throws {
    let talk = try Talk(pieces: 9)
    let peer = try talk.join(1, extensions: true)
    for early: PeerMessage in [.keepAlive, .port(1), .extended(id: 0, payload: ExtensionHandshake().encoded)] {
      talk.hear(early, from: peer)
    }
    talk.hear(.bitfield([0x80, 0]), from: peer)
    talk.hear(.have(piece: 8), from: peer)
    #expect(talk.exchange.peers[peer]?.pieces.octets == [0x80, 0x80])
    // As aria2 does.
    talk.hear(.bitfield([0xC0, 0x80]), from: peer)
    #expect(talk.exchange.peers[peer]?.useful == 3)
    #expect(talk.exchange.picker.order.availability == [1, 1, 0, 0, 0, 0, 0, 0, 1])
    talk.hear(.haveAll, from: peer)
    #expect(talk.isHere(peer) && talk.exchange.peers[peer]?.isSeeder == true)
    #expect(talk.exchange.picker.order.everywhere == 1)
    #expect(talk.exchange.picker.order.availability == Array(repeating: 0, count: 9))
  }

  @Test func aBitfieldOfAnotherNumberOfPiecesEndsTheConnection() throws {
    for wrong: [UInt8] in [[], [0xFF], [0xFF, 0xC0], [0xFF, 0x80, 0]] {
      let talk = try Talk(pieces: 9)
      let peer = try talk.join(1)
      talk.hear(.bitfield(wrong), from: peer)
      #expect(talk.ends[peer] == .outOfTurn("bitfield"))
    }
  }

  @Test func withoutTheFastExtensionItsMessagesAreOutOfTurn() throws {
    let block = Block(piece: 0, offset: 0, length: Block.size)
    for message: PeerMessage in [
      .haveAll, .haveNone, .reject(block), .allowedFast(piece: 0), .extended(id: 0, payload: []),
    ] {
      let talk = try Talk(pieces: 9)
      let peer = try talk.join(1, fast: false)
      talk.hear(message, from: peer)
      #expect(!talk.isHere(peer), "\(message)")
    }
  }

  @Test func interestFollowsWhatItHas() throws {
    let talk = try Talk(pieces: 9, have: [0])
    let peer = try talk.join(1)
    _ = talk.takeSaid(to: peer)
    talk.hear(.have(piece: 0), from: peer)
    #expect(talk.takeSaid(to: peer).isEmpty)
    talk.hear(.have(piece: 1), from: peer)
    talk.hear(.have(piece: 2), from: peer)
    #expect(talk.takeSaid(to: peer) == [.interested])
    talk.hear(.unchoke, from: peer)
    talk.giveAll(from: peer)
    #expect(talk.exchange.picker.have.held == 3)
    #expect(talk.exchange.peers[peer]?.isWanted == false)
    talk.hear(.have(piece: 3), from: peer)
    #expect(talk.takeSaid(to: peer).first == .interested)
  }

  @Test func whereBothHaveAllTheConnectionEnds() throws {
    let seeder = try Talk(pieces: 3, have: [0, 1, 2])
    let peer = try seeder.join(1, having: nil)
    #expect(seeder.ends[peer] == .bothSeed)
    // And when the last piece comes, on this side or on that.
    let here = try Talk(pieces: 3, have: [0, 1])
    let giver = try here.joinGiver(1)
    let other = try here.join(2, having: [0])
    here.giveAll(from: giver)
    #expect(here.ends[giver] == .bothSeed && here.isHere(other))
    let there = try Talk(pieces: 3, have: [0, 1, 2])
    let taker = try there.join(1, having: [0, 1])
    #expect(there.isHere(taker))
    there.hear(.have(piece: 2), from: taker)
    #expect(there.ends[taker] == .bothSeed)
  }

  // MARK: Who is wanted

  @Test func itselfIsNotMet() throws {
    let talk = try Talk(pieces: 3, id: 100)
    #expect(try refusal(talk, 100) == .ourselves)
  }

  @Test func aSecondConnectionOfOnePeerIsRefused() throws {
    let talk = try Talk(pieces: 3, id: 100)
    let first = try talk.join(1)
    #expect(try refusal(talk, 1) == .twice)
    #expect(talk.isHere(first))
    // The same name at another address is another: names are not proven.
    #expect(try refusal(talk, 1, at: 2) == nil)
  }

  /// The two connections may come to be in either order on either side.
  @Test(arguments: [true, false], [true, false])
  func whereBothCalledBothKeepTheSame(ourCallIsFirst: Bool, theirCallIsFirst: Bool) throws {
    // Of each side: whether it keeps the call that 100 made.
    func keepsCall(ofHundred: Bool, id: Int, other: Int, outgoingFirst: Bool) throws -> Bool {
      let talk = try Talk(pieces: 3, id: id)
      let first = try talk.join(other, isOutgoing: outgoingFirst)
      let isRefused = try refusal(talk, other, isOutgoing: !outgoingFirst) != nil
      #expect(talk.isHere(first) == isRefused)
      #expect(talk.exchange.peers.count == 1)
      #expect(isRefused || talk.ends[first] == .twice)
      let keptIsOutgoing = isRefused ? outgoingFirst : !outgoingFirst
      return keptIsOutgoing == (id == 100)
    }
    let here = try keepsCall(ofHundred: true, id: 100, other: 50, outgoingFirst: ourCallIsFirst)
    let there = try keepsCall(ofHundred: true, id: 50, other: 100, outgoingFirst: theirCallIsFirst)
    #expect(here && there)
  }

  @Test func whoIsBannedStaysOutside() throws {
    let talk = try Talk(pieces: 3)
    let peer = try talk.join(1)
    let other = try talk.join(2)
    talk.exchange.ban(Make.address(1).ip, at: talk.now)
    talk.collect()
    #expect(talk.ends[peer] == .badData && talk.isHere(other))
    #expect(try refusal(talk, 3, at: 1) == .badData)
  }

  @Test func whatIsSaidAfterTheEndIsNotHeard() throws {
    let talk = try Talk(pieces: 3, have: [0])
    let peer = try talk.join(1)
    talk.hear(.haveAll, from: peer)
    talk.hear(.bitfield([]), from: peer)
    #expect(!talk.isHere(peer))
    _ = talk.takeSaid(to: peer)
    talk.hear(.interested, from: peer)
    talk.hear(.request(Block(piece: 0, offset: 0, length: 1)), from: peer)
    #expect(talk.said[peer] == nil && talk.served.isEmpty)
    #expect(talk.exchange.picker.order.everywhere == 0)
  }
}
