import EventLoop
import Octets
import TorrentWire

/// What is known of one connection with another peer of the torrent.
final class PeerState {
  let number: PeerNumber
  let address: SocketAddress
  let id: PeerID
  let isOutgoing: Bool
  let knowsFast: Bool
  let knowsExtensions: Bool

  /// Which pieces it has.
  var pieces: Bitfield
  /// What it said of its pieces before it was known how many there are.
  var claims = PieceClaims()
  /// Pieces that it has and that are wanted here.
  var useful = 0

  /// It gives us nothing.
  var chokesUs = true
  /// It wants something that is here.
  var wantsOurs = false
  /// It gets nothing from us.
  var isChoked = true
  /// It was told that we want something.
  var isWanted = false
  /// It gave nothing for a minute, though it was asked.
  var isSnubbed = false

  /// What it was asked for, and when.
  var asked: [Block: Instant] = [:]
  /// What it was asked for and need not give any more: it may be on its way all the same.
  private(set) var askedBefore: Set<Block> = []
  private static let beforeLimit = 1000
  /// What it asks for, in its order.
  var wishes: [Block] = []
  /// Pieces that it gives though it chokes us (BEP 6).
  var allowsUs: Set<Int> = []
  /// Pieces that it gets though we choke it.
  var allowed: Set<Int> = []
  /// Octets of those that it got while it was choked.
  var gifts: UInt64 = 0

  var received: RateMeter
  var sent: RateMeter
  var lastBlockAt: Instant
  /// When either side gave something last, or one began or ceased to want something.
  var lastOfUseAt: Instant
  var lastHeardAt: Instant
  var lastSpokenAt: Instant
  var pipeline = Pipeline()

  // The extension protocol (BEP 10).
  var metadataID: UInt8?
  var exchangeID: UInt8?
  var metadataSize: Int?
  var client: String?
  var listenPort: UInt16?
  var requestLimit = 250
  /// Peers of which it was told.
  var toldOf: Set<SocketAddress> = []
  var nextExchangeAt: Instant
  var lastExchangeFromAt: Instant?
  /// Pieces of the info dictionary that it was asked for.
  var metadataAsked: Set<Int> = []
  /// When it was asked first, or gave one last.
  var metadataAskedAt: Instant
  /// Pieces of the info dictionary that it got.
  var metadataGiven = 0

  /// How often it changed its mind on choking us or on being interested, since the last round.
  var flips = 0
  /// Blocks that it gave and that it was never asked for.
  var unasked = 0
  /// Pieces that it had a part in and that were right.
  var goodPieces = 0
  /// The picker had nothing for it, and has changed nothing since.
  var hasNothingSince: Int?
  /// Which piece it was last told that this peer is asked for, and why.
  var lastTold: (piece: Int, reason: String)?

  /// Whether it has to be told why the peer is asked: once for a piece and a reason, not for every block.
  func isNews(_ pick: PiecePicker.Pick) -> Bool {
    guard let lastTold, pick.block.piece == lastTold.piece else { return true }
    switch pick.reason {
    case .begun: return false
    case .endgame, .slow: return pick.reason.name != lastTold.reason
    case .random, .rarest, .again, .allowedFast: return pick.block.offset == 0
    }
  }

  init(
    _ number: PeerNumber, _ address: SocketAddress, _ handshake: Handshake, isOutgoing: Bool, pieceCount: Int,
    at now: Instant
  ) {
    self.number = number
    self.address = address
    self.isOutgoing = isOutgoing
    id = handshake.peerID
    knowsFast = handshake.knowsFast
    knowsExtensions = handshake.knowsExtensions
    pieces = Bitfield(pieceCount: pieceCount)
    received = RateMeter(at: now)
    sent = RateMeter(at: now)
    (lastBlockAt, lastOfUseAt, lastHeardAt, lastSpokenAt) = (now, now, now, now)
    nextExchangeAt = now
    metadataAskedAt = now
  }

  /// It need not give the block any more.
  func forget(_ block: Block) {
    guard asked.removeValue(forKey: block) != nil else { return }
    if askedBefore.count >= Self.beforeLimit { askedBefore = [] }
    askedBefore.insert(block)
  }

  func forgetAll() { for block in askedInOrder { forget(block) } }

  /// A block comes from it: whether it was asked for it, now or before, and since when, if now.
  func takes(_ block: Block) -> (wasAsked: Bool, since: Instant?) {
    let since = asked.removeValue(forKey: block)
    let wasBefore = askedBefore.remove(block) != nil
    return (since != nil || wasBefore, since)
  }

  /// The same whatever the hashes of this run are.
  var askedInOrder: [Block] { asked.keys.sorted { ($0.piece, $0.offset) < ($1.piece, $1.offset) } }

  var isSeeder: Bool { pieces.pieceCount > 0 && pieces.isFull }

  /// Where it takes connections, as far as that is known.
  var reachableAt: SocketAddress? {
    if isOutgoing { return address }
    return listenPort.flatMap { $0 > 0 ? SocketAddress(ip: address.ip, port: $0) : nil }
  }

  func rates(at now: Instant) -> (received: Double, sent: Double) {
    (received.rate(at: now), sent.rate(at: now))
  }
}

/// What a peer says of its pieces while nobody here knows how many there are (BEP 9).
struct PieceClaims: Sendable {
  private var bits: [UInt8] = []
  private var all = false
  private var single: Set<Int> = []
  private static let limit = 100_000

  mutating func bitfield(_ octets: [UInt8]) { bits = octets }
  mutating func everything() { all = true }
  mutating func have(_ piece: Int) { if single.count < Self.limit { single.insert(piece) } }

  /// Nil where the claims are not of so many pieces.
  func pieces(of pieceCount: Int) -> Bitfield? {
    if all { return Bitfield(pieceCount: pieceCount, isFull: true) }
    guard
      var pieces = bits.isEmpty ? Bitfield(pieceCount: pieceCount) : Bitfield(bits, pieceCount: pieceCount)
    else { return nil }
    for piece in single {
      guard piece < pieceCount else { return nil }
      pieces[piece] = true
    }
    return pieces
  }
}

/// How many blocks a peer is asked for at a time: as many as keep it busy until what is asked next arrives there, the link's
/// bandwidth times its delay; few more, for what is asked of a slow peer is asked of nobody else.
///
/// At first neither is known. Then each block that comes is answered with one request more, so that the number doubles with each way
/// there and back, until a second brings no more than the one before it.
struct Pipeline: Sendable {
  private var isStarting = true
  private var window = least
  /// Blocks of this second, and what a second brings.
  private var arrived = 0
  private var blocksPerSecond = 0.0
  /// The shortest time from a request to its block: the way there and back.
  private var delay = longest
  /// A loop may be busy with others for a while.
  private static let slack = Duration.milliseconds(250)
  private static let longest = Duration.seconds(5)
  private static let least = 4
  private static let most = 500

  mutating func blockCame(after time: Duration) {
    delay = min(delay, time)
    arrived += 1
    if isStarting { window = min(Self.most, window + 1) }
  }

  /// After a pause, nothing of the rate is known.
  mutating func restart() {
    isStarting = true
    window = max(Self.least, window / 2)
    (arrived, blocksPerSecond) = (0, 0)
  }

  /// Once a second.
  mutating func second() {
    let came = Double(arrived)
    if isStarting, blocksPerSecond > 0, came <= blocksPerSecond * 1.1 { isStarting = false }
    // What one second lacks for chance, the next may bring.
    blocksPerSecond = isStarting || came > blocksPerSecond ? came : (blocksPerSecond + came) / 2
    arrived = 0
  }

  func depth(limit: Int) -> Int {
    let time = min(Self.longest, max(Self.slack, delay * 2))
    let blocks = isStarting ? window : Int((blocksPerSecond * (time / .seconds(1))).rounded(.up)) + 2
    return min(limit, Self.most, max(Self.least, blocks))
  }
}
