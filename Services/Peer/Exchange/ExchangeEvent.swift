import Octets
import TorrentWire

/// What happens between the peers of a torrent and why: this is what people come to see.
enum ExchangeEvent: Sendable {
  case connected(SocketAddress, isOutgoing: Bool)
  case disconnected(SocketAddress, PeerEnd)
  /// The first blocks of a piece are asked for.
  case begun(piece: Int, SocketAddress, PickReason)
  /// All that is missing was asked for.
  case endgame(missing: Int)
  /// The same of a web server, by its URL.
  case fetching(piece: Int, String, PickReason)
  case finished(piece: Int, from: Givers)
  case refused(piece: Int, from: Givers)
  case unchoked(SocketAddress, Choker.Reason)
  case choked(SocketAddress, Choker.Reason)
  /// What the peer does with us.
  case chokedUs(SocketAddress), unchokedUs(SocketAddress)
  case wantsOurs(SocketAddress), wantsNothing(SocketAddress)
  case banned(IPAddress)
  /// Others at its address stay.
  case bannedAlone(SocketAddress)
  /// A web server gave nothing, and why; it gave bad data, and is asked no more.
  case webSeedFailed(String, String), webSeedRefused(String)
  case infoComplete
  case completed
}

/// Who gave a piece.
struct Givers: Sendable {
  var peers: [SocketAddress] = []
  /// By their URLs.
  var webSeeds: [String] = []
}

/// Why a connection ends.
enum PeerEnd: Equatable, Sendable {
  case fault(PeerFault)
  /// It said something that makes no sense now.
  case outOfTurn(String)
  case silent
  case bothSeed
  /// It serves nobody, and others want its place.
  case idle
  case badData
  case twice
  case ourselves
  /// The network, or the peer itself.
  case lost(String)
}

extension PeerEnd {
  var words: String {
    switch self {
    case .fault(let fault): "\(fault)"
    case .outOfTurn(let what): "\(what) out of turn"
    case .silent: "silent too long"
    case .bothSeed: "both have all"
    case .idle: "of no use to either side, and others want its place"
    case .badData: "gave bad data"
    case .twice: "connected already"
    case .ourselves: "this peer itself"
    case .lost(let why): why
    }
  }
}

/// What an exchange wants done.
enum ExchangeAction: Sendable {
  case send(PeerNumber, PeerMessage)
  /// The peer waits for blocks: they are to be had one by one, as fast as it may go.
  case serve(PeerNumber)
  /// To be checked and written; `checked` is waited for.
  case store(piece: Int, [[UInt8]])
  /// To be got from a web server, whole; `fetched` is waited for, or `fetchFailed`.
  case fetch(PeerNumber, piece: Int)
  /// Nobody waits for that any more.
  case abandon(PeerNumber)
  case close(PeerNumber, PeerEnd)
  /// Peers of the torrent that others know.
  case met([SocketAddress])
  /// To be hashed; `install` is waited for, or `metadataIsBad`.
  case checkMetadata([UInt8])
  case tell(ExchangeEvent)
}
