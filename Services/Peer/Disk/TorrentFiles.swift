import EventLoop
import Glibc
import TorrentWire

/// Files that were written, and the number of the last write to each; no two writes have the same.
struct Unsynchronized {
  var files: [Int: UInt64] = [:]
  private var last: UInt64 = 0

  mutating func insert(_ file: Int) {
    last += 1
    files[file] = last
  }
}

/// The files of one torrent below the download folder. All calls block, and several threads may make them at once.
///
/// The torrent's names come from strangers, and others may put symbolic links into the folder: nothing outside of it is read or written.
final class TorrentFiles: Sendable {
  let info: TorrentInfo
  /// The download folder, which is there already: where its disk is not mounted, nothing else shall be filled.
  let folder: String
  let openFiles: OpenFiles.Share
  /// What would not outlast a power cut yet.
  let unsynchronized = Lock(Unsynchronized())
  /// The SHA-1 of so many octets of zero.
  let hashesOfZeros = Lock([Int: [UInt8]]())

  /// - Parameter openFiles: of all torrents.
  init(info: TorrentInfo, folder: String, openFiles: OpenFiles) {
    (self.info, self.folder) = (info, folder)
    self.openFiles = openFiles.share()
  }

  /// A file's folders and name, below the download folder.
  func path(of file: Int) -> [String] { (info.isFolder ? [info.name] : []) + info.files[file].path }

  /// Makes the files that are wanted, and their folders, in full length; on the disk they take no room yet. Nothing that is there
  /// is changed but for its length: what is shorter becomes longer.
  ///
  /// - Parameter wanted: one for each file. The others are made when a piece that reaches into them is written.
  /// - Throws: `DiskError`; what was made by then stays.
  func prepare(wanted: [Bool]) throws(DiskError) {
    precondition(wanted.count == info.files.count)
    for file in wanted.indices where wanted[file] { try prepare(file) }
  }

  /// The same for one of them.
  func prepare(_ file: Int) throws(DiskError) {
    let folder = try Folder(self.folder)
    // What is whole is only looked at, so that one can seed from a disk that is mounted read-only.
    if let present = try folder.file(path(of: file)), try !isShort(present, file) { return }
    _ = try make(file, in: folder)
  }

  /// Whether a file has its name and its length still; where it is open, that name leads to that file.
  func isThere(_ index: Int) throws(DiskError) -> Bool {
    guard let present = try Folder(self.folder).file(path(of: index)), try !isShort(present, index) else {
      return false
    }
    guard let held = openFiles.file(index, forWriting: false) else { return true }
    let (one, other) = (try present.status(), try held.status())
    return one.st_dev == other.st_dev && one.st_ino == other.st_ino
  }

  /// Whether a file has its name.
  func isPresent(_ index: Int) throws(DiskError) -> Bool { try Folder(self.folder).file(path(of: index)) != nil }

  /// Whether something was written into a file that has its name: room that was only taken is not.
  ///
  /// - Throws: `DiskError`: `tooLong` where it is not the torrent's.
  func hasOctets(_ index: Int) throws(DiskError) -> Bool {
    guard let present = try Folder(self.folder).file(path(of: index)) else { return false }
    _ = try isShort(present, index)
    let length = try present.length()
    return length > 0 ? try !present.isHole(0, length) : false
  }

  /// What tells whether somebody touched a file since: its length and when it was written last.
  func trace(of index: Int) throws(DiskError) -> String {
    guard let file = try Folder(self.folder).file(path(of: index)) else { return "-" }
    let status = try file.status()
    return "\(status.st_ino) \(status.st_size) \(status.st_mtim.tv_sec) \(status.st_mtim.tv_nsec)"
  }

  /// An open file, which the caller keeps as long as it needs it.
  ///
  /// - Parameter forWriting: makes the file if need be, in full length.
  /// - Throws: `DiskError`: `absent` where it is not there, and when writing, `tooLong` where it is not the torrent's.
  func file(_ index: Int, forWriting: Bool) throws(DiskError) -> SharedFile {
    if let held = openFiles.file(index, forWriting: forWriting) { return held }
    let folder = try Folder(self.folder)
    let file: SharedFile
    if forWriting {
      file = try make(index, in: folder)
    } else {
      guard let present = try folder.file(path(of: index)) else { throw absent(index) }
      file = present
    }
    openFiles.insert(file, index)
    return file
  }

  private func make(_ index: Int, in folder: borrowing Folder) throws(DiskError) -> SharedFile {
    let path = path(of: index)
    var file = try folder.fileForWriting(path)
    if file == nil {
      try folder.makeFolders(path.dropLast())
      file = try folder.fileForWriting(path)
    }
    guard let file else { throw absent(index) }
    if try isShort(file, index) { try file.extend(to: info.files[index].length) }
    return file
  }

  private func isShort(_ file: SharedFile, _ index: Int) throws(DiskError) -> Bool {
    let (length, expected) = (try file.length(), info.files[index].length)
    guard length <= expected else { throw .tooLong(path: file.path, length: length, expected: expected) }
    return length < expected
  }

  private func absent(_ index: Int) -> DiskError {
    .absent(path: ([folder] + path(of: index)).joined(separator: "/"))
  }

  /// What was written before outlasts a power cut from here on: call it before pieces are noted down as held.
  ///
  /// - Throws: `DiskError`; what was written since it last succeeded may be lost then.
  func synchronize() throws(DiskError) {
    for (index, write) in unsynchronized.withLock({ $0.files }) {
      try file(index, forWriting: true).synchronize()
      // Only now, lest another thread believes it already; and not where more was written meanwhile.
      unsynchronized.withLock { if $0.files[index] == write { $0.files[index] = nil } }
    }
  }

  /// Closes all files, but for those that somebody holds. The next call opens them anew, and so sees what a person has moved away.
  func close() { openFiles.removeAll() }

  /// Removes the torrent's files and the folders that are empty then; what others put there stays, and the folders that it is in.
  ///
  /// Nobody may read or write the torrent any more.
  /// - Throws: `DiskError`, the first one, after all else is removed.
  func remove() throws(DiskError) {
    close()
    unsynchronized.withLock { $0.files = [:] }
    let folder = try Folder(self.folder)
    var failure: DiskError?
    var folders: Set<[String]> = []
    func attempt(_ path: [String], _ body: (borrowing Folder, String) throws(DiskError) -> Void) {
      do throws(DiskError) {
        guard let name = path.last, let parent = try folder.folder(path.dropLast()) else { return }
        try body(parent, name)
      } catch {
        failure = failure ?? error
      }
    }
    for index in info.files.indices {
      let path = path(of: index)
      for depth in 1..<path.count { folders.insert(Array(path[..<depth])) }
      attempt(path) { parent, name throws(DiskError) in try parent.removeFile(name) }
    }
    for path in folders.sorted(by: { $0.count > $1.count }) {
      attempt(path) { parent, name throws(DiskError) in try parent.removeFolder(name) }
    }
    if let failure { throw failure }
  }
}
