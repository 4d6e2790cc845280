import EventLoop
import HTTPClient
import SQL
import Testing

@testable import ServiceKit

/// Small files that must not be read half written, nor lost.
@Suite struct FilesTests {
  let directory = TestDirectory()

  @Test("Of services that start together all have the same token, however the making of its file falls")
  func tokenIsMadeOnce() async throws {
    let file = directory.file("admin-token")
    for _ in 0..<50 {
      let tokens = try await withThrowingTaskGroup(of: [UInt8].self) { group in
        let pool = BlockingPool(threads: 8)
        defer { pool.stop() }
        for _ in 0..<8 {
          group.addTask {
            try await pool.run { try AdminToken.kept(in: file).value }
          }
        }
        return try await group.reduce(into: Set<[UInt8]>()) { $0.insert($1) }
      }
      #expect(tokens.count == 1)
      #expect(directory.names() == ["admin-token"], "no draft is left")
      directory.remove("admin-token")
    }
  }

  @Test("A token file that is named must be there, or nobody would know what is in it")
  func namedTokenFile() throws {
    #expect(throws: AdminToken.Failure.self) {
      try AdminToken.load(file: directory.file("admin-tokn"), directory: directory.path, environment: [:])
    }
    #expect(directory.names().isEmpty)
    let kept = try AdminToken.load(file: nil, directory: directory.path, environment: [:])
    let named = try AdminToken.load(file: directory.file("admin-token"), directory: nil, environment: [:])
    #expect(kept.value == named.value)
  }

  @Test("The clock's offset is read as it was saved, and the last advance is the one that stays")
  func offsetIsKept() async throws {
    let loop = try EventLoop.start(name: "test")
    defer { loop.stop() }
    let offset = ClockOffset(in: try DataDirectory(directory.path))
    #expect(try offset.load() == 0)
    let clock = WorldClock(on: loop)
    let pool = BlockingPool(threads: 8)
    defer { pool.stop() }
    try await withThrowingTaskGroup(of: Void.self) { group in
      for step in 1...100 {
        group.addTask {
          _ = try await pool.run { try offset.save(Int64(step)) { clock.grow(to: Int64(step)) } }
        }
      }
      try await group.waitForAll()
    }
    #expect(clock.offsetSeconds == 100)
    #expect(try offset.load() == 100)
    // Resets among advances: whichever comes last, file and clock agree.
    try await withThrowingTaskGroup(of: Void.self) { group in
      for step in 101...300 {
        group.addTask {
          try await pool.run {
            if step % 3 == 0 {
              try offset.save(0, isReset: true) { clock.reset() }
            } else {
              _ = try offset.save(Int64(step)) { clock.grow(to: Int64(step)) }
            }
            let (file, moment) = try offset.save(0) { (try? offset.load(), clock.offsetSeconds) }
            #expect(file == moment)
          }
        }
      }
      try await group.waitForAll()
    }
  }

  @Test("A damaged offset is said, not taken for none", arguments: ["", "soon", "1e3"])
  func damagedOffset(text: String) throws {
    try directory.write(text, to: "clock-offset")
    let offset = ClockOffset(in: try DataDirectory(directory.path))
    #expect(throws: ClockOffset.Damaged.self) { try offset.load() }
  }

  @Test("A backup has its name only when it is whole")
  func backupsAreWhole() async throws {
    let fails = Lock(true)
    let one = try await TestService(in: directory) { service in
      service.onBackup { path in
        _ = try DurableFile.create(path + "/data", with: [1])
        if fails.withLock({ $0 }) { throw IOError.overloaded }
      }
    }
    #expect(try await one.ask("POST", "/v1/backup").status == 503)
    #expect(directory.names(in: "backups").isEmpty)
    fails.withLock { $0 = false }
    let made = try await one.ask("POST", "/v1/backup")
    #expect(made.status == 201)
    let names = directory.names(in: "backups")
    #expect(names.count == 1)
    #expect(String(decoding: made.body, as: UTF8.self).contains("backups/\(names.first ?? "")\""))
    #expect(directory.names(in: "backups/\(names.first ?? "")") == ["data"])
    #expect(try await one.ask("POST", "/v1/backup", [("Authorization", "Bearer wrong")]).status == 401)
    await one.stop()
  }

  @Test("What a crash left of a backup goes at the next start")
  func halfBackups() async throws {
    try directory.makeFolder("backups/2026-01-01T000000Z.partial/bodies")
    try directory.makeFolder("backups/2026-01-01T000001Z")
    let one = try await TestService(in: directory)
    #expect(directory.names(in: "backups") == ["2026-01-01T000001Z"])
    await one.stop()
  }

  @Test("A backup that has no place to be is a failure, not a conflict")
  func backupsWithoutAPlace() async throws {
    try directory.write("", to: "backups")
    let one = try await TestService(in: directory) { service in service.onBackup { _ in } }
    #expect(try await one.ask("POST", "/v1/backup").status == 500)
    await one.stop()
  }
}
