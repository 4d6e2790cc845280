import EventLoop
import Octets
import Testing
import TorrentWire

@testable import Peer

/// The info dictionary from peers (BEP 9), and peers from peers (BEP 11).
@Suite struct ExtensionTests {
  private func handshake(metadata: UInt8? = nil, size: Int? = nil, exchange: UInt8? = nil, port: UInt16? = nil)
    -> PeerMessage
  {
    var handshake = ExtensionHandshake()
    (handshake.metadataID, handshake.metadataSize) = (metadata, size)
    (handshake.exchangeID, handshake.port) = (exchange, port)
    return .extended(id: 0, payload: handshake.encoded)
  }

  /// What it is asked for of the info dictionary.
  private func metadataRequests(_ talk: Talk, to peer: PeerNumber) -> [Int] {
    talk.extended(to: peer).compactMap { id, payload in
      if id != 0, case .request(let piece) = MetadataMessage(payload) { return piece }
      return nil
    }
  }

  /// A peer with the info dictionary under id 3, of so many octets.
  private func knower(_ talk: Talk, _ number: Int, size: Int? = nil) throws -> PeerNumber {
    let peer = try talk.join(number, extensions: true)
    talk.hear(.haveAll, from: peer)
    talk.hear(handshake(metadata: 3, size: size ?? talk.info.octets.count), from: peer)
    return peer
  }

  private func part(_ number: Int, of info: TorrentInfo) -> [UInt8] {
    Array(info.octets.dropFirst(number * MetadataMessage.pieceSize).prefix(MetadataMessage.pieceSize))
  }

  private func give(_ talk: Talk, _ part: Int, from peer: PeerNumber, octet: UInt8? = nil) {
    var content = self.part(part, of: talk.info)
    if let octet { content = Array(repeating: octet, count: content.count) }
    // By the id that our handshake gave it.
    let message = MetadataMessage.data(piece: part, totalSize: talk.info.octets.count, content: content)
    talk.hear(.extended(id: 1, payload: message.encoded), from: peer)
  }

  private func install(_ talk: Talk) {
    talk.exchange.install(talk.info, have: Bitfield(pieceCount: talk.info.pieceCount), wanted: nil, at: talk.now)
    talk.collect()
  }

  // MARK: The info dictionary

  @Test(arguments: [1, 2000])
  func whoHasItGivesItToWhoDoesNot(pieces: Int) throws {
    let giver = try Talk(pieces: pieces, have: Array(0..<pieces), id: 100)
    let taker = try Talk(pieces: pieces, isKnown: false, id: 200)
    let there = try giver.join(200, extensions: true)
    let here = try taker.join(100, extensions: true)
    // All that is said goes over, until nothing is.
    func shuttle() {
      while true {
        let (toTaker, toGiver) = (giver.takeSaid(to: there), taker.takeSaid(to: here))
        if toTaker.isEmpty, toGiver.isEmpty { return }
        for message in toTaker { taker.hear(message, from: here) }
        for message in toGiver { giver.hear(message, from: there) }
        for block in sequence(state: (), next: { _ in giver.exchange.nextUpload(for: there, at: giver.now) }) {
          taker.give(block, from: here)
        }
        for piece in taker.takeStored() { taker.check(piece) }
      }
    }
    shuttle()
    let octets = try #require(taker.takeMetadata().first)
    #expect(octets == Array(giver.info.octets))
    #expect(taker.exchange.left == nil)
    install(taker)
    // That the other has all was said before it was known how many that is.
    #expect(taker.exchange.peers[here]?.isSeeder == true)
    shuttle()
    if pieces == 1 { #expect(taker.exchange.isComplete) }
    #expect(taker.exchange.picker.have.held > 0)
  }

  @Test func aBitfieldThatCameBeforeIsUnderstoodThen() throws {
    let talk = try Talk(pieces: 9, isKnown: false)
    let right = try talk.join(1, fast: false)
    talk.hear(.bitfield([0b0100_0000, 0]), from: right)
    talk.hear(.have(piece: 8), from: right)
    let wrong = try talk.join(2, fast: false)
    talk.hear(.bitfield([0xFF]), from: wrong)
    let beyond = try talk.join(3, fast: false)
    talk.hear(.have(piece: 9), from: beyond)
    let nothing = try talk.join(4)
    install(talk)
    #expect(talk.exchange.peers[right]?.pieces.octets == [0b0100_0000, 0b1000_0000])
    #expect(talk.exchange.peers[right]?.useful == 2)
    #expect(talk.takeSaid(to: right) == [.interested])
    #expect(!talk.isHere(wrong) && !talk.isHere(beyond) && talk.isHere(nothing))
    #expect(talk.exchange.picker.order.everywhere == 0)
    #expect(talk.exchange.picker.order.availability == [0, 1, 0, 0, 0, 0, 0, 0, 1])
  }

  @Test func partsAreAskedOfSeveral() throws {
    let talk = try Talk(pieces: 5000, isKnown: false)
    let one = try knower(talk, 1)
    let other = try knower(talk, 2)
    #expect(metadataRequests(talk, to: one) == [0, 1, 2, 3])
    #expect(metadataRequests(talk, to: other) == [4, 5, 6, 0])
    for part in [6, 4, 5] { give(talk, part, from: other) }
    for part in [3, 1, 0] { give(talk, part, from: one) }
    #expect(talk.metadata.isEmpty)
    // Of one that goes nothing is waited for.
    let peer = try #require(talk.exchange.peers[one])
    talk.exchange.gone(peer, .lost("gone"), at: talk.now)
    talk.tick()
    give(talk, 2, from: other)
    #expect(talk.takeMetadata() == [Array(talk.info.octets)])
  }

  @Test func whoHasNoneIsAskedNoMore() throws {
    let talk = try Talk(pieces: 9, isKnown: false)
    let peer = try knower(talk, 1)
    #expect(metadataRequests(talk, to: peer) == [0])
    talk.hear(.extended(id: 1, payload: MetadataMessage.reject(piece: 0).encoded), from: peer)
    for _ in 0..<5 { talk.tick() }
    #expect(metadataRequests(talk, to: peer).isEmpty)
  }

  @Test func aWrongSizeOfOneThatRefusesHoldsNobodyUp() throws {
    let talk = try Talk(pieces: 9, isKnown: false)
    let liar = try knower(talk, 1, size: 77)
    let honest = try knower(talk, 2)
    #expect(metadataRequests(talk, to: honest).isEmpty)
    talk.hear(.extended(id: 1, payload: MetadataMessage.reject(piece: 0).encoded), from: liar)
    talk.tick()
    #expect(metadataRequests(talk, to: honest) == [0])
    give(talk, 0, from: honest)
    #expect(talk.takeMetadata() == [Array(talk.info.octets)])
  }

  @Test func aWrongSizeOfOneThatGoesHoldsNobodyUp() throws {
    let talk = try Talk(pieces: 9, isKnown: false)
    let liar = try knower(talk, 1, size: 77)
    let honest = try knower(talk, 2)
    _ = talk.takeSaid(to: honest)
    let peer = try #require(talk.exchange.peers[liar])
    talk.exchange.gone(peer, .lost("gone"), at: talk.now)
    talk.tick()
    #expect(metadataRequests(talk, to: honest) == [0])
  }

  @Test func aWrongSizeOfOneThatIsSilentHoldsNobodyUp() throws {
    let talk = try Talk(pieces: 9, isKnown: false)
    let liar = try knower(talk, 1, size: 77)
    let honest = try knower(talk, 2)
    _ = talk.takeSaid(to: honest)
    for _ in 0..<65 {
      talk.tick()
      talk.hear(.keepAlive, from: liar)
    }
    #expect(Set(metadataRequests(talk, to: honest)) == [0])
  }

  /// Some of 16 MB, one part every ten seconds: it would take three hours.
  @Test func aWrongSizeOfOneThatGivesSlowlyHasItsTime() throws {
    let talk = try Talk(pieces: 9, isKnown: false)
    let size = ExtensionHandshake.metadataLimit
    let liar = try knower(talk, 1, size: size)
    let honest = try knower(talk, 2)
    _ = talk.takeSaid(to: honest)
    var asked = metadataRequests(talk, to: liar)
    for second in 1...300 {
      talk.tick()
      talk.hear(.keepAlive, from: honest)
      asked += metadataRequests(talk, to: liar)
      if second.isMultiple(of: 10), let part = asked.popLast() {
        let message = MetadataMessage.data(
          piece: part, totalSize: size, content: Array(repeating: 0, count: MetadataMessage.pieceSize))
        talk.hear(.extended(id: 1, payload: message.encoded), from: liar)
      }
    }
    #expect(metadataRequests(talk, to: honest).contains(0))
  }

  @Test func aPartOfAnotherSizeIsNotAskedForAtOnceAgain() throws {
    let talk = try Talk(pieces: 9, isKnown: false)
    let peer = try knower(talk, 1)
    _ = talk.takeSaid(to: peer)
    let message = MetadataMessage.data(piece: 0, totalSize: 5, content: [1, 2, 3, 4, 5])
    talk.hear(.extended(id: 1, payload: message.encoded), from: peer)
    #expect(metadataRequests(talk, to: peer).isEmpty)
  }

  @Test func whoAloneGaveABadInfoDictionaryIsBanned() throws {
    let talk = try Talk(pieces: 9, isKnown: false)
    let liar = try knower(talk, 1)
    give(talk, 0, from: liar, octet: 7)
    #expect(talk.takeMetadata().count == 1)
    talk.exchange.metadataIsBad(at: talk.now)
    talk.collect()
    #expect(talk.ends[liar] == .badData)
    let honest = try knower(talk, 2)
    give(talk, 0, from: honest)
    #expect(talk.takeMetadata() == [Array(talk.info.octets)])
  }

  @Test func theLiarAmongSeveralGoesAndNobodyElse() throws {
    let talk = try Talk(pieces: 5000, isKnown: false)
    let peers = try (1...3).map { try knower(talk, $0) }
    let liar = peers[1]
    var bad = 0
    for _ in 0..<200 {
      for peer in peers where talk.isHere(peer) {
        for part in metadataRequests(talk, to: peer) { give(talk, part, from: peer, octet: peer == liar ? 9 : nil) }
      }
      guard let octets = talk.takeMetadata().first else {
        talk.tick()
        continue
      }
      if octets == Array(talk.info.octets) { break }
      bad += 1
      talk.exchange.metadataIsBad(at: talk.now)
      talk.collect()
    }
    #expect(bad > 0 && bad < 5)
    #expect(talk.exchange.metadata.isChecking)
    #expect(talk.exchange.banned.isSubset(of: [Make.address(2).ip]))
    #expect(talk.isHere(peers[0]) && talk.isHere(peers[2]))
  }

  @Test func theOnlyOneThatIsAskedMayNotChangeItsMind() throws {
    for (id, size) in [(0, nil), (3, 77)] as [(UInt8, Int?)] {
      let talk = try Talk(pieces: 5000, isKnown: false)
      let peers = try (1...2).map { try knower(talk, $0) }
      for peer in peers { for part in metadataRequests(talk, to: peer) { give(talk, part, from: peer, octet: 9) } }
      for peer in peers { for part in metadataRequests(talk, to: peer) { give(talk, part, from: peer, octet: 9) } }
      #expect(talk.takeMetadata().count == 1)
      talk.exchange.metadataIsBad(at: talk.now)
      talk.collect()
      // Both had a share, and now the first is asked alone.
      #expect(metadataRequests(talk, to: peers[0]).count == 4 && metadataRequests(talk, to: peers[1]).isEmpty)
      talk.hear(handshake(metadata: id, size: size), from: peers[0])
      for _ in 0..<65 {
        talk.tick()
        for peer in peers { talk.hear(.keepAlive, from: peer) }
      }
      #expect(Set(metadataRequests(talk, to: peers[1])).count == 4)
    }
  }

  @Test func theInfoDictionaryIsNotGivenWithoutEnd() throws {
    let talk = try Talk(pieces: 2000)
    let peer = try talk.join(1, extensions: true)
    talk.hear(handshake(metadata: 3), from: peer)
    _ = talk.takeSaid(to: peer)
    for number in 0..<300 {
      talk.hear(.extended(id: 1, payload: MetadataMessage.request(piece: number % 3).encoded), from: peer)
    }
    let answers = talk.extended(to: peer).compactMap { MetadataMessage($0.payload) }
    let data = answers.count { if case .data = $0 { true } else { false } }
    #expect(answers.count == 300)
    #expect(data >= 3 && data <= 30, "\(data) parts")
  }

  @Test func whatIsNotThereIsRejected() throws {
    let unknown = try Talk(pieces: 9, isKnown: false)
    let known = try Talk(pieces: 9)
    for (talk, part) in [(unknown, 0), (known, 1)] {
      let peer = try talk.join(1, extensions: true)
      talk.hear(handshake(metadata: 9), from: peer)
      _ = talk.takeSaid(to: peer)
      talk.hear(.extended(id: 1, payload: MetadataMessage.request(piece: part).encoded), from: peer)
      let answer = try #require(talk.extended(to: peer).first)
      #expect(answer.id == 9 && MetadataMessage(answer.payload) == .reject(piece: part))
    }
  }

  // MARK: Other peers

  private func exchanges(_ talk: Talk, to peer: PeerNumber) -> [PeerExchange] {
    talk.extended(to: peer).compactMap { $0.id == 5 ? PeerExchange($0.payload) : nil }
  }

  @Test func whoComesAndGoesIsToldOnceAMinute() throws {
    let talk = try Talk(pieces: 9, have: [0])
    let peer = try talk.join(1, extensions: true)
    talk.hear(handshake(exchange: 5), from: peer)
    let called = try talk.join(2, isOutgoing: true)
    talk.hear(.haveAll, from: called)
    // Of one that called it is known where it listens once it says so.
    let calling = try talk.join(3, extensions: true)
    let hidden = try talk.join(4)
    talk.hear(handshake(port: 999), from: calling)
    for _ in 0..<6 { talk.tick() }
    let first = exchanges(talk, to: peer)
    #expect(first.count == 1)
    let added = try #require(first.first?.added.sorted { $0.address.port < $1.address.port })
    let callingAddress = SocketAddress(ip: Make.address(3).ip, port: 999)
    #expect(added.map(\.address) == [callingAddress, Make.address(2)])
    #expect(added.map(\.flags) == [[], [.isReachable, .isSeeder]])
    #expect(first.first?.dropped.isEmpty == true && talk.isHere(hidden))
    // Within the minute nothing, then what is new.
    let gone = try #require(talk.exchange.peers[called])
    talk.exchange.gone(gone, .lost("gone"), at: talk.now)
    _ = try talk.join(6, isOutgoing: true)
    for _ in 0..<50 { talk.tick() }
    #expect(exchanges(talk, to: peer).isEmpty)
    for _ in 0..<10 { talk.tick() }
    let second = exchanges(talk, to: peer)
    #expect(second.count == 1)
    #expect(second.first?.added.map(\.address) == [Make.address(6)])
    #expect(second.first?.dropped == [Make.address(2)])
  }

  @Test func noMoreThanFiftyAreToldAtATime() throws {
    let talk = try Talk(pieces: 9)
    let peer = try talk.join(1, extensions: true)
    talk.hear(handshake(exchange: 5), from: peer)
    for number in 2...80 { _ = try talk.join(number, isOutgoing: true) }
    var told: [Int] = []
    for _ in 0..<130 {
      talk.tick()
      for number in 2...80 { talk.hear(.keepAlive, from: number) }
      told += exchanges(talk, to: peer).map(\.added.count)
      talk.hear(.keepAlive, from: peer)
    }
    #expect(told == [50, 29])
  }

  @Test func peersOfPeersAreMetButNotTooOftenNorTheBanned() throws {
    let talk = try Talk(pieces: 9)
    let peer = try talk.join(1, extensions: true)
    talk.exchange.ban(Make.address(8).ip, at: talk.now)
    var message = PeerExchange()
    message.added = [7, 8, 9].map { PeerExchange.Added(address: Make.address($0)) }
    let told = PeerMessage.extended(id: 2, payload: message.encoded)
    talk.hear(told, from: peer)
    #expect(talk.takeMet() == [Make.address(7), Make.address(9)])
    talk.hear(told, from: peer)
    talk.time += 29
    talk.hear(told, from: peer)
    #expect(talk.takeMet().isEmpty)
    talk.time += 60
    talk.hear(told, from: peer)
    #expect(talk.takeMet().count == 2)
  }

  @Test func ofAPrivateTorrentPeersAreNeitherToldNorMet() throws {
    let talk = try Talk(pieces: 9, isPrivate: true)
    let peer = try talk.join(1, extensions: true)
    talk.hear(handshake(exchange: 5), from: peer)
    _ = try talk.join(2, isOutgoing: true)
    _ = talk.takeSaid(to: peer)
    for _ in 0..<130 { talk.tick() }
    #expect(exchanges(talk, to: peer).isEmpty)
    var message = PeerExchange()
    message.added = [PeerExchange.Added(address: Make.address(7))]
    talk.hear(.extended(id: 2, payload: message.encoded), from: peer)
    #expect(talk.met.isEmpty)
  }

  @Test func whatIsNoMessageOfAnExtensionDoesNoHarm() throws {
    let talk = try Talk(pieces: 9, isKnown: false)
    let peer = try talk.join(1, extensions: true)
    for id: UInt8 in [0, 1, 2, 3, 255] {
      for payload: [UInt8] in [[], Array("de".utf8), Array("d8:msg_typei0e5:piecei0ee".utf8), Array("le".utf8), [0xFF]]
      {
        talk.hear(.extended(id: id, payload: payload), from: peer)
      }
    }
    #expect(talk.isHere(peer))
  }
}
