import TorrentWire

/// A torrent as it outlasts a restart.
struct TorrentRecord: Sendable {
  var hash: InfoHash
  /// The info dictionary as it stands; nil while only the magnet link is known.
  var info: [UInt8]?
  /// What it is called while its own name is not known.
  var name: String?
  /// Trackers by tiers (BEP 12).
  var tiers: [[String]] = [] { didSet { tiersMark = Self.mark(of: tiers) } }
  /// Another one for other trackers.
  private(set) var tiersMark = TorrentRecord.mark(of: [])
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
  private(set) var unwanted: Set<Int> = []
  /// Another one for other files; 0 for none.
  private(set) var unwantedMark: UInt64 = 0
  /// The numbers of the files that alone shall come, while nobody knows which others there are; nil where that is not so.
  var chosen: Set<Int>?
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

  /// Whether a file is to come from now on.
  mutating func want(_ file: Int, _ isWanted: Bool) {
    if isWanted { chosen = nil }
    let isNew = isWanted ? unwanted.remove(file) != nil : unwanted.insert(file).inserted
    // Each changes the mark by itself: nobody looks at a hundred thousand files to tell what is said of them.
    if isNew { unwantedMark ^= Self.mark(of: file) }
  }

  mutating func leaveOut(_ files: some Sequence<Int>) { for file in files { want(file, false) } }
}

extension TorrentRecord {
  /// Applies what was said of files whose number was not known (BEP 9).
  mutating func found(_ info: TorrentInfo) {
    let (files, chosen) = (info.files.indices, chosen)
    for file in unwanted where !files.contains(file) { want(file, true) }
    guard let chosen else { return }
    leaveOut(files.filter { !chosen.contains($0) })
    // Where none of them is a file, it stands still until somebody has chosen one.
    self.chosen = chosen.isEmpty || chosen.contains { files.contains($0) } ? nil : chosen
  }
}

/// Marks: the same in each run, and of no weight.
extension TorrentRecord {
  /// Changes with what an operator says of the torrent, and with nothing else; one that is added anew has another.
  var tag: String {
    "\(born)-\(isPaused ? 1 : 0)-\(uploadLimit ?? 0)-\(downloadLimit ?? 0)-\(hex(unwantedMark))-\(hex(tiersMark))"
  }

  /// Changes with whether the file is wanted.
  func tag(ofFile file: Int) -> String { "\(born)-\(unwanted.contains(file) ? 0 : 1)" }

  /// Changes with the trackers.
  var tagOfTrackers: String { "\(born)-\(hex(tiersMark))" }

  private var born: String { String(addedAt, radix: 16) }
  private func hex(_ mark: UInt64) -> String { String(mark, radix: 16) }

  /// Splitmix64's.
  private static func mark(of file: Int) -> UInt64 {
    var mark = (UInt64(truncatingIfNeeded: file) &+ 1) &* 0x9E37_79B9_7F4A_7C15
    mark = (mark ^ mark >> 30) &* 0xBF58_476D_1CE4_E5B9
    mark = (mark ^ mark >> 27) &* 0x94D0_49BB_1331_11EB
    return mark ^ mark >> 31
  }

  /// FNV-1a over the URLs, each with an end of its own, and so each tier.
  private static func mark(of tiers: [[String]]) -> UInt64 {
    var mark: UInt64 = 0xCBF2_9CE4_8422_2325
    func add(_ octet: UInt8) { mark = (mark ^ UInt64(octet)) &* 0x100_0000_01B3 }
    for tier in tiers {
      for url in tier {
        for octet in url.utf8 { add(octet) }
        add(0xFF)
      }
      add(0xFE)
    }
    return mark
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
