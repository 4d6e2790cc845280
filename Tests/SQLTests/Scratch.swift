import Glibc

@testable import SQL

/// A directory of a test's own, gone with it.
final class Scratch: Sendable {
  let path: String

  init() {
    var template = Array("/tmp/sql-tests-XXXXXX".utf8CString)
    path = unsafe template.withUnsafeMutableBufferPointer { buffer in
      guard let base = buffer.baseAddress, let made = unsafe mkdtemp(base) else { return "/tmp" }
      return unsafe String(cString: made)
    }
  }

  deinit {
    for suffix in ["", "-wal", "-shm", "-reserve", ".copy", ".copy-wal", ".copy-shm", ".copy-reserve"] {
      unsafe unlink(database + suffix)
    }
    unsafe unlink(path + "/lock")
    unsafe rmdir(path)
  }

  var database: String { path + "/test.sqlite" }
}

/// A gate that a test keeps shut while it queues work behind it.
final class Gate: Sendable {
  private let isOpen = Monitor(false)

  func pass() { isOpen.wait { $0 ? true : nil } }

  func open() { isOpen.change { $0 = true } }
}

let table = Migration(1, "CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT UNIQUE NOT NULL, body BLOB)")

/// Blocks the writer, queues the operations and waits until they stand in line, then lets them run as one group.
func together(
  _ database: Database, _ operations: [@Sendable (Connection) throws -> Void]
) async -> [Result<Void, any Error>] {
  await together(database, operations.map { (.addition, $0) })
}

/// The same with the purpose of each.
func together(
  _ database: Database, _ operations: [(Purpose, @Sendable (Connection) throws -> Void)]
) async -> [Result<Void, any Error>] {
  let gate = Gate()
  database.write(.removal, { _ in gate.pass() }, completion: { _ in })
  // Until the writer has taken the gate, it could take an operation along with it.
  while database.statistics.waiting > 0 { await Task.yield() }
  let results = Monitor([Int: Result<Void, any Error>]())
  for (index, (purpose, operation)) in operations.enumerated() {
    database.write(purpose, operation) { result in results.change { $0[index] = result } }
  }
  gate.open()
  while results.look({ $0.count }) < operations.count { await Task.yield() }
  return results.look { results in operations.indices.compactMap { results[$0] } }
}
