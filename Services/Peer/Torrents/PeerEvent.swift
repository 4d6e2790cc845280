import TorrentWire

/// What happens at a peer, for who listens.
enum PeerEvent: Sendable {
  case added(InfoHash), removed(InfoHash)
  case stateChanged(InfoHash, Torrent.State)
  /// Something between the peers of a torrent: a piece, a choke, a connection.
  case exchange(InfoHash, ExchangeEvent)
  /// Octets a second, each second in which something moves.
  case rates(InfoHash, download: Int, upload: Int, pieces: Int)
  /// Everything is gone.
  case reset
}
