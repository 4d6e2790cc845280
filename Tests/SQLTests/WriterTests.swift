import Testing

@testable import SQL

struct Refusal: Error, Equatable {}

@Suite struct WriterTests {
  let scratch = Scratch()

  @Test func operationsThatWaitShareOneCommit() async throws {
    let database = try Database(path: scratch.database, migrations: [table])
    let before = database.statistics.commits
    let results = await together(
      database,
      (0..<50).map { index in { try $0.run("INSERT INTO item (name) VALUES (?)", "item \(index)") } })
    for result in results { #expect(throws: Never.self) { try result.get() } }
    // One for the gate that held the writer, one for all fifty.
    #expect(database.statistics.commits - before == 2)
    #expect(try await database.read { try $0.integer("SELECT count(*) FROM item") } == 50)
  }

  @Test func aGroupIsBounded() async throws {
    var limits = Database.Limits()
    limits.group = 10
    let database = try Database(path: scratch.database, migrations: [table], limits: limits)
    let before = database.statistics.commits
    _ = await together(
      database,
      (0..<35).map { index in { try $0.run("INSERT INTO item (name) VALUES (?)", "item \(index)") } })
    #expect(database.statistics.commits - before == 5)
  }

  @Test func aFailedOperationLeavesNothingAndSpoilsNobody() async throws {
    let database = try Database(path: scratch.database, migrations: [table])
    let results = await together(
      database,
      [
        { try $0.run("INSERT INTO item (name) VALUES ('first')") },
        { connection in
          try connection.run("INSERT INTO item (name) VALUES ('half done')")
          throw Refusal()
        },
        { connection in
          try connection.run("INSERT INTO item (name) VALUES ('also half done')")
          try connection.run("INSERT INTO item (name) VALUES ('first')")
        },
        { try $0.run("INSERT INTO item (name) VALUES ('last')") },
      ])
    #expect(throws: Never.self) { try results[0].get() }
    #expect(throws: Refusal()) { try results[1].get() }
    let duplicate = #expect(throws: SQLError.self) { try results[2].get() }
    #expect(duplicate?.kind == .constraint)
    #expect(duplicate?.sql == "INSERT INTO item (name) VALUES ('first')")
    #expect(throws: Never.self) { try results[3].get() }
    let names = try await database.read { try $0.all("SELECT name FROM item ORDER BY id") { $0.text(0) } }
    #expect(names == ["first", "last"])
  }

  @Test func aFailedCommitFailsEveryoneInIt() async throws {
    let family = Migration(
      2,
      """
      CREATE TABLE child (
        parent INTEGER NOT NULL REFERENCES item (id) DEFERRABLE INITIALLY DEFERRED)
      """)
    let database = try Database(path: scratch.database, migrations: [table, family])
    let results = await together(
      database,
      [
        { try $0.run("INSERT INTO item (name) VALUES ('innocent')") },
        { try $0.run("INSERT INTO child (parent) VALUES (99)") },
      ])
    for result in results {
      #expect(throws: SQLError.self) { try result.get() }
    }
    #expect(database.statistics.failedCommits == 1)
    #expect(try await database.read { try $0.integer("SELECT count(*) FROM item") } == 0)
    try await database.write { try $0.run("INSERT INTO item (name) VALUES ('after')") }
  }

  @Test func aFullDatabaseFailsTheOneThatDoesNotFit() async throws {
    let database = try Database(path: scratch.database, migrations: [table])
    try await database.write { connection in
      try connection.run("INSERT INTO item (name) VALUES ('old')")
      _ = try connection.integer("PRAGMA max_page_count = 8")
    }
    let large = [UInt8](repeating: 7, count: 100_000)
    let results = await together(
      database,
      [
        { try $0.run("INSERT INTO item (name) VALUES ('before')") },
        { try $0.run("INSERT INTO item (name, body) VALUES ('large', ?)", large) },
        { try $0.run("INSERT INTO item (name) VALUES ('behind')") },
      ])
    #expect(throws: Never.self) { try results[0].get() }
    let full = #expect(throws: SQLError.self) { try results[1].get() }
    #expect(full?.kind == .full)
    #expect(throws: Never.self) { try results[2].get() }
    let names = try await database.read { try $0.all("SELECT name FROM item ORDER BY name") { $0.text(0) } }
    #expect(names == ["before", "behind", "old"])
  }

  @Test func anOperationThatEndsTheTransactionFailsAlone() async throws {
    let database = try Database(path: scratch.database, migrations: [table])
    let results = await together(
      database,
      [
        { try $0.run("INSERT INTO item (name) VALUES ('good')") },
        { try $0.execute("ROLLBACK") },
      ])
    #expect(throws: Never.self) { try results[0].get() }
    let misuse = #expect(throws: SQLError.self) { try results[1].get() }
    #expect(misuse?.kind == .misuse)
    #expect(try await database.read { try $0.integer("SELECT count(*) FROM item") } == 1)
  }

  @Test func moreThanMayWaitIsRefused() async throws {
    var limits = Database.Limits()
    limits.waiting = 3
    let database = try Database(path: scratch.database, migrations: [table], limits: limits)
    let results = await together(
      database,
      (0..<5).map { index in { try $0.run("INSERT INTO item (name) VALUES (?)", "item \(index)") } })
    for (index, result) in results.enumerated() {
      if index < 3 {
        #expect(throws: Never.self) { try result.get() }
      } else {
        let error = #expect(throws: SQLError.self) { try result.get() }
        #expect(error?.kind == .overloaded)
      }
    }
  }

  @Test func closingFinishesWhatWaits() async throws {
    let database = try Database(path: scratch.database, migrations: [table])
    let gate = Gate()
    async let written: Int = database.write { connection in
      gate.pass()
      return try connection.run("INSERT INTO item (name) VALUES ('kept')")
    }
    gate.open()
    _ = try await written
    database.close()
    let closed = await #expect(throws: SQLError.self) { try await database.write { _ in } }
    #expect(closed?.kind == .closed)
    let again = try Database(path: scratch.database, migrations: [table])
    #expect(try await again.read { try $0.integer("SELECT count(*) FROM item") } == 1)
  }
}
