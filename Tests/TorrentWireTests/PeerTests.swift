import Octets
import Testing

@testable import TorrentWire

@Suite struct HandshakeTests {
  static func handshake() throws -> Handshake {
    Handshake(
      infoHash: try #require(InfoHash(AnnounceRequestTests.octets)),
      peerID: try #require(PeerID(Array("-NU0001-abcdefghijkl".utf8))))
  }

  @Test func itIsReadHoweverMuchHasCome() throws {
    let handshake = try Self.handshake()
    let octets = handshake.encoded
    #expect(octets.count == 68 && octets[20..<28].elementsEqual([0, 0, 0, 0, 0, 0x10, 0, 0x04]))
    for end in 0..<48 { #expect(Handshake.read(octets[..<end]) == .more(nil)) }
    for end in 48..<68 { #expect(Handshake.read(octets[..<end]) == .more(handshake.infoHash)) }
    #expect(Handshake.read(octets) == .whole(handshake) && Handshake.read(octets + [1, 2]) == .whole(handshake))
  }

  @Test(arguments: ["GET / HTTP/1.1\r\n", "\u{13}BitTorrent protoc0l", "\u{12}"])
  func anotherProtocolIsForeignAtOnce(text: String) { #expect(Handshake.read(Array(text.utf8)) == .foreign) }
}

@Suite struct PeerMessageTests {
  static let block = Block(piece: 1, offset: 16_384, length: 16_384)
  static let messages: [PeerMessage] = [
    .keepAlive, .choke, .unchoke, .interested, .notInterested, .have(piece: 9), .bitfield([0xA0, 0x40]),
    .request(block),
    .piece(piece: 1, offset: 0, content: [1, 2, 3]), .piece(piece: 1, offset: 0, content: []), .cancel(block),
    .port(6881),
    .suggest(piece: 0), .haveAll, .haveNone, .reject(block), .allowedFast(piece: 3),
    .extended(id: 0, payload: [0x64, 0x65]),
    .extended(id: 3, payload: []), .unknown(id: 99),
  ]

  @Test func everyMessageIsReadAtEveryCut() throws {
    let octets = Self.messages.flatMap(\.encoded)
    for cut in 0...octets.count {
      var decoder = PeerMessageDecoder(pieceCount: 10)
      var read: [PeerMessage] = []
      for part in [octets[..<cut], octets[cut...]] {
        try decoder.feed(part) { read.append($0) }
      }
      #expect(read == Self.messages && decoder.pending == 0)
    }
  }

  @Test func octetByOctet() throws {
    var decoder = PeerMessageDecoder(pieceCount: 10)
    var read: [PeerMessage] = []
    for octet in Self.messages.flatMap(\.encoded) {
      try decoder.feed([octet]) { read.append($0) }
    }
    #expect(read == Self.messages && decoder.pending == 0)
  }

  @Test(
    arguments: [
      ([0, 0, 0, 2, 0, 0], PeerFault.badLength(id: 0, length: 1)), ([0, 0, 0, 1, 4], .badLength(id: 4, length: 0)),
      ([0, 0, 0, 4, 4], .badLength(id: 4, length: 3)), ([0, 0, 0, 14, 6], .badLength(id: 6, length: 13)),
      ([0, 0, 0, 8, 7], .badLength(id: 7, length: 7)), ([0, 2, 0, 10, 7], .tooLong(id: 7, length: 131_081)),
      ([0, 0, 0, 2, 5], .badLength(id: 5, length: 1)), ([0, 0, 0, 4, 5], .badLength(id: 5, length: 3)),
      ([0, 0, 0, 3, 5, 0, 0x20], .outOfRange(id: 5)), ([0, 0, 0, 5, 4, 0, 0, 0, 10], .outOfRange(id: 4)),
      ([0, 0, 0, 5, 4, 0xFF, 0xFF, 0xFF, 0xFF], .outOfRange(id: 4)),
      ([0, 0, 0, 13, 6, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0], .outOfRange(id: 6)),
      ([0, 0, 0, 13, 6, 0, 0, 0, 1, 0, 0, 0, 0, 0, 2, 0, 1], .outOfRange(id: 6)),
      ([0, 0, 0, 1, 20], .badLength(id: 20, length: 0)),
      ([0x47, 0x45, 0x54, 0x20, 0x2F], .tooLong(id: 0x2F, length: 0x4745_541F)),
      ([0x47, 0x45, 0x54, 0x20], .tooLong(id: nil, length: 0x4745_541F)),
      ([0xFF, 0xFF, 0xFF, 0xFF, 20], .tooLong(id: 20, length: 0xFFFF_FFFE)),
    ] as [([UInt8], PeerFault)])
  func whatCanNotBeIsToldBeforeItIsWaitedFor(octets: [UInt8], fault: PeerFault) {
    var decoder = PeerMessageDecoder(pieceCount: 10)
    let message = PeerMessage.have(piece: 1)
    var read: [PeerMessage] = []
    #expect(throws: fault) { try decoder.feed((message.encoded + octets)[...]) { read.append($0) } }
    #expect(read == [message])
  }

  @Test func aBitfieldOfUnknownLengthIsTakenWithinABound() throws {
    var decoder = PeerMessageDecoder(pieceCount: nil)
    let messages = [PeerMessage.bitfield([1, 2, 3]), .have(piece: 5_000_000)]
    var read: [PeerMessage] = []
    try decoder.feed(messages.flatMap(\.encoded)[...]) { read.append($0) }
    #expect(read == messages)
    #expect(throws: PeerFault.tooLong(id: 5, length: 1_048_577)) {
      try decoder.feed([0, 0x10, 0, 2, 5]) { _ in }
    }
  }
}

@Suite struct BitfieldTests {
  @Test func piecesAreBitsFromTheTop() {
    var field = Bitfield(pieceCount: 10)
    #expect(field.isEmpty && field.octets == [0, 0])
    field[0] = true
    field[9] = true
    field[9] = true
    #expect(field.octets == [0x80, 0x40] && field.held == 2 && field[9] && !field[8])
    field[0] = false
    #expect(field.held == 1 && !field[0])
  }

  @Test func allIsNoBitMore() {
    let full = Bitfield(pieceCount: 10, isFull: true)
    #expect(full.octets == [0xFF, 0xC0] && full.isFull && full.held == 10)
    #expect(Bitfield(full.octets, pieceCount: 10) == full)
    #expect(Bitfield([0xFF, 0xC1], pieceCount: 10) == nil && Bitfield([0xFF], pieceCount: 10) == nil)
    #expect(
      Bitfield(pieceCount: 8, isFull: true).octets == [0xFF] && Bitfield(pieceCount: 0, isFull: true).octets.isEmpty)
  }

  @Test func oneIsOfUseToAnother() {
    var (mine, theirs) = (Bitfield(pieceCount: 9), Bitfield(pieceCount: 9))
    theirs[8] = true
    #expect(theirs.hasSomething(for: mine) && !mine.hasSomething(for: theirs))
    mine[8] = true
    #expect(!theirs.hasSomething(for: mine))
  }
}

@Suite struct ExtensionTests {
  @Test func theHandshakeIsAsItWasWritten() throws {
    var handshake = ExtensionHandshake()
    handshake.metadataID = 1
    handshake.exchangeID = 2
    handshake.metadataSize = 31_235
    handshake.client = "Network Utopia"
    handshake.port = 6881
    handshake.requestLimit = 250
    handshake.yourAddress = .loopbackV4
    #expect(ExtensionHandshake(handshake.encoded) == handshake)
    #expect(ExtensionHandshake(ExtensionHandshake().encoded) == ExtensionHandshake())
  }

  /// The example of BEP 10, with what makes no sense in it.
  @Test func othersHandshakesAreRead() throws {
    let text =
      "d1:md11:LT_metadatai1e6:qT_PEXi2e6:ut_pexi300ee13:metadata_sizei99999999999e1:pi6881e1:v13:\u{B5}Torrent 1.2e"
    let handshake = try #require(ExtensionHandshake(Array(text.utf8)))
    #expect(handshake.port == 6881 && handshake.exchangeID == nil && handshake.metadataSize == nil)
    #expect(handshake.client == "\u{B5}Torrent 1.2")
    for text in ["", "i1e", "d1:md", "le"] { #expect(ExtensionHandshake(Array(text.utf8)) == nil) }
  }

  /// The examples of BEP 9.
  @Test func metadataMessages() {
    #expect(MetadataMessage.request(piece: 0).encoded == Array("d8:msg_typei0e5:piecei0ee".utf8))
    #expect(MetadataMessage.reject(piece: 0).encoded == Array("d8:msg_typei2e5:piecei0ee".utf8))
    let data = MetadataMessage.data(piece: 0, totalSize: 34_256, content: [0x78, 0x65])
    #expect(data.encoded == Array("d8:msg_typei1e5:piecei0e10:total_sizei34256eexe".utf8))
    for message in [.request(piece: 3), .reject(piece: 3), data] {
      #expect(MetadataMessage(message.encoded) == message)
    }
    for text in [
      "", "de", "d8:msg_typei0ee", "d8:msg_typei7e5:piecei0ee", "d8:msg_typei0e5:piecei-1ee",
      "d8:msg_typei0e5:piecei99999ee",
      "d8:msg_typei1e5:piecei0ee", "d8:msg_typei1e5:piecei0e10:total_sizei5ee",
    ] { #expect(MetadataMessage(Array(text.utf8)) == nil) }
    let large = MetadataMessage.data(piece: 0, totalSize: 34_256, content: Array(repeating: 1, count: 16_385))
    #expect(MetadataMessage(large.encoded) == nil)
  }

  @Test func peersAreExchanged() {
    var exchange = PeerExchange()
    exchange.added = [
      .init(address: SocketAddress(ip: .loopbackV4, port: 1), flags: [.isSeeder, .isReachable]),
      .init(address: SocketAddress(ip: .loopbackV6, port: 2), flags: .isReachable),
    ]
    exchange.dropped = [SocketAddress(ip: .loopbackV4, port: 3), SocketAddress(ip: .loopbackV6, port: 4)]
    #expect(PeerExchange(exchange.encoded) == exchange)
    #expect(PeerExchange(Array("d5:added5:abcdee".utf8)) == nil && PeerExchange(Array("le".utf8)) == nil)
    #expect(PeerExchange(Array("de".utf8)) == PeerExchange())
    exchange.added = Array(repeating: exchange.added[0], count: 100)
    #expect(PeerExchange(exchange.encoded)?.added.count == PeerExchange.limit)
  }
}
