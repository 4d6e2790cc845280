import Glibc

/// What went wrong with a torrent's files, in words that tell a person what to do. Paths are whole.
enum DiskError: Error, Hashable, Sendable {
  /// The disk, or the user's share of it, is full: the same may succeed once there is room.
  case full(path: String)
  /// The file system, or this process's limit, allows no file of such a size.
  case tooLarge(path: String)
  case absent(path: String)
  /// Something else has the file's name: a folder, a device, a pipe.
  case notAFile(path: String)
  case notAFolder(path: String)
  /// A symbolic link is in the way.
  case leadsElsewhere(path: String)
  /// The file that is there is longer than the torrent's, in octets.
  case tooLong(path: String, length: Int64, expected: Int64)
  case forbidden(path: String)
  /// Another system call failed: its name and errno.
  case system(call: String, path: String, errno: Int32)

  init(call: String, path: String, errno: Int32) {
    self =
      switch errno {
      case ENOSPC, EDQUOT: .full(path: path)
      case EFBIG: .tooLarge(path: path)
      case ENOENT: .absent(path: path)
      case EISDIR, ENXIO, ENODEV: .notAFile(path: path)
      case ENOTDIR: .notAFolder(path: path)
      case ELOOP, EXDEV: .leadsElsewhere(path: path)
      case EACCES, EPERM, EROFS: .forbidden(path: path)
      default: .system(call: call, path: path, errno: errno)
      }
  }
}

extension DiskError: CustomStringConvertible {
  var description: String {
    switch self {
    case .full(let path): "The disk has no room for \(path): make room, then start the torrent again."
    case .tooLarge(let path):
      "\(path) is larger than its file system or this process's limit (ulimit -f) allows: use another folder."
    case .absent(let path): "There is no \(path): put it back, or mount the disk that it is on."
    case .notAFile(let path): "\(path) is no regular file: move it away, or use another folder."
    case .notAFolder(let path): "\(path) needs a folder where a file is: move that away, or use another folder."
    case .leadsElsewhere(let path): "A symbolic link is on the way to \(path): put a folder or a file in its place."
    case .tooLong(let path, let length, let expected):
      "\(path) has \(length) octets, the torrent's file has \(expected): move it away, for nothing is cut off."
    case .forbidden(let path): "This process may not use \(path): see its owner, its mode, and how its disk is mounted."
    case .system(let call, let path, let errno): unsafe "\(path): \(call): \(String(cString: strerror(errno)))"
    }
  }
}

/// The result, or the error of the call that is named; a call that a signal interrupts is made again.
func checked<T: SignedInteger>(_ call: String, _ path: String, _ body: () -> T) throws(DiskError) -> T {
  while true {
    let result = body()
    if result != -1 { return result }
    if errno != EINTR { throw DiskError(call: call, path: path, errno: errno) }
  }
}
