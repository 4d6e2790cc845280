import Glibc

/// Small whole files, read and written at once.
enum Files {
  static func exists(_ path: String) -> Bool { unsafe access(path, F_OK) == 0 }

  /// Makes the folder, and those above it, where they are missing; readable by the owner alone.
  static func makeFolder(_ path: String) throws(Trouble) {
    var made = path.hasPrefix("/") ? "/" : ""
    for part in path.split(separator: "/") {
      made += (made.isEmpty || made == "/" ? "" : "/") + part
      if unsafe mkdir(made, 0o700) != 0, errno != EEXIST { throw .system(made) }
    }
  }

  /// The whole text; nil where there is no such file.
  static func read(_ path: String, from offset: Int = 0) throws(Trouble) -> String? {
    let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
    if descriptor < 0, errno == ENOENT { return nil }
    guard descriptor >= 0 else { throw .system(path) }
    defer { close(descriptor) }
    var octets: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while true {
      let count = unsafe pread(descriptor, &buffer, buffer.count, offset + octets.count)
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else { throw .system(path) }
      if count == 0 { return String(decoding: octets, as: UTF8.self) }
      octets += buffer[..<count]
    }
  }

  /// Replaces the file in one step; readable by the owner alone.
  static func write(_ text: String, to path: String) throws(Trouble) {
    let draft = path + ".new"
    let descriptor = unsafe open(draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw .system(draft) }
    defer { close(descriptor) }
    let octets = Array(text.utf8)
    guard unsafe Glibc.write(descriptor, octets, octets.count) == octets.count, fsync(descriptor) == 0 else {
      throw .system(draft)
    }
    guard unsafe rename(draft, path) == 0 else { throw .system(path) }
  }

  static func size(_ path: String) -> Int {
    var status = stat()
    return unsafe stat(path, &status) == 0 ? Int(status.st_size) : 0
  }

  /// The same file under another name, without a copy where that can be.
  static func link(_ path: String, to name: String) throws(Trouble) {
    guard unsafe Glibc.link(path, name) == 0 else { throw .system(name) }
  }

  /// Removes a folder with all that is in it.
  static func removeFolder(_ path: String) {
    guard let folder = unsafe opendir(path) else { return }
    defer { unsafe closedir(folder) }
    while let entry = unsafe readdir(folder) {
      let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { octets in
        unsafe String(decoding: octets.prefix { $0 != 0 }, as: UTF8.self)
      }
      guard name != ".", name != ".." else { continue }
      let inner = "\(path)/\(name)"
      var status = stat()
      guard unsafe lstat(inner, &status) == 0 else { continue }
      if status.st_mode & S_IFMT == S_IFDIR { removeFolder(inner) } else { remove(inner) }
    }
    unsafe _ = rmdir(path)
  }

  static func remove(_ path: String) { unsafe _ = unlink(path) }

  /// The path from the root folder.
  static func absolute(_ path: String) -> String {
    if path.hasPrefix("/") { return path }
    guard let folder = unsafe getcwd(nil, 0) else { return path }
    defer { unsafe free(folder) }
    return unsafe String(cString: folder) + "/" + path
  }

  /// The folder of this executable, where the services' executables are.
  static var ownFolder: String {
    let path = ownPath
    return path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
  }

  static var ownPath: String {
    guard let path = unsafe realpath("/proc/self/exe", nil) else { return "utopia" }
    defer { unsafe free(path) }
    return unsafe String(cString: path)
  }
}
