/// Every bound of a tracker. What an operator may want otherwise has a flag.
struct TrackerLimits: Sendable {
  /// Torrents that are known, by registration or by their peers.
  var torrents = 1_000_000
  /// Peers of all torrents. A peer takes about 45 octets by IPv4 and 60 by IPv6, 40 more where it is kept what it has moved, and up to
  /// 110 more in swarms of both families, where every client's key is known. Beyond, torrents that were quiet long are forgotten.
  var peers = 4_000_000
  /// It is kept what peers have moved, to be shown, as long as there are fewer of them; in private mode of all.
  var progress = 100_000
  /// Peers of one torrent; one more takes nobody's place and is told of the others.
  var peersPerTorrent = 100_000
  /// Announces a second of an address (of IPv6, a /64), and how many at once.
  var announcesPerAddress = 200
  var announceBurst = 5_000

  /// Peers of an answer where the client does not say how many it wants, and at most (BEP 3).
  var usualPeers = 50
  var mostPeers = 200
  /// Keys of a user.
  var keysPerUser = 100
  /// Torrents of an HTTP scrape.
  var scrape = 100

  /// Seconds between two announces of a peer; each is told up to a tenth more or less, so that they don't come together.
  var interval = 1800
  /// Announces a second from which on the intervals grow.
  var easyRate = 5_000
  /// A peer is forgotten when so many intervals went by without it.
  var patience = 2

  /// Seconds after its last announce at which a peer is forgotten.
  /// - Parameter stretch: intervals at once that it was asked to wait.
  func lifetime(stretch: Int) -> Int64 { Int64(patience * interval * stretch) }
}
