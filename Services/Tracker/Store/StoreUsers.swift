import SQL

/// Users and their keys.
extension TrackerStore {
  struct User: Sendable, Equatable {
    var id: Int64
    var name: String
    /// Seconds since 1970, world clock.
    var createdAt: Int64
    /// Octets, as they were written down last.
    var amounts: Accounts.Amounts
  }

  struct Key: Sendable, Equatable {
    var id: Int64
    var digest: [UInt8]
    var createdAt: Int64
    var key: Accounts.Key
  }

  private static let userColumns = "id, name, created_at, uploaded, downloaded"

  private static func user(_ row: borrowing Row) -> User {
    User(
      id: Int64(row.int(0)), name: row.text(1), createdAt: Int64(row.int(2)),
      amounts: Accounts.Amounts(uploaded: UInt64(max(0, row.int(3))), downloaded: UInt64(max(0, row.int(4)))))
  }

  private static let keyColumns = "id, digest, created_at, user, expires_at, disabled"

  private static func key(_ row: borrowing Row) -> Key {
    Key(
      id: Int64(row.int(0)), digest: row.bytes(1), createdAt: Int64(row.int(2)),
      key: Accounts.Key(
        user: Int64(row.int(3)), expiresAt: row.optionalInt(4).map(Int64.init), isDisabled: row.int(5) != 0))
  }

  /// All keys. Blocks.
  func loadKeys() throws -> [Key] {
    try database.readAndWait { try $0.all("SELECT \(Self.keyColumns) FROM announce_key") { Self.key($0) } }
  }

  /// All users. Blocks.
  func loadUsers() throws -> [User] {
    try database.readAndWait { try $0.all("SELECT \(Self.userColumns) FROM user") { Self.user($0) } }
  }

  /// In the order of their numbers, behind `after`.
  func users(after: Int64, limit: Int) async throws -> [User] {
    try await database.read { connection in
      try connection.all("SELECT \(Self.userColumns) FROM user WHERE id > ? ORDER BY id LIMIT ?", after, limit) {
        Self.user($0)
      }
    }
  }

  func user(_ id: Int64) async throws -> User? {
    try await database.read { try $0.first("SELECT \(Self.userColumns) FROM user WHERE id = ?", id) { Self.user($0) } }
  }

  /// - Throws: `.exists` where the name is taken.
  func addUser(_ name: String, at time: Int64) async throws -> User {
    try await database.write { connection in
      if try connection.exists("SELECT 1 FROM user WHERE name = ?", name) { throw Failure.exists }
      try connection.run("INSERT INTO user (name, created_at) VALUES (?, ?)", name, time)
      return User(id: Int64(connection.lastInsertID), name: name, createdAt: time, amounts: Accounts.Amounts())
    }
  }

  /// With all keys.
  func removeUser(_ id: Int64) async throws {
    try await database.write(.removal) { connection in
      guard try connection.exists("SELECT 1 FROM user WHERE id = ?", id) else { throw Failure.noSuchUser }
      try connection.run("DELETE FROM announce_key WHERE user = ?", id)
      try connection.run("DELETE FROM user WHERE id = ?", id)
    }
  }

  func keys(of user: Int64) async throws -> [Key] {
    try await database.read { connection in
      try connection.all("SELECT \(Self.keyColumns) FROM announce_key WHERE user = ? ORDER BY id", user) {
        Self.key($0)
      }
    }
  }

  /// - Throws: `.noSuchUser`, or `.tooManyKeys`.
  func addKey(_ digest: [UInt8], _ key: Accounts.Key, limit: Int, at time: Int64) async throws -> Key {
    try await database.write { connection in
      guard try connection.exists("SELECT 1 FROM user WHERE id = ?", key.user) else { throw Failure.noSuchUser }
      guard try connection.integer("SELECT COUNT(*) FROM announce_key WHERE user = ?", key.user) < limit else {
        throw Failure.tooManyKeys
      }
      try connection.run(
        "INSERT INTO announce_key (digest, user, created_at, expires_at) VALUES (?, ?, ?, ?)", digest, key.user, time,
        key.expiresAt)
      return Key(id: Int64(connection.lastInsertID), digest: digest, createdAt: time, key: key)
    }
  }

  func setKey(_ id: Int64, of user: Int64, isDisabled: Bool) async throws -> Key {
    try await database.write { connection in
      guard var key = try Self.key(connection, id, user) else { throw Failure.noSuchKey }
      try connection.run("UPDATE announce_key SET disabled = ? WHERE id = ?", isDisabled, id)
      key.key.isDisabled = isDisabled
      return key
    }
  }

  func removeKey(_ id: Int64, of user: Int64) async throws -> Key {
    try await database.write(.removal) { connection in
      guard let key = try Self.key(connection, id, user) else { throw Failure.noSuchKey }
      try connection.run("DELETE FROM announce_key WHERE id = ?", id)
      return key
    }
  }

  private static func key(_ connection: Connection, _ id: Int64, _ user: Int64) throws -> Key? {
    try connection.first("SELECT \(keyColumns) FROM announce_key WHERE id = ? AND user = ?", id, user) { key($0) }
  }
}
