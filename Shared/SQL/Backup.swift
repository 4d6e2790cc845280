import CSQLite
import Glibc

/// Copies the database that `source` reads into a new file: first beside it as `NAME.partial`, then renamed.
func copy(_ source: Connection, to destination: String) throws(SQLError) {
  guard unsafe access(destination, F_OK) != 0 else { throw SQLError(.inUse, "\(destination) exists already") }
  let partial = destination + ".partial"
  unsafe unlink(partial)
  // Nobody else's to read from its first octet on.
  let descriptor = unsafe open(partial, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
  guard descriptor >= 0 else { throw SQLError(call: "open", path: partial, errno: errno) }
  close(descriptor)
  do throws(SQLError) {
    try copyPages(source, to: partial)
    try syncFile(partial)
    guard unsafe rename(partial, destination) == 0 else {
      throw SQLError(call: "rename", path: destination, errno: errno)
    }
  } catch {
    unsafe unlink(partial)
    throw error
  }
  try syncDirectory(of: destination)
}

private func copyPages(_ source: Connection, to path: String) throws(SQLError) {
  var opened: OpaquePointer?
  let flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE
  var result = unsafe sqlite3_open_v2(path, &opened, flags, nil)
  defer { unsafe sqlite3_close_v2(opened) }
  guard result == SQLITE_OK else {
    throw SQLError(extendedCode: result, message: "\(path): \(Connection.words(result))", sql: nil)
  }
  guard let backup = unsafe sqlite3_backup_init(opened, "main", source.raw, "main") else {
    throw SQLError(extendedCode: unsafe sqlite3_extended_errcode(opened), message: "\(path): no backup", sql: nil)
  }
  // All pages in one step: it reads one snapshot, which in WAL mode keeps nobody from writing.
  // Its own result counts too: `finish` does not repeat that the source was busy.
  let step = unsafe sqlite3_backup_step(backup, -1)
  result = unsafe sqlite3_backup_finish(backup)
  if result == SQLITE_OK, step != SQLITE_DONE { result = step }
  guard result == SQLITE_OK else {
    throw SQLError(extendedCode: result, message: "\(path): \(Connection.words(result))", sql: nil)
  }
}

/// Makes a file's bytes durable.
func syncFile(_ path: String) throws(SQLError) {
  try sync(path, flags: O_RDONLY | O_CLOEXEC)
}

/// Makes the names in the directory that holds `path` durable.
func syncDirectory(of path: String) throws(SQLError) {
  let directory = path.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
  try sync(directory.isEmpty ? (path.hasPrefix("/") ? "/" : ".") : directory, flags: O_RDONLY | O_DIRECTORY | O_CLOEXEC)
}

private func sync(_ path: String, flags: Int32) throws(SQLError) {
  let descriptor = unsafe open(path, flags)
  guard descriptor >= 0 else { throw SQLError(call: "open", path: path, errno: errno) }
  defer { close(descriptor) }
  guard fsync(descriptor) == 0 else { throw SQLError(call: "fsync", path: path, errno: errno) }
}
