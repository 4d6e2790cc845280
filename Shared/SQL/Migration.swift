/// One numbered step of a schema. Steps only go forward and are never edited once released.
public struct Migration: Sendable {
  /// 1 for the first, without gaps.
  public let number: Int
  let body: @Sendable (Connection) throws -> Void

  /// A step that is a script of statements.
  public init(_ number: Int, _ script: String) {
    self.init(number) { connection in try connection.execute(script) }
  }

  /// A step that has to compute something.
  public init(_ number: Int, body: @escaping @Sendable (Connection) throws -> Void) {
    self.number = number
    self.body = body
  }

  /// Brings the schema up to date, each step in a transaction of its own. Its number is kept in `user_version`.
  /// - Throws: `.newer` when the database knows steps that this program does not.
  static func apply(_ migrations: [Migration], to connection: Connection) throws(SQLError) {
    for (offset, migration) in migrations.enumerated() where migration.number != offset + 1 {
      throw SQLError(.misuse, "migration \(migration.number) stands where \(offset + 1) belongs")
    }
    let version = try connection.integer("PRAGMA user_version")
    guard version <= migrations.count else {
      throw SQLError(
        .newer, "the database has schema \(version), this program knows \(migrations.count): use a newer program")
    }
    for migration in migrations.dropFirst(version) {
      do {
        try connection.execute("BEGIN IMMEDIATE")
        try migration.body(connection)
        try connection.execute("PRAGMA user_version = \(migration.number)")
        try connection.execute("COMMIT")
      } catch {
        if !connection.isAutocommit { _ = try? connection.execute("ROLLBACK") }
        throw error as? SQLError ?? SQLError(.misuse, "migration \(migration.number): \(error)")
      }
    }
  }
}
