import EventLoop
import Octets
import ServiceKit
import Testing
import TorrentWire

@testable import Peer

/// One exchange and what it says to peers that a test plays itself.
final class Talk {
  let exchange: Exchange
  let info: TorrentInfo
  /// Seconds since the beginning.
  var time = 0.0
  private(set) var said: [PeerNumber: [PeerMessage]] = [:]
  private(set) var ends: [PeerNumber: PeerEnd] = [:]
  private(set) var events: [ExchangeEvent] = []
  private(set) var stored: [Int] = []
  private(set) var fetches: [(seed: PeerNumber, piece: Int)] = []
  private(set) var abandoned: [PeerNumber] = []
  private(set) var served: [PeerNumber] = []
  private(set) var met: [SocketAddress] = []
  private(set) var metadata: [[UInt8]] = []

  /// - Parameter isKnown: the info dictionary is there from the beginning.
  init(
    pieces: Int, have: [Int] = [], wanted: Bitfield? = nil, isPrivate: Bool = false, isKnown: Bool = true,
    id: Int = 100,
    seed: UInt64 = 1, _ change: (inout Exchange.Settings) -> Void = { _ in }
  ) throws {
    info = try Make.info(pieces: pieces, isPrivate: isPrivate)
    var here = Bitfield(pieceCount: pieces)
    for piece in have { here[piece] = true }
    var settings = Exchange.Settings()
    change(&settings)
    exchange = Exchange(
      infoHash: try #require(Make.hash()), info: isKnown ? info : nil, have: isKnown ? here : nil, wanted: wanted,
      peerID: try #require(Make.id(id)), settings: settings, random: Chance(seed: seed), at: Make.time(0))
  }

  var now: Instant { Make.time(time) }

  func handshake(_ number: Int, fast: Bool, extensions: Bool) throws -> Handshake {
    Handshake(
      infoHash: try #require(Make.hash()), peerID: try #require(Make.id(number)), knowsFast: fast,
      knowsExtensions: extensions)
  }

  /// A peer whose id and address are made of the number.
  func join(
    _ number: Int, fast: Bool = true, extensions: Bool = false, isOutgoing: Bool = false
  ) throws -> PeerNumber {
    let result = exchange.join(
      Make.address(number), try handshake(number, fast: fast, extensions: extensions), isOutgoing: isOutgoing, at: now)
    collect()
    return try result.get()
  }

  /// The same, and it says that it has all, or just these pieces.
  func join(_ number: Int, fast: Bool = true, having pieces: [Int]?) throws -> PeerNumber {
    let peer = try join(number, fast: fast)
    var bits = Bitfield(pieceCount: info.pieceCount, isFull: pieces == nil)
    for piece in pieces ?? [] { bits[piece] = true }
    hear(.bitfield(bits.octets), from: peer)
    return peer
  }

  /// A peer that has all and gives it.
  func joinGiver(_ number: Int, fast: Bool = true) throws -> PeerNumber {
    let peer = try join(number, fast: fast, having: nil)
    hear(.unchoke, from: peer)
    return peer
  }

  func hear(_ message: PeerMessage, from peer: PeerNumber) {
    exchange.received(message, from: peer, at: now)
    collect()
  }

  /// The block as it should be.
  func give(_ block: Block, from peer: PeerNumber) {
    hear(
      .piece(piece: block.piece, offset: block.offset, content: Array(repeating: 1, count: block.length)), from: peer)
  }

  func check(_ piece: Int, _ check: Exchange.Check = .good) {
    exchange.checked(piece, check, at: now)
    collect()
  }

  /// Gives all that is asked for until nothing is, and every piece is good.
  func giveAll(from peer: PeerNumber) {
    while true {
      let asked = requests(to: peer)
      if asked.isEmpty { return }
      for block in asked { give(block, from: peer) }
      for piece in takeStored() { check(piece) }
    }
  }

  func tick(after seconds: Double = 1) {
    time += seconds
    exchange.tick(at: now)
    collect()
  }

  func collect() {
    for action in exchange.takeActions() {
      switch action {
      case .send(let peer, let message): said[peer, default: []].append(message)
      case .serve(let peer): served.append(peer)
      case .store(let piece, _): stored.append(piece)
      case .fetch(let seed, let piece): fetches.append((seed, piece))
      case .abandon(let seed): abandoned.append(seed)
      case .close(let peer, let end): ends[peer] = end
      case .met(let addresses): met += addresses
      case .checkMetadata(let octets): metadata.append(octets)
      case .tell(let event): events.append(event)
      }
    }
  }

  // MARK: What was said since it was last asked

  func takeSaid(to peer: PeerNumber) -> [PeerMessage] { said.removeValue(forKey: peer) ?? [] }

  /// Why it was asked, as it was told.
  func reasons(for peer: PeerNumber) -> [PickReason] {
    let asked = exchange.peers[peer]?.address
    return events.compactMap { if case .begun(_, asked, let why) = $0 { why } else { nil } }
  }

  func requests(to peer: PeerNumber) -> [Block] {
    takeSaid(to: peer).compactMap {
      if case .request(let block) = $0 { return block }
      return nil
    }
  }

  func extended(to peer: PeerNumber) -> [(id: UInt8, payload: [UInt8])] {
    takeSaid(to: peer).compactMap {
      if case .extended(let id, let payload) = $0 { return (id, payload) }
      return nil
    }
  }

  func takeStored() -> [Int] {
    defer { stored = [] }
    return stored
  }

  func takeFetches() -> [(seed: PeerNumber, piece: Int)] {
    defer { fetches = [] }
    return fetches
  }

  func takeMet() -> [SocketAddress] {
    defer { met = [] }
    return met
  }

  func takeMetadata() -> [[UInt8]] {
    defer { metadata = [] }
    return metadata
  }

  func isHere(_ peer: PeerNumber) -> Bool { exchange.peers[peer] != nil }
}
