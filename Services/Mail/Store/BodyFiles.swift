import Glibc

/// Bodies too large for a row, one file each.
///
/// A file and its directory are on the disk before the transaction that names it commits, so every name in the database leads
/// to a whole file; a file without a name is what a crash left over, and is swept at the next start.
struct BodyFiles: Sendable {
  /// Up to this many octets a body is a row.
  static let rowLimit = 65_536

  let directory: String

  /// Why a file could not be written or read: errno.
  struct Failure: Error, CustomStringConvertible {
    var code: Int32
    var isFull: Bool { code == ENOSPC || code == EDQUOT }
    var description: String { unsafe String(cString: strerror(code)) }
  }

  init(directory: String) throws(Failure) {
    self.directory = directory
    guard unsafe mkdir(directory, 0o700) == 0 || errno == EEXIST else { throw Failure(code: errno) }
  }

  private func path(_ name: String) -> String { "\(directory)/\(name)" }

  /// A name that no other file has.
  static func newName() -> String {
    String(UInt64.random(in: .min ... .max), radix: 16) + String(UInt64.random(in: .min ... .max), radix: 16)
  }

  /// Blocks until it is durable.
  func write(_ content: [UInt8], as name: String) throws(Failure) {
    let file = unsafe open(path(name), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    guard file >= 0 else { throw Failure(code: errno) }
    var failure: Int32 = 0
    var written = 0
    while written < content.count {
      let count = unsafe content.withUnsafeBytes { octets in
        unsafe Glibc.write(file, octets.baseAddress.unsafelyUnwrapped + written, octets.count - written)
      }
      if count > 0 {
        written += count
      } else if count < 0 && errno != EINTR {
        failure = errno
        break
      }
    }
    if failure == 0 && fsync(file) != 0 { failure = errno }
    if Glibc.close(file) != 0 && failure == 0 { failure = errno }
    if failure == 0 { failure = syncDirectory() }
    if failure != 0 {
      unsafe unlink(path(name))
      throw Failure(code: failure)
    }
  }

  private func syncDirectory() -> Int32 {
    let handle = unsafe open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard handle >= 0 else { return errno }
    defer { Glibc.close(handle) }
    return fsync(handle) == 0 ? 0 : errno
  }

  /// Blocks. Nil where it is gone, or shorter than it has to be.
  func read(_ name: String, size: Int) throws(Failure) -> [UInt8]? {
    let file = unsafe open(path(name), O_RDONLY | O_CLOEXEC)
    guard file >= 0 else {
      if errno == ENOENT { return nil }
      throw Failure(code: errno)
    }
    defer { Glibc.close(file) }
    return try Self.read(file, size: size)
  }

  /// Blocks. All of a file, whatever its size; nil where it is gone.
  func read(_ name: String) throws(Failure) -> [UInt8]? {
    let file = unsafe open(path(name), O_RDONLY | O_CLOEXEC)
    guard file >= 0 else {
      if errno == ENOENT { return nil }
      throw Failure(code: errno)
    }
    defer { Glibc.close(file) }
    var status = stat()
    guard unsafe fstat(file, &status) == 0 else { throw Failure(code: errno) }
    return try Self.read(file, size: Int(status.st_size))
  }

  private static func read(_ file: Int32, size: Int) throws(Failure) -> [UInt8]? {
    var content = [UInt8](repeating: 0, count: size)
    var done = 0
    while done < size {
      let count = unsafe content.withUnsafeMutableBytes { octets in
        unsafe Glibc.read(file, octets.baseAddress.unsafelyUnwrapped + done, size - done)
      }
      if count > 0 {
        done += count
      } else if count == 0 {
        return nil
      } else if errno != EINTR {
        throw Failure(code: errno)
      }
    }
    return content
  }

  /// Blocks. A file that stays behind is swept at the next start.
  func remove(_ name: String) { unsafe unlink(path(name)) }

  /// Removes every file that is not named. Only at start, before anything is written.
  func sweep(keeping names: Set<String>) {
    for name in (try? list()) ?? [] where !names.contains(name) { remove(name) }
  }

  /// The names of all files. Blocks.
  func list() throws(Failure) -> [String] {
    guard let listing = unsafe opendir(directory) else { throw Failure(code: errno) }
    defer { unsafe closedir(listing) }
    var names: [String] = []
    while let entry = unsafe readdir(listing) {
      let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { field in
        unsafe field.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
      }
      if name != "." && name != ".." { names.append(name) }
    }
    return names
  }
}
