import EventLoop
import HTTPServer
import HTTPWire
import Octets
import ServiceKit
import TorrentWire

/// `/v1/events`
extension PeerAPI {
  func listenToEvents(_ request: Request) async throws -> Response {
    guard let listener = around.events.listen(after: request.header("last-event-id")) else {
      throw Problem(503, "Too many are listening already.", retryAfter: 5)
    }
    return .events(of: listener, on: request.loop) { event in
      var view = DecisionView()
      let name: String
      switch event {
      case .added(let hash): (name, view.infoHash) = ("torrent.added", "\(hash)")
      case .removed(let hash): (name, view.infoHash) = ("torrent.removed", "\(hash)")
      case .stateChanged(let hash, let state):
        (name, view.infoHash, view.state) = ("torrent.state", "\(hash)", state.name)
        if case .failed(let reason) = state { view.error = reason }
      case .exchange(let hash, let event):
        view = DecisionView(event)
        (name, view.infoHash) = (view.event ?? "", "\(hash)")
        view.event = nil
      case .rates(let hash, let download, let upload, let pieces):
        (name, view.infoHash) = ("rates", "\(hash)")
        (view.downloadRate, view.uploadRate, view.piecesHere) = (download, upload, pieces)
      case .reset: name = "reset"
      }
      return (name, try JSON.encode(view))
    }
  }
}

/// Something that was decided, and why.
struct DecisionView: Encodable {
  var id: Int64?
  var time: WorldTime?
  var event: String?
  var infoHash: String?
  var state: String?
  /// Why it stands still.
  var error: String?
  var peer: String?
  var peers: [String]?
  /// URLs.
  var webSeed: String?
  var webSeeds: [String]?
  var piece: Int?
  var outgoing: Bool?
  var reason: String?
  /// Octets a second that decided it.
  var rate: Int?
  /// What the last of those that are given something gives.
  var lowest: Int?
  /// How many peers have the piece, and how many pieces are equally rare.
  var availability: Int?
  var equals: Int?
  var missing: Int?
  var downloadRate: Int?
  var uploadRate: Int?
  var piecesHere: Int?

  init() {}

  init(_ decision: Torrent.Decision) {
    self.init(decision.event)
    id = decision.id
    time = WorldTime(seconds: decision.time)
  }

  init(_ event: ExchangeEvent) {
    switch event {
    case .connected(let address, let isOutgoing):
      (self.event, peer, outgoing) = ("peer.connected", "\(address)", isOutgoing)
    case .disconnected(let address, let end):
      (self.event, peer, reason) = ("peer.disconnected", "\(address)", end.words)
    case .begun(let piece, let address, let why):
      (self.event, self.piece, peer, reason) = ("piece.begun", piece, "\(address)", why.name)
      if case .rarest(let peers, let equals) = why { (availability, self.equals) = (peers, equals) }
    case .fetching(let piece, let url, let why):
      (self.event, self.piece, webSeed, reason) = ("piece.begun", piece, url, why.name)
      if case .rarest(let peers, let equals) = why { (availability, self.equals) = (peers, equals) }
    case .webSeedFailed(let url, let why): (self.event, webSeed, reason) = ("web_seed.failed", url, why)
    case .webSeedRefused(let url): (self.event, webSeed, reason) = ("web_seed.refused", url, "gave bad data")
    case .endgame(let missing): (self.event, self.missing) = ("endgame", missing)
    case .finished(let piece, let from): (self.event, self.piece) = ("piece.finished", piece); name(from)
    case .refused(let piece, let from): (self.event, self.piece) = ("piece.refused", piece); name(from)
    case .unchoked(let address, let why): (self.event, peer) = ("peer.unchoked", "\(address)"); explain(why)
    case .choked(let address, let why): (self.event, peer) = ("peer.choked", "\(address)"); explain(why)
    case .chokedUs(let address): (self.event, peer) = ("peer.chokes_us", "\(address)")
    case .unchokedUs(let address): (self.event, peer) = ("peer.unchokes_us", "\(address)")
    case .wantsOurs(let address): (self.event, peer) = ("peer.interested", "\(address)")
    case .wantsNothing(let address): (self.event, peer) = ("peer.not_interested", "\(address)")
    case .banned(let address): (self.event, peer, reason) = ("peer.banned", "\(address)", "gave bad data")
    case .bannedAlone(let address): (self.event, peer, reason) = ("peer.banned", "\(address)", "gave bad data")
    case .infoComplete: self.event = "torrent.info"
    case .completed: self.event = "torrent.completed"
    }
  }

  private mutating func name(_ givers: Givers) {
    peers = givers.peers.map { "\($0)" }
    webSeeds = givers.webSeeds.isEmpty ? nil : givers.webSeeds
  }

  private mutating func explain(_ why: Choker.Reason) {
    reason = why.name
    switch why {
    case .gives(let rate), .takes(let rate): self.rate = rate
    case .outbid(let rate, let lowest): (self.rate, self.lowest) = (rate, lowest)
    case .gave, .optimistic, .turnOver, .notInterested, .snubbed, .freeRiding: break
    }
  }
}
