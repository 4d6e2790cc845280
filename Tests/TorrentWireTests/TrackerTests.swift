import Octets
import Testing

@testable import TorrentWire

@Suite struct AnnounceRequestTests {
  static let hash = "%12%34Vx%9a%BC%DE%f1%23Eg%89%ab%cd%ef%124Vx%9A"
  static let octets: [UInt8] = [
    0x12, 0x34, 0x56, 0x78, 0x9A, 0xBC, 0xDE, 0xF1, 0x23, 0x45, 0x67, 0x89, 0xAB, 0xCD, 0xEF, 0x12, 0x34, 0x56, 0x78,
    0x9A,
  ]
  static let peer = "-NU0001-%00%2B+abcdefghi"
  static let required = "info_hash=\(hash)&peer_id=\(peer)&port=6881"

  static func read(_ query: String) throws(TrackerFailure) -> AnnounceRequest {
    try AnnounceRequest(query: Array(query.utf8)[...])
  }

  /// Octets are octets: no form, no UTF-8, and a plus is a plus.
  @Test func hashAndIdAreOctets() throws {
    let request = try Self.read(Self.required)
    #expect(request.infoHash == InfoHash(Self.octets))
    #expect(request.peerID.octets == Array("-NU0001-".utf8) + [0, 0x2B, 0x2B] + Array("abcdefghi".utf8))
    #expect(request.port == 6881 && request.event == .none && request.left == nil && request.wanted == nil)
    #expect(!request.wantsDictionaries && !request.leavesOutIDs && request.claimedAddress == nil)
  }

  @Test func whatIsEmptyOrUnknownDoesNoHarm() throws {
    let query = "&a&=&&x=y&event=&left=&numwant=&ip=&key=&compact=&\(Self.required)&uploaded&event=paused&&"
    let request = try Self.read(query)
    #expect(request.event == .none && request.left == nil && request.wanted == nil && request.key == nil)
  }

  /// All ones, as by UDP: it says that it does not know.
  @Test func anEndlessRestIsUnknown() throws {
    #expect(try Self.read("\(Self.required)&left=18446744073709551615").left == nil)
    #expect(try Self.read("\(Self.required)&left=5").left == 5)
  }

  @Test func theRestIsRead() throws {
    let request = try Self.read(
      Self.required
        + "&uploaded=1&downloaded=18446744073&left=0&event=completed&numwant=7&key=%00ab&compact=0&no_peer_id=1&ip=::1&trackerid=t"
    )
    #expect(request.uploaded == 1 && request.downloaded == 18_446_744_073 && request.left == 0)
    #expect(request.event == .completed && request.wanted == 7 && request.key == [0, 0x61, 0x62])
    #expect(request.wantsDictionaries && request.leavesOutIDs && request.trackerID == [0x74])
    #expect(request.claimedAddress == .loopbackV6)
    #expect(try Self.read("\(Self.required)&event=started").event == .started)
    #expect(try Self.read("\(Self.required)&event=stopped").event == .stopped)
  }

  @Test(
    arguments: [("-1", nil), ("0", 0), ("99999999999", 99_999_999_999), ("99999999999999999999", .max)]
      as [(String, Int?)])
  func numwant(text: String, wanted: Int?) throws {
    #expect(try Self.read("\(Self.required)&numwant=\(text)").wanted == wanted)
  }

  @Test(arguments: [
    ("", "info_hash has to be 20 octets"), ("info_hash=abc", "info_hash has to be 20 octets"),
    ("info_hash=\(hash)", "peer_id has to be 20 octets"),
    ("info_hash=\(hash)&info_hash=\(hash)&peer_id=\(peer)&port=1", "info_hash may be given once"),
    ("info_hash=\(hash)%00&peer_id=\(peer)&port=1", "info_hash has to be 20 octets"),
    ("info_hash=\(hash)&peer_id=\(peer)", "port is missing"),
    ("info_hash=\(hash)&peer_id=\(peer)&port=65536", "port has to be 0 to 65535"),
    ("info_hash=\(hash)&peer_id=\(peer)&port=-1", "port has to be 0 to 65535"),
    ("info_hash=\(hash)&peer_id=\(peer)&port=x", "port is no number"),
    ("\(required)&uploaded=1e3", "uploaded is no number"), ("\(required)&left=+1", "left is no number"),
    ("\(required)&downloaded=-", "downloaded is no number"),
  ])
  func whatCanNotBeAnsweredIsSaid(query: String, reason: String) {
    #expect(throws: TrackerFailure(reason)) { try Self.read(query) }
  }

  @Test func whatAClientWritesIsRead() throws {
    var request = AnnounceRequest(
      infoHash: try #require(InfoHash(Self.octets)), peerID: try #require(PeerID(Self.octets)), port: 1)
    request.uploaded = 3
    request.left = 9
    request.event = .started
    request.wanted = 0
    request.key = [0, 1]
    request.trackerID = [0x26]
    #expect(try Self.read(request.query) == request)
  }

  @Test func aScrapeNamesItsTorrents() throws {
    let one = "info_hash=\(Self.hash)"
    let query = { (text: String) in Array(text.utf8)[...] }
    #expect(try ScrapeRequest.infoHashes(query: query("\(one)&x&\(one)"), limit: 2).count == 2)
    for text in ["", "info_hash=", "info_hash=abc", "\(one)&\(one)&\(one)"] {
      #expect(throws: TrackerFailure.self) { try ScrapeRequest.infoHashes(query: query(text), limit: 2) }
    }
    let hashes = [try #require(InfoHash(Self.octets))]
    #expect(try ScrapeRequest.infoHashes(query: query(ScrapeRequest.query(hashes)), limit: 1) == hashes)
  }
}

@Suite struct AnnounceReplyTests {
  static func reply() throws -> AnnounceReply {
    var reply = AnnounceReply(interval: 1800, seeders: 2, leechers: 1)
    reply.minInterval = 900
    reply.downloads = 5
    reply.peers = [
      .init(
        address: SocketAddress(ip: IPAddress(v4: 0x7F00_1E0B), port: 6881), id: PeerID(AnnounceRequestTests.octets)),
      .init(address: SocketAddress(ip: .loopbackV6, port: 6882), id: PeerID(AnnounceRequestTests.octets)),
    ]
    reply.externalAddress = .loopbackV4
    reply.trackerID = [1]
    reply.warning = "soon"
    return reply
  }

  @Test func itIsCompact() throws {
    let reply = try Self.reply()
    let octets = reply.encoded(.compact)
    let v4 = Array("5:peers6:".utf8) + [127, 0, 30, 11, 0x1A, 0xE1]
    #expect(octets.indices.contains { octets[$0...].starts(with: v4) })
    let read = try AnnounceReply(decoding: octets[...])
    var bare = reply
    bare.peers = PeerList(reply.peers.map { .init(address: $0.address) })
    #expect(read == bare)
  }

  @Test(arguments: [true, false]) func orAListOfDictionaries(withIDs: Bool) throws {
    let reply = try Self.reply()
    let read = try AnnounceReply(decoding: reply.encoded(.dictionaries(withIDs: withIDs))[...])
    #expect(read.peers.map(\.address) == reply.peers.map(\.address))
    #expect(read.peers.allSatisfy { ($0.id != nil) == withIDs })
  }

  @Test(arguments: [
    (TrackerFailure("no"), "d14:failure reason2:noe"),
    (TrackerFailure("no", retry: .minutes(5)), "d14:failure reason2:no8:retry ini5ee"),
    (TrackerFailure("no", retry: .never), "d14:failure reason2:no8:retry in5:nevere"),
  ])
  func aFailureIsTold(failure: TrackerFailure, text: String) {
    #expect(failure.encoded == Array(text.utf8))
    #expect(throws: failure) { try AnnounceReply(decoding: Array(text.utf8)[...]) }
  }

  @Test(arguments: [
    "", "x", "le", "de", "d8:intervali-1ee", "d8:intervali1e5:peers5:abcdee", "d8:intervali1e6:peers66:abcdefe",
    "<html>",
  ])
  func whatIsNoAnswerIsRefused(text: String) {
    #expect(throws: TrackerFailure.self) { try AnnounceReply(decoding: Array(text.utf8)[...]) }
  }

  /// A tracker may tell some ids and others not.
  @Test func idsStayWithTheirPeers() throws {
    let id = try #require(PeerID(AnnounceRequestTests.octets))
    for isV6 in [false, true] {
      let address = SocketAddress(ip: isV6 ? .loopbackV6 : .loopbackV4, port: 1)
      let told: [PeerID?] = [nil, id, nil, nil, id, nil]
      let list = PeerList(told.map { .init(address: address, id: $0) })
      #expect(list.map(\.id) == told && list.count == 6)
    }
  }

  @Test func peersThatMakeNoSenseAreLeftOut() throws {
    let text =
      "d8:intervali1e5:peersld2:ip9:localhost4:porti1eed2:ip9:127.0.0.14:porti0eed2:ip9:127.0.0.14:porti7eei5eee"
    #expect(try AnnounceReply(decoding: Array(text.utf8)[...]).peers.map(\.address.port) == [7])
  }

  @Test func aScrapeIsAnswered() throws {
    let one = ScrapeEntry(
      infoHash: try #require(InfoHash(AnnounceRequestTests.octets)), seeders: 1, leechers: 2, downloads: 3)
    var other = one
    other.infoHash = try #require(InfoHash(hex: String(repeating: "0", count: 40)))
    let octets = ScrapeReply.encode([one, other, one], minInterval: 60)
    #expect(try ScrapeReply.decode(octets[...]) == [other, one])
    #expect(try Bencode.decode(octets[...])["flags"]?["min_request_interval"]?.integer == 60)
    #expect(throws: TrackerFailure("gone")) { try ScrapeReply.decode(TrackerFailure("gone").encoded[...]) }
  }
}

@Suite struct UDPTrackerTests {
  static func request(_ octets: [UInt8]) -> (transaction: UInt32, request: UDPTracker.Request)? {
    unsafe UDPTracker.request(octets.span.bytes)
  }

  static func reply(_ octets: [UInt8], isV6: Bool = false) -> (transaction: UInt32, reply: UDPTracker.Reply)? {
    unsafe UDPTracker.reply(octets.span.bytes, isV6: isV6)
  }

  static func announce() throws -> AnnounceRequest {
    var announce = AnnounceRequest(
      infoHash: try #require(InfoHash(AnnounceRequestTests.octets)),
      peerID: try #require(PeerID(AnnounceRequestTests.octets)),
      port: 6881)
    announce.downloaded = 1
    announce.left = 2
    announce.uploaded = 3
    announce.event = .started
    announce.key = [1, 2, 3, 4]
    announce.wanted = nil
    return announce
  }

  /// The layout of BEP 15.
  @Test func aConnectIsSixteenOctets() throws {
    let octets: [UInt8] = [0, 0, 4, 0x17, 0x27, 0x10, 0x19, 0x80, 0, 0, 0, 0, 1, 2, 3, 4]
    #expect(UDPTracker.encode(.connect, transaction: 0x0102_0304) == octets)
    let read = try #require(Self.request(octets))
    #expect(read.transaction == 0x0102_0304 && read.request == .connect)
    var foreign = octets
    foreign[7] = 0
    #expect(Self.request(foreign) == nil)
    for end in 0..<16 { #expect(Self.request(Array(octets[..<end])) == nil) }
  }

  @Test(arguments: [0, 1, 255, 256, 600]) func anAnnounceIsAsItWasWritten(path: Int) throws {
    let announce = UDPTracker.Request.announce(
      connection: 7, try Self.announce(), path: Array(repeating: 0x2F, count: path))
    let octets = UDPTracker.encode(announce, transaction: 9)
    #expect(octets.count >= UDPTracker.announceSize && (path > 0 || octets.count == UDPTracker.announceSize))
    #expect(try #require(Self.request(octets)).request == announce)
    for end in 0..<UDPTracker.announceSize { #expect(Self.request(Array(octets[..<end])) == nil) }
    // More behind it does no harm.
    #expect(try #require(Self.request(octets + [0, 1, 2, 250])).request == announce)
  }

  @Test func optionsAreReadAsFarAsTheyGo() throws {
    let bare = UDPTracker.encode(.announce(connection: 7, try Self.announce(), path: []), transaction: 9)
    for (options, path) in [
      ([1, 1, 2, 1, 0x61, 1, 2, 2, 0x62, 0x63, 0, 2, 1, 0x64], "abc"), ([2, 5, 0x61], ""),
      ([9, 1, 0x61, 2, 1, 0x62], "b"), ([2], ""),
    ] as [([UInt8], String)] {
      guard case .announce(_, _, let read)? = Self.request(bare + options)?.request else { return #expect(Bool(false)) }
      #expect(String(decoding: read, as: UTF8.self) == path)
    }
    let endless = bare + Array(repeating: [2, 255] + Array(repeating: 0x61, count: 255), count: 100).flatMap { $0 }
    guard case .announce(_, _, let read)? = Self.request(endless)?.request else { return #expect(Bool(false)) }
    #expect(read.count <= UDPTracker.pathLimit)
  }

  @Test func aScrapeHasAsManyAsFit() throws {
    let hash = try #require(InfoHash(AnnounceRequestTests.octets))
    let octets = UDPTracker.encode(.scrape(connection: 5, Array(repeating: hash, count: 100)), transaction: 1)
    #expect(octets.count == 16 + 20 * UDPTracker.scrapeLimit)
    guard case .scrape(5, let hashes)? = Self.request(octets)?.request else { return #expect(Bool(false)) }
    #expect(hashes.count == UDPTracker.scrapeLimit)
    #expect(Self.request(Array(octets.prefix(16))) == nil)
  }

  @Test func repliesAreAsTheyWereWritten() throws {
    var announce = AnnounceReply(interval: 1800, seeders: 2, leechers: 1)
    announce.peers = [.init(address: SocketAddress(ip: IPAddress(v4: 0x7F00_1E0B), port: 6881))]
    var v6 = announce
    v6.peers = [.init(address: SocketAddress(ip: .loopbackV6, port: 6881))]
    for (reply, isV6, size) in [
      (.connect(connection: .max), false, 16), (.announce(announce), false, 26), (.announce(v6), true, 38),
      (.scrape([.init(seeders: 1, downloads: 2, leechers: 3)]), false, 20), (.error("no"), false, 10),
    ] as [(UDPTracker.Reply, Bool, Int)] {
      var octets: [UInt8] = []
      UDPTracker.encode(reply, transaction: 77, into: &octets)
      #expect(octets.count == size)
      let read = try #require(Self.reply(octets, isV6: isV6))
      #expect(read.transaction == 77 && read.reply == reply)
      for end in 0..<octets.count { _ = Self.reply(Array(octets[..<end]), isV6: isV6) }
    }
    #expect(Self.reply([0, 0, 0, 9, 0, 0, 0, 1]) == nil)
  }
}
