import HTTPServer
import HTTPWire
import Octets
import ServiceKit
import TorrentWire

/// What happens at a tracker, for who listens.
enum TrackerEvent: Sendable {
  case torrentAdded(InfoHash), torrentChanged(InfoHash), torrentDeleted(InfoHash)
  case peerStarted(InfoHash, SocketAddress), peerCompleted(InfoHash, SocketAddress), peerStopped(
    InfoHash, SocketAddress)
  /// Everything is gone.
  case reset
}

/// `/v1/events`
extension TrackerAPI {
  func listenToEvents(_ request: Request) async throws -> Response {
    guard let listener = events.listen(after: request.header("last-event-id")) else {
      throw Problem(503, "Too many are listening already.", retryAfter: 5)
    }
    return .events(of: listener, on: request.loop) { event in
      let (name, hash, address) = TrackerAPI.parts(event)
      let url = hash.map { "/v1/torrents/\($0)" }
      return (name, try JSON.encode(EventView(infoHash: hash.map { "\($0)" }, peer: address.map { "\($0)" }, url: url)))
    }
  }

  private static func parts(_ event: TrackerEvent) -> (name: String, InfoHash?, SocketAddress?) {
    switch event {
    case .torrentAdded(let hash): ("torrent.added", hash, nil)
    case .torrentChanged(let hash): ("torrent.changed", hash, nil)
    case .torrentDeleted(let hash): ("torrent.deleted", hash, nil)
    case .peerStarted(let hash, let peer): ("peer.started", hash, peer)
    case .peerCompleted(let hash, let peer): ("peer.completed", hash, peer)
    case .peerStopped(let hash, let peer): ("peer.stopped", hash, peer)
    case .reset: ("reset", nil, nil)
    }
  }
}

private struct EventView: Encodable {
  var infoHash: String?
  var peer: String?
  var url: String?
}
