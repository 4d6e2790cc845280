import CLinux
import Glibc

/// An open folder. Names below it lead to what is below it: the kernel itself refuses `..` and every symbolic link, even one that is put
/// there at this moment (openat2, Linux 5.6). All calls block.
struct Folder: ~Copyable {
  /// Where it is, for errors.
  let path: String
  private let descriptor: Int32

  /// The folder where all begins, which a person named: it may be a symbolic link.
  init(_ path: String) throws(DiskError) {
    self.init(
      adopting: try checked("open", path) { unsafe Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }, path: path)
  }

  private init(adopting descriptor: Int32, path: String) {
    (self.descriptor, self.path) = (descriptor, path)
  }

  deinit { close(descriptor) }

  /// Nil where there is nothing of that name.
  private func open(_ names: [String], _ flags: Int32) throws(DiskError) -> Int32? {
    let name = names.isEmpty ? "." : names.joined(separator: "/")
    do throws(DiskError) {
      return try checked("openat2", place(names)) { unsafe clinux_open_beneath_for(descriptor, name, flags, 0o666) }
    } catch .absent {
      return nil
    }
  }

  private func place(_ names: [String]) -> String { ([path] + names).joined(separator: "/") }

  /// A folder below this one, or, without names, this one once more; nil where there is none.
  func folder(_ names: [String]) throws(DiskError) -> Folder? {
    guard let descriptor = try open(names, O_RDONLY | O_DIRECTORY) else { return nil }
    return Folder(adopting: descriptor, path: place(names))
  }

  /// A regular file for reading; nil where there is none.
  func file(_ names: [String]) throws(DiskError) -> SharedFile? {
    guard let descriptor = try open(names, O_RDONLY | O_NOCTTY) else { return nil }
    return try SharedFile(adopting: descriptor, path: place(names), isWritable: false)
  }

  /// A regular file for reading and writing, which is made if need be; nil where its folder is not there.
  func fileForWriting(_ names: [String]) throws(DiskError) -> SharedFile? {
    guard let descriptor = try open(names, O_RDWR | O_CREAT | O_NOCTTY) else { return nil }
    return try SharedFile(adopting: descriptor, path: place(names), isWritable: true)
  }

  /// Makes a folder in this one, and the others each in the one before it; those that are there stay as they are.
  func makeFolders(_ names: ArraySlice<String>) throws(DiskError) {
    guard let first = names.first else { return }
    do throws(DiskError) {
      _ = try checked("mkdirat", place([first])) { unsafe mkdirat(descriptor, first, 0o777) }
    } catch .system(_, _, EEXIST) {}
    guard let next = try folder([first]) else { throw .absent(path: place([first])) }
    try next.makeFolders(names.dropFirst())
  }

  /// Removes the regular file of that name in this folder. Anything else stays: it is not what was put there.
  func removeFile(_ name: String) throws(DiskError) {
    guard case .file = try kind(name) else { return }
    do throws(DiskError) {
      _ = try checked("unlinkat", place([name])) { unsafe unlinkat(descriptor, name, 0) }
    } catch .absent {}
  }

  /// Removes the folder of that name in this one if it is empty.
  func removeFolder(_ name: String) throws(DiskError) {
    guard unsafe unlinkat(descriptor, name, AT_REMOVEDIR) != 0 else { return }
    let isOthers = [ENOTEMPTY, EEXIST, ENOENT, ENOTDIR, EBUSY].contains(errno)
    if !isOthers { throw DiskError(call: "unlinkat", path: place([name]), errno: errno) }
  }

  /// Removes the regular files in it, not those in folders below.
  func removeFiles() throws(DiskError) {
    for octets in try names() {
      let name = String(decoding: octets, as: UTF8.self)
      if case .file = try kind(name) { try removeFile(name) }
    }
  }

  /// Which names are in it outlasts a power cut from here on.
  func synchronize() throws(DiskError) {
    let own = try checked("openat", path) { unsafe openat(descriptor, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
    defer { close(own) }
    _ = try checked("fsync", path) { fsync(own) }
  }

  enum Kind {
    case folder
    /// With its octets.
    case file(length: Int64)
    /// A symbolic link, a device, a pipe.
    case other
  }

  /// Nil where there is nothing of that name.
  func kind(_ name: String) throws(DiskError) -> Kind? {
    var status = stat()
    do throws(DiskError) {
      _ = try checked("fstatat", place([name])) { unsafe fstatat(descriptor, name, &status, AT_SYMLINK_NOFOLLOW) }
    } catch .absent {
      return nil
    }
    return switch status.st_mode & S_IFMT {
    case S_IFREG: .file(length: Int64(status.st_size))
    case S_IFDIR: .folder
    default: .other
    }
  }

  /// The names in it as they stand, in no order, without `.` and `..`.
  func names() throws(DiskError) -> [[UInt8]] {
    let own = try checked("openat", path) { unsafe openat(descriptor, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
    guard let listing = unsafe fdopendir(own) else {
      close(own)
      throw DiskError(call: "fdopendir", path: path, errno: errno)
    }
    defer { unsafe closedir(listing) }
    var names: [[UInt8]] = []
    while true {
      errno = 0
      guard let entry = unsafe readdir(listing) else { break }
      let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { unsafe Array($0.prefix { $0 != 0 }) }
      if name != [0x2E], name != [0x2E, 0x2E] { names.append(name) }
    }
    guard errno == 0 else { throw DiskError(call: "readdir", path: path, errno: errno) }
    return names
  }
}
