/// Every bound of a peer. What an operator may want otherwise has a flag.
struct PeerLimits: Sendable {
  var torrents = 1000
  /// Connections of all torrents, and of one address.
  var connections = 500
  var connectionsPerAddress = 20
  /// Connections of a torrent.
  var connectionsPerTorrent = 50
  /// Who has neither given nor taken for so long, and neither side wants anything, makes room where all places are taken.
  var idleTime = Duration.seconds(180)
  /// Peers that are called at a time, for each torrent.
  var calls = 8
  /// Likewise of all torrents together.
  var allCalls = 50
  /// Connections of others that have not said yet which torrent they mean.
  var unknown = 100
  /// The time for both handshakes.
  var greetingTime = Duration.seconds(15)
  /// Peers that are given something at a time (BEP 3).
  var uploadSlots = 4
  /// Octets on the way to a peer that the kernel has not taken yet.
  var ahead = 262_144
  /// Octets of all but pieces that may wait beyond those: who asks for more than that reads nothing.
  var words = 524_288
  /// Octets of pieces that are held in memory for whoever asks for them next, of all torrents.
  var uploadCache = 33_554_432
  /// Octets of pieces that are begun, of all torrents; each may have one piece all the same.
  var pieceMemory = 104_857_600
  /// Files of all torrents that are open at a time.
  var openFiles = 256
  /// Decisions of a torrent that are remembered.
  var decisions = 2000
  /// Octets of a .torrent file, as it is uploaded or fetched.
  static let metainfo = 16_777_216
  /// Octets of a file that is uploaded to be shared.
  static let file: Int64 = 1 << 40

  /// Of so many descriptors as the process may have, files get a quarter and connections with other peers half: the rest is for REST,
  /// trackers, web seeds, checks and the database.
  mutating func fit(descriptors: Int) {
    guard descriptors > 0 else { return }
    openFiles = min(max(8, descriptors / 4), 512)
    connections = min(connections, max(8, descriptors / 2))
  }
}
