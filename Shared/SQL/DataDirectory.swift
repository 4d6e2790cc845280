import Glibc

/// A service's own directory, held by one process at a time through a locked file in it. The lock ends with the process,
/// however that ends.
///
/// It is of this module, as `DurableFile` is, because a database is such files: one owner, the same care for a full disk and
/// for names that must outlast a power cut, and the same errors.
public final class DataDirectory: Sendable {
  /// The directory, as given.
  public let path: String
  private let descriptor: Int32

  /// Creates the directory if need be (mode 0700) and locks it.
  /// - Throws: `.inUse` when another process has it, `.inputOutput` when it can't be made or opened.
  public init(_ path: String) throws(SQLError) {
    self.path = path
    try createDirectory(path)
    let lock = path + "/lock"
    descriptor = unsafe open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw SQLError(call: "open", path: lock, errno: errno) }
    while flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
      let code = errno
      if code == EINTR { continue }
      close(descriptor)
      throw code == EWOULDBLOCK
        ? SQLError(.inUse, "\(path) is in use by another process") : SQLError(call: "flock", path: lock, errno: code)
    }
  }

  deinit {
    close(descriptor)
  }

  /// The path of a file in the directory.
  public func file(_ name: String) -> String {
    "\(path)/\(name)"
  }

  /// Makes a directory in this one, and those between (mode 0700), durably. Blocks.
  /// - Returns: its path, also where it was there already.
  public func directory(_ name: String) throws(SQLError) -> String {
    try createDirectory(file(name))
    return file(name)
  }

  /// Makes a directory in this one (mode 0700), durably. Blocks.
  /// - Returns: false when there is something of that name already, which is left as it is.
  public func newDirectory(_ name: String) throws(SQLError) -> Bool {
    let path = file(name)
    guard unsafe mkdir(path, 0o700) == 0 else {
      if errno == EEXIST { return false }
      throw SQLError(call: "mkdir", path: path, errno: errno)
    }
    try syncDirectory(of: path)
    return true
  }
}

/// Creates a directory and those above it (mode 0700), durably.
func createDirectory(_ path: String) throws(SQLError) {
  if unsafe mkdir(path, 0o700) == 0 { return try syncDirectory(of: path) }
  switch errno {
  case EEXIST: return
  case ENOENT:
    let parent = path.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
    guard !parent.isEmpty else { throw SQLError(call: "mkdir", path: path, errno: ENOENT) }
    try createDirectory(parent)
    guard unsafe mkdir(path, 0o700) == 0 else { throw SQLError(call: "mkdir", path: path, errno: errno) }
    try syncDirectory(of: path)
  default: throw SQLError(call: "mkdir", path: path, errno: errno)
  }
}
