import EventLoop
import SQL

extension Store {
  /// Copies everything to a directory that exists, while work goes on. Putting the files back in place is the restore.
  ///
  /// The database is copied first, then all bodies in files. No file is removed until that is done, so every body the copy names
  /// is in the backup; a body that came meanwhile is in it without a name, and is swept when the backup is put back and started.
  /// - Parameter meanwhile: called between the copy of the database and that of the bodies, for tests of what happens then.
  /// - Throws: where it is not complete.
  func backUp(to path: String, meanwhile: @Sendable () async throws -> Void = {}) async throws {
    removals.withLock { $0.holders += 1 }
    do {
      try await database.backup(to: "\(path)/mail.sqlite")
      try await meanwhile()
      try await copyBodies(to: path)
    } catch {
      await releaseRemovals()
      throw error
    }
    await releaseRemovals()
  }

  private func copyBodies(to path: String) async throws {
    // First the names, then the files: whatever has a name has its file by then.
    let named = try await database.read { connection in
      Set(try connection.all("SELECT file FROM body WHERE file IS NOT NULL") { $0.text(0) })
    }
    let files = files
    let (copy, names) = try await pool.run {
      (try BodyFiles(directory: "\(path)/bodies"), try files.list())
    }
    let lost = named.subtracting(names)
    guard lost.isEmpty else { throw BackupIncomplete(lost: lost.count) }
    // One at a time, so that the pool has room for others.
    for name in names {
      try await pool.run {
        if let content = try files.read(name) {
          try copy.write(content, as: name)
        } else if named.contains(name) {
          throw BackupIncomplete(lost: 1)
        }
        // Else it was being written when the list was made, and failed.
      }
    }
  }

  /// Files that are to go as soon as no backup needs them.
  struct Removals: Sendable {
    var holders = 0
    var waiting: [String] = []
  }

  /// Removes files whose names are no longer in the database.
  func removeFiles(_ names: [String]) async {
    guard !names.isEmpty else { return }
    let isHeld = removals.withLock { removals in
      guard removals.holders > 0 else { return false }
      removals.waiting += names
      return true
    }
    if !isHeld { await unlink(names) }
  }

  private func releaseRemovals() async {
    let names = removals.withLock { removals in
      removals.holders -= 1
      guard removals.holders == 0 else { return [String]() }
      defer { removals.waiting = [] }
      return removals.waiting
    }
    await unlink(names)
  }

  private func unlink(_ names: [String]) async {
    guard !names.isEmpty else { return }
    let files = files
    // One that stays behind is swept at the next start.
    try? await pool.run { for name in names { files.remove(name) } }
  }
}

/// A backup that lacks something is none.
struct BackupIncomplete: Error, CustomStringConvertible {
  /// Letters whose content is not where it should be.
  var lost: Int

  var description: String { "the content of \(lost) letters is missing in the data directory" }
}
