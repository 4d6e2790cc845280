import CSQLite
import Testing

@testable import SQL

/// A reader's connection that breaks costs nobody an answer.
@Suite(.timeLimit(.minutes(1))) struct ReaderTests {
  let scratch = Scratch()

  @Test(arguments: [Character("B"), Character("R")])
  func aConnectionThatNoLongerBeginsOrEndsATransactionIsReplaced(refused: Character) async throws {
    var limits = Database.Limits()
    limits.readers = 1
    let database = try Database(path: scratch.database, migrations: [table], limits: limits)
    let value = try await database.read { connection in
      refuse(refused, on: connection)
      return 7
    }
    #expect(value == 7)
    if refused == "B" {
      let error = await #expect(throws: SQLError.self) { try await database.read { try $0.integer("SELECT 1") } }
      #expect(error?.message.contains("not authorized") == true)
    }
    #expect(try await database.read { try $0.integer("SELECT 1") } == 1)
    database.close()
  }
}

/// Makes the connection refuse BEGIN, or ROLLBACK: as good as a broken one.
private func refuse(_ statement: Character, on connection: Connection) {
  if statement == "B" {
    unsafe sqlite3_set_authorizer(
      connection.raw,
      { _, action, name, _, _, _ in
        unsafe action == SQLITE_TRANSACTION && name?.pointee == CChar(UInt8(ascii: "B")) ? SQLITE_DENY : SQLITE_OK
      }, nil)
  } else {
    unsafe sqlite3_set_authorizer(
      connection.raw,
      { _, action, name, _, _, _ in
        unsafe action == SQLITE_TRANSACTION && name?.pointee == CChar(UInt8(ascii: "R")) ? SQLITE_DENY : SQLITE_OK
      }, nil)
  }
}
