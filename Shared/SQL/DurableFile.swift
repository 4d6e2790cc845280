import Glibc

/// Small files that must outlast a power cut. All calls block.
public enum DurableFile {
  /// Replaces the file in one step (mode 0600): afterwards it has the old octets or the new ones, never a part.
  public static func replace(_ path: String, with octets: [UInt8]) throws(SQLError) {
    let draft = path + ".new"
    unsafe unlink(draft)
    try write(octets, to: draft)
    try move(draft, to: path)
  }

  /// Makes the file with all its octets (mode 0600), so that no reader ever sees a part of them.
  /// - Returns: false when there is a file of that name already, which is left as it is.
  public static func create(_ path: String, with octets: [UInt8]) throws(SQLError) -> Bool {
    let draft = "\(path).\(getpid())-\(UInt32.random(in: .min ... .max))"
    try write(octets, to: draft)
    defer { unsafe unlink(draft) }
    // Unlike a rename, a link does not replace what somebody else has made meanwhile.
    guard unsafe link(draft, path) == 0 else {
      if errno == EEXIST { return false }
      throw SQLError(call: "link", path: path, errno: errno)
    }
    try syncDirectory(of: path)
    return true
  }

  /// Makes a directory and those above it if need be (mode 0700). Its name lasts also where it was made in a run that ended before
  /// the disk had it.
  public static func makeDirectory(_ path: String) throws(SQLError) {
    try createDirectory(path)
    try syncDirectory(of: path)
  }

  /// Renames a file, or a directory whose names are made durable first.
  public static func move(_ path: String, to name: String) throws(SQLError) {
    try syncFile(path)
    guard unsafe rename(path, name) == 0 else { throw SQLError(call: "rename", path: name, errno: errno) }
    try syncDirectory(of: name)
  }

  private static func write(_ octets: [UInt8], to path: String) throws(SQLError) {
    let descriptor = unsafe open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw SQLError(call: "open", path: path, errno: errno) }
    defer { close(descriptor) }
    do throws(SQLError) {
      try write(octets, to: descriptor, path)
      guard fsync(descriptor) == 0 else { throw SQLError(call: "fsync", path: path, errno: errno) }
    } catch {
      unsafe unlink(path)
      throw error
    }
  }

  private static func write(_ octets: [UInt8], to descriptor: Int32, _ path: String) throws(SQLError) {
    var rest = octets[...]
    while !rest.isEmpty {
      let count = unsafe rest.withUnsafeBytes { unsafe Glibc.write(descriptor, $0.baseAddress, $0.count) }
      // Only a write that fails sets `errno`; one that is cut short says why when the rest is tried.
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { throw SQLError(call: "write", path: path, errno: count < 0 ? errno : ENOSPC) }
      rest = rest.dropFirst(count)
    }
  }
}
