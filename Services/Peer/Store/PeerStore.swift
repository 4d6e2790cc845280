import Octets
import SQL
import ServiceKit
import TorrentWire

/// What lasts: the torrents, what was said of them, and how much each has moved. Which pieces are here the files themselves say, and what
/// they looked like at a clean end.
final class PeerStore: Sendable {
  let database: Database

  init(path: String) throws(SQLError) { database = try Database(path: path, migrations: Self.migrations) }

  private static let migrations = [
    Migration(
      1,
      """
      CREATE TABLE torrent (
        info_hash BLOB PRIMARY KEY,
        info BLOB,                         -- the info dictionary, once it is known
        name TEXT,
        tiers TEXT NOT NULL,               -- JSON: lists of URLs
        web_seeds TEXT NOT NULL,           -- JSON: URLs
        unwanted TEXT NOT NULL,            -- JSON: numbers of files
        added_at BIGINT NOT NULL,
        completed_at BIGINT,
        paused INTEGER NOT NULL,
        upload_limit BIGINT,
        download_limit BIGINT,
        uploaded BIGINT NOT NULL,
        downloaded BIGINT NOT NULL
      ) WITHOUT ROWID;
      CREATE TABLE setting (name TEXT PRIMARY KEY, value BIGINT) WITHOUT ROWID;
      """),
    Migration(
      2,
      """
      CREATE TABLE last_seen (           -- at a clean end; empty while the service runs
        info_hash BLOB PRIMARY KEY,
        have BLOB NOT NULL,              -- a bit for each piece
        traces BLOB NOT NULL             -- SHA-1 of what the files looked like
      ) WITHOUT ROWID;
      """),
    Migration(
      3,
      """
      ALTER TABLE torrent ADD COLUMN chosen TEXT;  -- JSON: numbers of files that alone shall come, while info is not known
      """),
    Migration(
      4,
      """
      ALTER TABLE torrent ADD COLUMN begun INTEGER NOT NULL DEFAULT 0;   -- its files were made, or were there
      UPDATE torrent SET begun = 1 WHERE downloaded > 0 OR completed_at IS NOT NULL OR info_hash IN (SELECT info_hash FROM last_seen);
      """),
  ]

  private static let columns =
    "info_hash, info, name, tiers, web_seeds, unwanted, added_at, completed_at, paused, upload_limit, download_limit, uploaded, downloaded, chosen, begun"

  /// All of them but those that can't be read, which are handed to `skip` in words. Blocks.
  func load(skip: @escaping @Sendable (String) -> Void = { _ in }) throws -> [TorrentRecord] {
    try database.readAndWait { connection in
      let all = try connection.all("SELECT \(Self.columns) FROM torrent") { row in Result { try Self.record(row) } }
      return all.compactMap { result in
        switch result {
        case .success(let record): return record
        case .failure(let error):
          skip("\(error)")
          return nil
        }
      }
    }
  }

  private static func record(_ row: borrowing Row) throws -> TorrentRecord {
    guard let hash = InfoHash(row.bytes(0)) else { throw UnreadableRecord() }
    var record = TorrentRecord(hash: hash, addedAt: Int64(row.int(6)))
    record.info = row.optionalBytes(1)
    record.name = row.optionalText(2)
    record.tiers = try JSON.decode([[String]].self, from: Array(row.text(3).utf8))
    record.webSeeds = try JSON.decode([String].self, from: Array(row.text(4).utf8))
    record.leaveOut(try JSON.decode([Int].self, from: Array(row.text(5).utf8)))
    record.chosen = try row.optionalText(13).map { Set(try JSON.decode([Int].self, from: Array($0.utf8))) }
    record.completedAt = row.optionalInt(7).map(Int64.init)
    record.isPaused = row.int(8) != 0
    record.uploadLimit = row.optionalInt(9)
    record.downloadLimit = row.optionalInt(10)
    record.uploaded = UInt64(max(0, row.int(11)))
    record.downloaded = UInt64(max(0, row.int(12)))
    record.isBegun = row.int(14) != 0
    return record
  }

  /// Writes a new torrent down.
  func add(_ record: TorrentRecord) async throws {
    let lists = try Self.lists(record)
    try await database.write { connection in
      try connection.run(
        "INSERT OR REPLACE INTO torrent (\(Self.columns)) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        record.hash.octets, record.info, record.name, lists.tiers, lists.webSeeds, lists.unwanted, record.addedAt,
        record.completedAt,
        record.isPaused ? 1 : 0, record.uploadLimit, record.downloadLimit, Int64(clamping: record.uploaded),
        Int64(clamping: record.downloaded), lists.chosen, record.isBegun ? 1 : 0)
    }
  }

  /// Writes down what became of a torrent; one that was removed meanwhile stays so.
  func update(_ record: TorrentRecord) async throws {
    let lists = try Self.lists(record)
    try await database.write { connection in
      try connection.run(
        """
        UPDATE torrent SET info = ?, name = ?, tiers = ?, web_seeds = ?, unwanted = ?, completed_at = ?, paused = ?, upload_limit = ?,
          download_limit = ?, uploaded = ?, downloaded = ?, chosen = ?, begun = ? WHERE info_hash = ? AND added_at = ?
        """,
        record.info, record.name, lists.tiers, lists.webSeeds, lists.unwanted, record.completedAt,
        record.isPaused ? 1 : 0,
        record.uploadLimit, record.downloadLimit, Int64(clamping: record.uploaded), Int64(clamping: record.downloaded),
        lists.chosen, record.isBegun ? 1 : 0, record.hash.octets, record.addedAt)
    }
  }

  private typealias Lists = (tiers: String, webSeeds: String, unwanted: String, chosen: String?)

  private static func lists(_ record: TorrentRecord) throws -> Lists {
    func text(_ list: some Encodable) throws -> String { String(decoding: try JSON.encode(list), as: UTF8.self) }
    return (
      try text(record.tiers), try text(record.webSeeds), try text(record.unwanted.sorted()),
      try record.chosen.map { try text($0.sorted()) }
    )
  }

  func remove(_ hash: InfoHash) async throws {
    try await database.write { try $0.run("DELETE FROM torrent WHERE info_hash = ?", hash.octets) }
  }

  // MARK: What was here

  func put(_ seen: [InfoHash: LastSeen]) async throws {
    try await database.write { connection in
      for (hash, seen) in seen {
        try connection.run("INSERT OR REPLACE INTO last_seen VALUES (?, ?, ?)", hash.octets, seen.have, seen.traces)
      }
    }
  }

  /// What was here, and forgets it: after a crash nothing of it is to be believed.
  func takeLastSeen() async throws -> [InfoHash: LastSeen] {
    try await database.write { connection in
      let all = try connection.all("SELECT info_hash, have, traces FROM last_seen") {
        (InfoHash($0.bytes(0)), LastSeen(have: $0.bytes(1), traces: $0.bytes(2)))
      }
      try connection.run("DELETE FROM last_seen")
      return all.reduce(into: [:]) { seen, one in if let hash = one.0 { seen[hash] = one.1 } }
    }
  }

  // MARK: Settings

  /// Octets a second for all torrents together; nil where there is no bound. Blocks.
  func loadLimits() throws -> (upload: Int?, download: Int?)? {
    try database.readAndWait { connection in
      let all = try connection.all("SELECT name, value FROM setting") { ($0.text(0), $0.optionalInt(1)) }
      guard !all.isEmpty else { return nil }
      let value = { (name: String) in all.first { $0.0 == name }?.1 }
      return (value("upload_limit"), value("download_limit"))
    }
  }

  func put(upload: Int?, download: Int?) async throws {
    try await database.write { connection in
      try connection.run("INSERT OR REPLACE INTO setting VALUES ('upload_limit', ?)", upload)
      try connection.run("INSERT OR REPLACE INTO setting VALUES ('download_limit', ?)", download)
    }
  }
}

private struct UnreadableRecord: Error, CustomStringConvertible {
  let description = "an info hash has not 20 octets"
}
