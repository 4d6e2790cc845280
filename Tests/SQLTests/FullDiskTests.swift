import Glibc
import Testing

@testable import SQL

/// On a disk that is full to its last block additions are refused, and what is deleted makes room.
@Suite(.enabled(if: SmallDisk.isPossible, "a small file system is mounted, which needs root")) struct FullDiskTests {
  private static let letter = [UInt8](repeating: 7, count: 20_000)

  private func open(_ disk: SmallDisk) throws -> Database {
    try Database(path: disk.path + "/test.sqlite", migrations: [table])
  }

  private func fill(_ database: Database, _ disk: SmallDisk) async throws -> Int {
    var count = 0
    do {
      while true {
        let name = "\(count)"
        try await database.write { try $0.run("INSERT INTO item (name, body) VALUES (?, ?)", name, Self.letter) }
        count += 1
      }
    } catch let error as SQLError where error.kind == .full {}
    disk.fill()
    return count
  }

  @Test func removalsGoOnAndMakeRoomForAdditions() async throws {
    let disk = try SmallDisk(megabytes: 12)
    let database = try open(disk)
    var count = try await fill(database, disk)
    #expect(count > 20)
    let refused = await #expect(throws: SQLError.self) {
      try await database.write { try $0.run("INSERT INTO item (name) VALUES ('small')") }
    }
    #expect(refused?.kind == .full)
    let unready = await #expect(throws: SQLError.self) { try await database.probe() }
    #expect(unready?.kind == .full)
    #expect(try await database.read { try $0.integer("SELECT count(*) FROM item") } == count)

    let before = count
    while (try? await database.probe()) == nil, count > 0 {
      try await database.write(.removal) {
        try $0.run("DELETE FROM item WHERE id = (SELECT max(id) FROM item)")
      }
      count -= 1
    }
    #expect(count > 0 && count < before, "some of it had to go, and not all")
    #expect(unsafe access(disk.path + "/test.sqlite-reserve", F_OK) == 0, "the reserve is there again")
    try await database.write { try $0.run("INSERT INTO item (name) VALUES ('small')") }
    #expect(try await database.read { try $0.integer("SELECT count(*) FROM item") } == count + 1)
    database.close()
  }

  @Test func aRemovalIsNotSpoiledByTheAdditionsBesideIt() async throws {
    let disk = try SmallDisk(megabytes: 12)
    let database = try open(disk)
    let count = try await fill(database, disk)
    let add: @Sendable (Connection) throws -> Void = {
      try $0.run("INSERT INTO item (name, body) VALUES ('new', ?)", Self.letter)
    }
    let remove: @Sendable (Connection) throws -> Void = { try $0.run("DELETE FROM item WHERE name = '0'") }
    let results = await together(database, [(.addition, add), (.removal, remove)])
    let refused = #expect(throws: SQLError.self) { try results[0].get() }
    #expect(refused?.kind == .full)
    #expect(throws: Never.self) { try results[1].get() }
    #expect(try await database.read { try $0.integer("SELECT count(*) FROM item") } == count - 1)
    database.close()
  }

  @Test func aSmallFileThatIsCutShortIsGoneAndSaysThatTheDiskIsFull() throws {
    let disk = try SmallDisk(megabytes: 1)
    let error = #expect(throws: SQLError.self) {
      try DurableFile.replace(disk.path + "/file", with: [UInt8](repeating: 7, count: 2 << 20))
    }
    #expect(error?.kind == .full)
    #expect(unsafe access(disk.path + "/file.new", F_OK) != 0)
  }

  @Test func aDatabaseOpensOnAFullDisk() async throws {
    let disk = try SmallDisk(megabytes: 12)
    let first = try open(disk)
    let count = try await fill(first, disk)
    first.close()
    disk.fill()
    let again = try open(disk)
    #expect(try await again.read { try $0.integer("SELECT count(*) FROM item") } == count)
    try await again.write(.removal) { try $0.run("DELETE FROM item WHERE name = '0'") }
    again.close()
  }
}

/// A file system of a few megabytes, gone with its owner.
final class SmallDisk: Sendable {
  struct Impossible: Error {}

  /// Whether this process may mount.
  static let isPossible = geteuid() == 0 && (try? SmallDisk(megabytes: 1)) != nil

  let path: String

  init(megabytes: Int) throws {
    var template = Array("/tmp/sql-disk-XXXXXX".utf8CString)
    path = unsafe template.withUnsafeMutableBufferPointer { buffer in
      guard let base = buffer.baseAddress, let made = unsafe mkdtemp(base) else { return "" }
      return unsafe String(cString: made)
    }
    guard !path.isEmpty, unsafe mount("tmpfs", path, "tmpfs", 0, "size=\(megabytes)m") == 0 else {
      unsafe rmdir(path)
      throw Impossible()
    }
  }

  deinit {
    // Lazily: a database that a failed test left open must not keep it.
    unsafe umount2(path, Int32(MNT_DETACH))
    unsafe rmdir(path)
  }

  /// Takes every block that is left.
  func fill() {
    let descriptor = unsafe open(path + "/filler", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
    defer { close(descriptor) }
    let block = [UInt8](repeating: 1, count: 4096)
    while unsafe write(descriptor, block, block.count) > 0 {}
  }
}
