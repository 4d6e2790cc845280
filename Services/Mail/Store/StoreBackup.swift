import EventLoop
import SQL

extension Store {
  /// Copies everything to a directory that exists, while work goes on. Putting the files back in place is the restore.
  ///
  /// The database is copied first, then the files it names: what arrives meanwhile is not part of the backup, and a body that
  /// is deleted meanwhile is the one thing that can be missing from it.
  func backUp(to path: String) async throws {
    try await database.backup(to: "\(path)/mail.sqlite")
    let named = try await database.read { connection in
      try connection.all("SELECT file, size FROM body WHERE file IS NOT NULL") { ($0.text(0), $0.int(1)) }
    }
    let files = files
    try await pool.run {
      let copy = try BodyFiles(directory: "\(path)/bodies")
      for (name, size) in named {
        if let content = try files.read(name, size: size) { try copy.write(content, as: name) }
      }
    }
  }
}
