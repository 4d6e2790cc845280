import EventLoop
import FoundationEssentials
import Glibc
import HTTPServer
import HTTPWire
import SQL

/// `POST /v1/backup`: everything the service keeps, in a new directory `backups/TIME` of the data directory. Restoring is
/// copying it back while the service is down.
extension Service {
  func backUp(_ request: Request) async throws -> Response {
    try access.requireAdmin(request)
    guard options.data != nil, lifecycle.canBackUp else {
      throw Problem(409, "This service keeps nothing that could be backed up.")
    }
    let directory = try dataDirectory()
    let stamp = WorldTime(milliseconds: Int64(time(nil)) * 1000).rfc3339.replacing(":", with: "")
    let path = directory.file("backups/\(stamp)")
    // It has its name only when all of it is on the disk: half a backup must not look like one.
    let draft = path + ".partial"
    let isNew = try await pool.run {
      _ = try directory.directory("backups")
      return try unsafe Glibc.access(path, F_OK) != 0 && directory.newDirectory("backups/\(stamp).partial")
    }
    guard isNew else { throw Problem(409, "A backup of this second is there already; try again in the next.") }
    do {
      try await lifecycle.backUp(to: draft)
      try await pool.run { try DurableFile.move(draft, to: path) }
    } catch {
      try? await pool.run { try FileManager.default.removeItem(atPath: draft) }
      throw error
    }
    // Whoever asks may stand in another folder.
    let place = path.hasPrefix("/") ? path : "\(FileManager.default.currentDirectoryPath)/\(path)"
    return try .encode(BackupMade(path: place), status: .created)
  }
}

extension Service {
  /// Takes away what a crash left of a backup under way. The directory is locked: nobody makes one now.
  func forgetHalfBackups() async throws {
    guard let directory = try? dataDirectory() else { return }
    try await pool.run {
      let names = (try? FileManager.default.contentsOfDirectory(atPath: directory.file("backups"))) ?? []
      for name in names where name.hasSuffix(".partial") {
        // Half a backup does no harm but the room that it takes.
        try? FileManager.default.removeItem(atPath: directory.file("backups/\(name)"))
      }
    }
  }
}

private struct BackupMade: Encodable { var path: String }
