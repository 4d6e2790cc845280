import TorrentWire

/// A torrent as it outlasts a restart.
struct TorrentRecord: Sendable {
  var hash: InfoHash
  /// The info dictionary as it stands; nil while only the magnet link is known.
  var info: [UInt8]?
  /// What it is called while its own name is not known.
  var name: String?
  /// Trackers by tiers (BEP 12).
  var tiers: [[String]] = []
  /// Web servers that have the files (BEP 19).
  var webSeeds: [String] = []
  /// Peers that a magnet link names, `host:port` each; they are of use once.
  var peers: [String] = []
  /// Seconds since 1970, world clock.
  var addedAt: Int64
  var completedAt: Int64?
  var isPaused = false
  /// Its files were made, or were there and right: what lies at its place is its own from then on.
  var isBegun = false
  /// The numbers of files that are left out.
  var unwanted: Set<Int> = []
  /// Octets a second.
  var uploadLimit: Int?
  var downloadLimit: Int?
  /// Octets of pieces, in all runs.
  var uploaded: UInt64 = 0
  var downloaded: UInt64 = 0

  /// What the info dictionary says; nil while only the magnet link is known.
  func readInfo() throws(TorrentError) -> TorrentInfo? {
    guard let info else { return nil }
    return try TorrentInfo(decoding: info[...])
  }
}

/// What was here at the end of a run that ended well. Each is believed once, by the run that comes next.
struct LastSeen: Sendable {
  var have: [UInt8]
  /// The SHA-1 over the traces of all files.
  var traces: [UInt8]
}

/// A torrent of an earlier run, read.
struct StoredTorrent: Sendable {
  var record: TorrentRecord
  var info: TorrentInfo?
  /// Why its info dictionary can't be read.
  var fault: String?
  var lastSeen: LastSeen?

  init(_ record: TorrentRecord, _ lastSeen: LastSeen? = nil) {
    self.record = record
    self.lastSeen = lastSeen
    do throws(TorrentError) {
      info = try record.readInfo()
    } catch {
      fault =
        "What is kept of it can't be read (\(error)): start it to ask other peers for it, or remove it and add it anew."
    }
  }
}
