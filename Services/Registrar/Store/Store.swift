import SQL
import ServiceKit

/// Everything the registrar knows, in one SQLite database. What a call has changed is durable when it returns.
final class Store: Sendable {
  let database: Database

  init(path: String) throws(SQLError) {
    database = try Database(path: path, migrations: Store.migrations)
  }

  private static let migrations = [
    Migration(
      1,
      """
      CREATE TABLE registrant (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL,
        email TEXT,
        token_digest BLOB NOT NULL UNIQUE,
        created_at INTEGER NOT NULL
      );
      CREATE TABLE domain (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL UNIQUE,
        registrant INTEGER REFERENCES registrant (id),
        created_at INTEGER NOT NULL,
        expires_at INTEGER NOT NULL,
        revision INTEGER NOT NULL,
        name_servers TEXT NOT NULL,
        published TEXT NOT NULL
      );
      CREATE INDEX domain_by_registrant ON domain (registrant, name);
      CREATE INDEX domain_by_end ON domain (expires_at);
      CREATE TABLE orders (
        domain INTEGER PRIMARY KEY REFERENCES domain (id) ON DELETE CASCADE,
        kind TEXT NOT NULL,
        version INTEGER NOT NULL,
        attempts INTEGER NOT NULL,
        last_error TEXT,
        next_attempt INTEGER NOT NULL
      );
      CREATE INDEX orders_by_time ON orders (next_attempt);
      CREATE TABLE repeat_key (
        asker INTEGER NOT NULL,
        key TEXT NOT NULL,
        request BLOB NOT NULL,
        domain INTEGER NOT NULL,
        created_at INTEGER NOT NULL,
        PRIMARY KEY (asker, key)
      );
      CREATE INDEX repeat_key_by_time ON repeat_key (created_at);
      """),
    Migration(
      2,
      """
      ALTER TABLE domain ADD COLUMN served TEXT NOT NULL DEFAULT '';
      UPDATE domain SET served = name_servers;
      CREATE TABLE refusal (
        name TEXT PRIMARY KEY,
        registrant INTEGER,
        cause TEXT NOT NULL,
        reason TEXT NOT NULL,
        created_at INTEGER NOT NULL
      );
      CREATE INDEX refusal_by_time ON refusal (created_at);
      """),
    Migration(
      3,
      """
      ALTER TABLE repeat_key RENAME COLUMN domain TO subject;
      ALTER TABLE repeat_key ADD COLUMN kind TEXT NOT NULL DEFAULT 'domain';
      """),
  ]

  /// Forgets everything: for a lab's reset.
  func reset() async throws {
    try await database.write(.removal) { connection in
      for table in ["repeat_key", "refusal", "orders", "domain", "registrant"] {
        try connection.run("DELETE FROM \(table)")
      }
      // But a domain's number is a part of its tag, which must not come back with another state.
      try connection.run("DELETE FROM sqlite_sequence WHERE name <> 'domain'")
    }
  }

  // MARK: Registrants

  /// - Returns: the new registrant; where the key came before, the one it made then, which keeps its token.
  /// - Throws: `.keyReused` or `.keySpent`.
  func addRegistrant(
    name: String, email: String?, tokenDigest: [UInt8], by principal: Principal, key: RepeatKey?, now: WorldTime
  ) async throws -> (registrant: Registrant, isNew: Bool) {
    try await database.write { connection in
      if let id = try Store.repeated(key, principal, now, connection) {
        guard let registrant = try Store.registrant(id, connection) else { throw StoreError.keySpent }
        return (registrant, false)
      }
      try connection.run(
        "INSERT INTO registrant (name, email, token_digest, created_at) VALUES (?, ?, ?, ?)", name, email, tokenDigest,
        now.seconds)
      let id = connection.lastInsertID
      try Store.remember(key, principal, .registrant, id, now, connection)
      return (Registrant(id: id, name: name, email: email, createdAt: WorldTime(seconds: now.seconds)), true)
    }
  }

  /// Those with greater ids than `after`, in their order; one by its id when `only` is given.
  func registrants(only: Int?, after: Int, limit: Int) async throws -> [Registrant] {
    try await database.read { connection in
      try connection.all(
        """
        SELECT id, name, email, created_at FROM registrant WHERE id > ? AND (? IS NULL OR id = ?)
        ORDER BY id LIMIT ?
        """, after, only, only, limit, transform: Store.registrant)
    }
  }

  func registrant(_ id: Int) async throws -> Registrant? {
    try await database.read { try Store.registrant(id, $0) }
  }

  private static func registrant(_ id: Int, _ connection: Connection) throws -> Registrant? {
    try connection.first(
      "SELECT id, name, email, created_at FROM registrant WHERE id = ?", id, transform: registrant)
  }

  /// Whose token has this digest.
  func registrant(tokenDigest: [UInt8]) async throws -> Int? {
    try await database.read { connection in
      try connection.first("SELECT id FROM registrant WHERE token_digest = ?", tokenDigest) { $0.int(0) }
    }
  }

  /// - Throws: `.noSuchRegistrant`, or `.hasDomains` while it has some.
  func deleteRegistrant(_ id: Int) async throws {
    try await database.write(.removal) { connection in
      if try connection.exists("SELECT 1 FROM domain WHERE registrant = ?", id) { throw StoreError.hasDomains }
      if try connection.run("DELETE FROM registrant WHERE id = ?", id) == 0 { throw StoreError.noSuchRegistrant }
      try connection.run("DELETE FROM repeat_key WHERE asker = ?", id)
    }
  }

  private static func registrant(_ row: borrowing Row) -> Registrant {
    Registrant(
      id: row.int(0), name: row.text(1), email: row.optionalText(2),
      createdAt: WorldTime(seconds: Int64(row.int(3))))
  }
}
