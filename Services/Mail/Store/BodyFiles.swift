import Glibc
import SQL

/// Bodies too large for a row, one file each.
///
/// A file and its directory are on the disk before the transaction that names it commits, so every name in the database leads
/// to a whole file; a file without a name is what a crash left over, and is swept at the next start.
struct BodyFiles: Sendable {
  /// Up to this many octets a body is a row.
  static let rowLimit = 65_536

  let directory: String

  /// Why files could not be read: errno.
  struct Failure: Error, CustomStringConvertible {
    var code: Int32
    var description: String { unsafe String(cString: strerror(code)) }
  }

  /// Makes the directory if need be, durably: its name has to outlast a power cut as the files' names do.
  init(directory: String) throws(SQLError) {
    self.directory = directory
    try DurableFile.makeDirectory(directory)
  }

  private func path(_ name: String) -> String { "\(directory)/\(name)" }

  /// A name that no other file has.
  static func newName() -> String {
    String(UInt64.random(in: .min ... .max), radix: 16) + String(UInt64.random(in: .min ... .max), radix: 16)
  }

  /// Blocks until it is durable.
  /// - Throws: `SQLError`, `.full` where there is no room.
  func write(_ content: [UInt8], as name: String) throws {
    guard try DurableFile.create(path(name), with: content) else { throw Failure(code: EEXIST) }
  }

  /// Blocks. Nil where it is gone, or shorter than it has to be.
  func open(_ name: String, size: Int = 0) throws(Failure) -> OpenBody? {
    let file = unsafe Glibc.open(path(name), O_RDONLY | O_CLOEXEC)
    guard file >= 0 else {
      if errno == ENOENT { return nil }
      throw Failure(code: errno)
    }
    let body = OpenBody(file)
    // What is no file is not short: reading it says what it is.
    return try body.size.map { $0 < size } == true ? nil : body
  }

  /// Blocks. All of a file, whatever its size; nil where it is gone.
  func read(_ name: String) throws(Failure) -> [UInt8]? {
    guard let body = try open(name) else { return nil }
    return try body.read(from: 0, count: try body.size ?? 0)
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

/// A body's file that is open: it can be read when its name is gone.
final class OpenBody: Sendable {
  private let descriptor: Int32

  fileprivate init(_ descriptor: Int32) { self.descriptor = descriptor }

  deinit { close(descriptor) }

  /// In octets; nil where it is no file.
  fileprivate var size: Int? {
    get throws(BodyFiles.Failure) {
      var status = stat()
      guard unsafe fstat(descriptor, &status) == 0 else { throw BodyFiles.Failure(code: errno) }
      return status.st_mode & S_IFMT == S_IFREG ? Int(status.st_size) : nil
    }
  }

  /// Blocks. So many octets.
  /// - Throws: also where the file ends before.
  func read(from offset: Int, count: Int) throws(BodyFiles.Failure) -> [UInt8] {
    var content = [UInt8](repeating: 0, count: count)
    var done = 0
    while done < count {
      let read = unsafe content.withUnsafeMutableBytes { octets in
        unsafe pread(descriptor, octets.baseAddress.unsafelyUnwrapped + done, count - done, off_t(offset + done))
      }
      if read > 0 {
        done += read
      } else if read == 0 {
        throw BodyFiles.Failure(code: EIO)
      } else if errno != EINTR {
        throw BodyFiles.Failure(code: errno)
      }
    }
    return content
  }
}
