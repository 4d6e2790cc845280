import Glibc
import Testing

@testable import SQL

@Suite struct DatabaseTests {
  let scratch = Scratch()

  @Test func everyStorageClassComesBackAsItWent() async throws {
    let database = try Database(path: scratch.database, migrations: [Migration(1, "CREATE TABLE v (a, b, c, d, e)")])
    let values: [SQLValue] = [
      .integer(.min), .integer(.max), .real(-0.5), .text(""), .text("naïve\u{0}text"), .blob([]), .blob([0, 255, 1]),
      .null,
    ]
    for value in values {
      let back = try await database.write { connection in
        try connection.run("DELETE FROM v")
        try connection.run("INSERT INTO v (a) VALUES (?)", value)
        return try connection.first("SELECT a FROM v") { $0[0] }
      }
      #expect(back == value)
    }
  }

  /// The directory may be one that everybody looks into.
  @Test(arguments: [false, true]) func nobodyElseReadsIt(existsAlready: Bool) async throws {
    func mode(_ suffix: String) -> mode_t {
      var status = stat()
      return unsafe stat(scratch.database + suffix, &status) == 0 ? status.st_mode & 0o777 : 0
    }
    if existsAlready {
      let descriptor = unsafe open(scratch.database, O_RDWR | O_CREAT, 0o644)
      close(descriptor)
      #expect(unsafe chmod(scratch.database, 0o644) == 0)
    }
    let database = try Database(path: scratch.database, migrations: [table])
    try await database.write { try $0.run("INSERT INTO item (name) VALUES ('a')") }
    try await database.backup(to: scratch.database + ".copy")
    for suffix in ["", "-wal", "-shm", ".copy"] { #expect(mode(suffix) == 0o600, "\(suffix)") }
  }

  @Test func nilIsNullAndOptionalGettersTellItApart() async throws {
    let database = try Database(path: scratch.database, migrations: [Migration(1, "CREATE TABLE v (a, b)")])
    let missing: String? = nil
    try await database.write { try $0.run("INSERT INTO v VALUES (?, ?)", missing, 7) }
    try await database.read { connection in
      _ = try connection.first("SELECT a, b FROM v") { row in
        #expect(row.optionalText(0) == nil)
        #expect(row.optionalInt(0) == nil)
        #expect(row.optionalBytes(0) == nil)
        #expect(row.text(0) == "")
        #expect(row.optionalInt(1) == 7)
        #expect(row.count == 2)
      }
    }
  }

  @Test func theSameStatementNestsInItself() async throws {
    let database = try Database(path: scratch.database, migrations: [table])
    let pairs = try await database.write { connection in
      for name in ["a", "b", "c"] { try connection.run("INSERT INTO item (name) VALUES (?)", name) }
      return try connection.all("SELECT name FROM item ORDER BY name") { outer in
        let first = outer.text(0)
        return try connection.all("SELECT name FROM item ORDER BY name") { first + $0.text(0) }
      }
    }
    #expect(pairs.flatMap { $0 } == ["aa", "ab", "ac", "ba", "bb", "bc", "ca", "cb", "cc"])
  }

  @Test func theWrongNumberOfValuesIsAMistakeThatNamesTheSQL() async throws {
    let database = try Database(path: scratch.database, migrations: [table])
    let error = await #expect(throws: SQLError.self) {
      try await database.write { try $0.run("INSERT INTO item (name) VALUES (?)") }
    }
    #expect(error?.kind == .misuse)
    #expect(error?.sql == "INSERT INTO item (name) VALUES (?)")
  }

  @Test func aReaderCanNotWrite() async throws {
    let database = try Database(path: scratch.database, migrations: [table])
    let error = await #expect(throws: SQLError.self) {
      try await database.read { try $0.run("INSERT INTO item (name) VALUES ('x')") }
    }
    #expect(error?.kind == .readOnly)
  }

  @Test func aReadSeesOneMomentWhileWritesGoOn() async throws {
    let database = try Database(path: scratch.database, migrations: [table])
    let counts = try await database.read { connection in
      let before = try connection.integer("SELECT count(*) FROM item")
      try database.writeAndWait { try $0.run("INSERT INTO item (name) VALUES ('meanwhile')") }
      return [before, try connection.integer("SELECT count(*) FROM item")]
    }
    #expect(counts == [0, 0])
    #expect(try database.readAndWait { try $0.integer("SELECT count(*) FROM item") } == 1)
  }

  @Test func readsRunBesideEachOtherAndBeyondThePoolTheyWait() async throws {
    let database = try Database(path: scratch.database, migrations: [table])
    let sum = try await withThrowingTaskGroup(of: Int.self) { group in
      for index in 0..<100 {
        group.addTask { try await database.read { try $0.integer("SELECT ?", index) } }
      }
      return try await group.reduce(0, +)
    }
    #expect(sum == 4950)
  }

  @Test func migrationsRunOnceAndInOrder() async throws {
    let second = Migration(2) { connection in
      try connection.run("INSERT INTO item (name) VALUES ('from the migration')")
    }
    try Database(path: scratch.database, migrations: [table]).close()
    try Database(path: scratch.database, migrations: [table, second]).close()
    let database = try Database(path: scratch.database, migrations: [table, second])
    #expect(try await database.read { try $0.integer("SELECT count(*) FROM item") } == 1)
  }

  @Test func aDatabaseNewerThanTheProgramIsRefused() throws {
    try Database(path: scratch.database, migrations: [table, Migration(2, "CREATE TABLE later (x)")]).close()
    let error = #expect(throws: SQLError.self) { try Database(path: scratch.database, migrations: [table]) }
    #expect(error?.kind == .newer)
  }

  @Test func aMigrationThatFailsLeavesTheDatabaseAsItWas() throws {
    let broken = Migration(2, "CREATE TABLE half (x); CREATE TABLE item (y)")
    #expect(throws: SQLError.self) { try Database(path: scratch.database, migrations: [table, broken]) }
    let database = try Database(path: scratch.database, migrations: [table])
    #expect(try database.readAndWait { try $0.exists("SELECT 1 FROM sqlite_master WHERE name = 'half'") } == false)
  }

  @Test func migrationNumbersHaveNoGaps() {
    let error = #expect(throws: SQLError.self) {
      try Database(path: scratch.database, migrations: [table, Migration(3, "CREATE TABLE x (y)")])
    }
    #expect(error?.kind == .misuse)
  }

  @Test func aFileThatIsNoDatabaseIsSaidToBeCorrupt() throws {
    let file = unsafe fopen(scratch.database, "w")
    unsafe fputs(String(repeating: "no database at all. ", count: 100), file)
    unsafe fclose(file)
    let error = #expect(throws: SQLError.self) { try Database(path: scratch.database, migrations: [table]) }
    #expect(error?.kind == .corrupt)
  }

  @Test func aBackupIsACompleteDatabaseOfOneMoment() async throws {
    let database = try Database(path: scratch.database, migrations: [table])
    try await database.write { connection in
      for index in 0..<1000 { try connection.run("INSERT INTO item (name) VALUES (?)", "item \(index)") }
    }
    try await database.backup(to: scratch.database + ".copy")
    try await database.write { try $0.run("DELETE FROM item") }
    let copy = try Database(path: scratch.database + ".copy", migrations: [table])
    #expect(try await copy.read { try $0.integer("SELECT count(*) FROM item") } == 1000)
    #expect(try await copy.read { try $0.first("PRAGMA integrity_check") { $0.text(0) } } == "ok")
    let error = await #expect(throws: SQLError.self) { try await database.backup(to: scratch.database + ".copy") }
    #expect(error?.kind == .inUse)
  }

  @Test func theLogIsSyncedBeforeAWriteReturns() async throws {
    let database = try Database(path: scratch.database, migrations: [table])
    let settings = try await database.write { connection in
      [
        try connection.first("PRAGMA journal_mode") { $0.text(0) },
        try connection.first("PRAGMA synchronous") { $0.text(0) },
      ]
    }
    #expect(settings == ["wal", "2"])
    try await database.probe()
  }

  @Test func aNewDirectoryIsMadeOnceAndFailuresAreNotTakenForThat() throws {
    let directory = try DataDirectory(scratch.path)
    #expect(try directory.newDirectory("copy"))
    #expect(try !directory.newDirectory("copy"))
    unsafe rmdir(directory.file("copy"))
    let error = #expect(throws: SQLError.self) { try directory.newDirectory("lock/copy") }
    #expect(error?.kind == .inputOutput)
  }

  @Test func aDataDirectoryHasOneOwner() throws {
    do {
      let owner = try DataDirectory(scratch.path)
      let error = #expect(throws: SQLError.self) { try DataDirectory(scratch.path) }
      #expect(error?.kind == .inUse)
      #expect(owner.file("x") == scratch.path + "/x")
    }
    _ = try DataDirectory(scratch.path)
  }
}
