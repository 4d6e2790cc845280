import Octets
import SQL

/// Folders.
extension Store {
  func folders(_ mailbox: Int64) async throws -> [FolderRecord] {
    try await database.read { try $0.folders(mailbox, name: nil) }
  }

  func createFolder(_ mailbox: Int64, _ name: String) async throws -> FolderRecord {
    try Self.check(name)
    let limit = settings.limits.folders
    return try await write { connection in
      guard try connection.exists("SELECT 1 FROM mailbox WHERE id = ?", mailbox) else { throw StoreError.noSuchMailbox }
      if try connection.exists("SELECT 1 FROM folder WHERE mailbox = ? AND name = ?", mailbox, name) {
        throw StoreError.exists
      }
      guard try connection.integer("SELECT COUNT(*) FROM folder WHERE mailbox = ?", mailbox) < limit else {
        throw StoreError.tooManyFolders(limit)
      }
      try connection.run("INSERT INTO folder (mailbox, name) VALUES (?, ?)", mailbox, name)
      return try connection.folder(mailbox, name)
    }
  }

  func renameFolder(
    _ mailbox: Int64, _ name: String, to new: String, demand: Demand<FolderRecord>? = nil
  ) async throws -> FolderRecord {
    guard !Store.folders.contains(name) else { throw StoreError.folderProtected }
    try Self.check(new)
    let (folder, messages) = try await write { connection in
      let folder = try connection.folder(mailbox, name)
      try demand?(folder)
      if name == new { return (folder, [Int64]()) }
      if try connection.exists("SELECT 1 FROM folder WHERE mailbox = ? AND name = ?", mailbox, new) {
        throw StoreError.exists
      }
      try connection.run("UPDATE folder SET name = ? WHERE id = ?", new, folder.id)
      // Each of its messages shows the name.
      try connection.run("UPDATE message SET revision = revision + 1 WHERE folder = ?", folder.id)
      let messages = try connection.all("SELECT id FROM message WHERE folder = ?", folder.id) { Int64($0.int(0)) }
      return (try connection.folder(mailbox, new), messages)
    }
    feed.publish(messages.map { .changed(mailbox: mailbox, message: $0) })
    return folder
  }

  /// The messages in it are deleted too.
  func deleteFolder(_ mailbox: Int64, _ name: String, demand: Demand<FolderRecord>? = nil) async throws {
    guard !Store.folders.contains(name) else { throw StoreError.folderProtected }
    let (messages, files) = try await write(.removal) { connection in
      let folder = try connection.folder(mailbox, name)
      try demand?(folder)
      let rows = try connection.all("SELECT id, body FROM message WHERE folder = ?", folder.id) {
        (Int64($0.int(0)), Int64($0.int(1)))
      }
      try connection.run("DELETE FROM message WHERE folder = ?", folder.id)
      try connection.run("DELETE FROM folder WHERE id = ?", folder.id)
      return (rows.map(\.0), try connection.releaseBodies(rows.map(\.1)))
    }
    feed.publish(messages.map { .deleted(mailbox: mailbox, message: $0) })
    await removeFiles(files)
  }

  private static func check(_ name: String) throws(StoreError) {
    guard !name.isEmpty, name.utf8.count <= 400, name.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) else {
      throw .invalid("a folder's name has 1 to 400 octets and no control characters")
    }
    // RFC 3501 §5.1: in any case it is this one.
    if name.utf8.equalsIgnoringASCIICase("INBOX".utf8) && name != "INBOX" { throw .exists }
  }
}

extension Connection {
  func folders(_ mailbox: Int64, name: String?) throws -> [FolderRecord] {
    try all(
      """
      SELECT id, name, uid_next, (SELECT COUNT(*) FROM message WHERE message.folder = folder.id),
        (SELECT COUNT(*) FROM message WHERE message.folder = folder.id AND flags & 1 = 0)
      FROM folder WHERE mailbox = ? AND (? IS NULL OR name = ?) ORDER BY id
      """, mailbox, name, name
    ) {
      FolderRecord(
        id: Int64($0.int(0)), mailbox: mailbox, name: $0.text(1), uidValidity: Int64($0.int(0)),
        uidNext: Int64($0.int(2)), total: $0.int(3), unread: $0.int(4))
    }
  }

  func folder(_ mailbox: Int64, _ name: String) throws -> FolderRecord {
    guard let folder = try folders(mailbox, name: name).first else { throw StoreError.noSuchFolder }
    return folder
  }

  /// A folder's number, quickly.
  func folderID(_ mailbox: Int64, _ name: String) throws -> Int64 {
    guard
      let id = try first(
        "SELECT id FROM folder WHERE mailbox = ? AND name = ?", mailbox, name, transform: { Int64($0.int(0)) })
    else { throw StoreError.noSuchFolder }
    return id
  }

  /// Takes the folder's next UID.
  func takeUID(_ folder: Int64) throws -> Int64 {
    try run("UPDATE folder SET uid_next = uid_next + 1 WHERE id = ?", folder)
    return Int64(try integer("SELECT uid_next - 1 FROM folder WHERE id = ?", folder))
  }
}
