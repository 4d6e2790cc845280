import SQL
import TorrentWire

/// What lasts: the torrents that an operator has spoken of, and how often each torrent was completed. Peers don't: they announce
/// themselves again.
final class TrackerStore: Sendable {
  /// A torrent as it stands in the database.
  struct Record: Sendable, Equatable {
    var hash: InfoHash
    var standing: SwarmStore.Standing
    /// What it is called, where that is known.
    var name: String?
    /// Octets, where that is known.
    var length: Int64?
    /// Seconds since 1970, world clock.
    var addedAt: Int64?
    var downloads: Int
    var revision: Int64
  }

  enum Failure: Error, Equatable {
    case exists, noSuchTorrent, noSuchUser, noSuchKey, tooManyKeys, stale
  }

  let database: Database

  init(path: String) throws(SQLError) { database = try Database(path: path, migrations: TrackerStore.migrations) }

  private static let migrations = [
    Migration(
      1,
      """
      CREATE TABLE torrent (
        info_hash BLOB PRIMARY KEY,
        standing INTEGER NOT NULL,         -- 0: here since it was completed, 1: registered, 2: denied
        name TEXT,
        length BIGINT,
        added_at BIGINT,
        downloads BIGINT NOT NULL DEFAULT 0,
        revision BIGINT NOT NULL DEFAULT 1
      ) WITHOUT ROWID;
      CREATE TABLE user (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL UNIQUE,
        created_at BIGINT NOT NULL,
        uploaded BIGINT NOT NULL DEFAULT 0,
        downloaded BIGINT NOT NULL DEFAULT 0);
      CREATE TABLE announce_key (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        digest BLOB NOT NULL UNIQUE,
        user BIGINT NOT NULL REFERENCES user (id),
        created_at BIGINT NOT NULL,
        expires_at BIGINT,
        disabled INTEGER NOT NULL DEFAULT 0);
      CREATE INDEX announce_key_user ON announce_key (user);
      """)
  ]

  private static let columns = "info_hash, standing, name, length, added_at, downloads, revision"

  private static func record(_ row: borrowing Row) -> Record? {
    guard let hash = InfoHash(row.bytes(0)) else { return nil }
    return Record(
      hash: hash, standing: SwarmStore.Standing(rawValue: row.int(1)) ?? .unlisted, name: row.optionalText(2),
      length: row.optionalInt(3).map(Int64.init), addedAt: row.optionalInt(4).map(Int64.init), downloads: row.int(5),
      revision: Int64(row.int(6)))
  }

  /// All of them. Blocks.
  func load() throws -> [Record] {
    try database.readAndWait { connection in
      try connection.all("SELECT \(Self.columns) FROM torrent") { Self.record($0) }.compactMap { $0 }
    }
  }

  func torrent(_ hash: InfoHash) async throws -> Record? {
    try await database.read { try Self.torrent($0, hash) }
  }

  private static func torrent(_ connection: Connection, _ hash: InfoHash) throws -> Record? {
    try connection.first("SELECT \(columns) FROM torrent WHERE info_hash = ?", hash.octets) { record($0) } ?? nil
  }

  /// The names of those torrents that have one.
  func records(_ hashes: [InfoHash]) async throws -> [InfoHash: Record] {
    try await database.read { connection in
      var found: [InfoHash: Record] = [:]
      for hash in hashes { found[hash] = try Self.torrent(connection, hash) }
      return found
    }
  }

  /// Speaks of a torrent.
  /// - Throws: `.exists` where that was done already.
  func add(
    _ hash: InfoHash, _ standing: SwarmStore.Standing, name: String?, length: Int64?, at time: Int64
  ) async throws -> Record {
    try await database.write { connection in
      if let old = try Self.torrent(connection, hash), old.standing != .unlisted { throw Failure.exists }
      try connection.run(
        """
        INSERT INTO torrent (info_hash, standing, name, length, added_at) VALUES (?, ?, ?, ?, ?)
        ON CONFLICT (info_hash) DO UPDATE SET standing = excluded.standing, name = excluded.name, length = excluded.length,
          added_at = excluded.added_at, revision = revision + 1
        """, hash.octets, standing.rawValue, name, length, time)
      guard let record = try Self.torrent(connection, hash) else { throw Failure.noSuchTorrent }
      return record
    }
  }

  func set(
    _ hash: InfoHash, _ standing: SwarmStore.Standing, demand: @escaping @Sendable (Record) throws -> Void
  ) async throws -> Record {
    try await database.write { connection in
      guard let old = try Self.torrent(connection, hash), old.standing != .unlisted else { throw Failure.noSuchTorrent }
      try demand(old)
      try connection.run(
        "UPDATE torrent SET standing = ?, revision = revision + 1 WHERE info_hash = ?", standing.rawValue, hash.octets)
      guard let record = try Self.torrent(connection, hash) else { throw Failure.noSuchTorrent }
      return record
    }
  }

  func remove(_ hash: InfoHash, demand: @escaping @Sendable (Record) throws -> Void) async throws {
    try await database.write(.removal) { connection in
      guard let old = try Self.torrent(connection, hash) else { throw Failure.noSuchTorrent }
      try demand(old)
      try connection.run("DELETE FROM torrent WHERE info_hash = ?", hash.octets)
    }
  }

  /// What was counted, and is written down together: many at a time, since each would cost as much as all.
  struct Batch: Sendable {
    /// How often torrents were completed.
    var downloads: [(hash: InfoHash, downloads: Int)] = []
    /// Torrents that were only here since they were completed once, and made room for others.
    var forgotten: [InfoHash] = []
    /// All that users have moved.
    var amounts: [Int64: Accounts.Amounts] = [:]

    /// Nothing in it needs room on the disk.
    var isRemoval: Bool { downloads.isEmpty && amounts.isEmpty }
    var isEmpty: Bool { isRemoval && forgotten.isEmpty }
  }

  /// Writes down all of it or nothing.
  func keep(_ batch: Batch) async throws {
    try await database.write(batch.isRemoval ? .removal : .addition) { connection in
      for hash in batch.forgotten {
        try connection.run(
          "DELETE FROM torrent WHERE info_hash = ? AND standing = ?", hash.octets, SwarmStore.Standing.unlisted.rawValue
        )
      }
      for (hash, count) in batch.downloads {
        try connection.run(
          """
          INSERT INTO torrent (info_hash, standing, downloads) VALUES (?, 0, ?)
          ON CONFLICT (info_hash) DO UPDATE SET downloads = excluded.downloads
          """, hash.octets, count)
      }
      for (user, total) in batch.amounts {
        try connection.run(
          "UPDATE user SET uploaded = ?, downloaded = ? WHERE id = ?", Int64(clamping: total.uploaded),
          Int64(clamping: total.downloaded), user)
      }
    }
  }

  func reset() async throws {
    try await database.write(.removal) { connection in
      for table in ["torrent", "announce_key", "user"] { try connection.run("DELETE FROM \(table)") }
      try connection.run("DELETE FROM sqlite_sequence")
    }
  }
}
