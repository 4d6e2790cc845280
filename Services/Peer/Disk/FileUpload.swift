import EventLoop
import Glibc
import TorrentWire

/// A file that comes into the download folder from outside: nobody sees it before it is whole. All calls block.
final class FileUpload: Sendable {
  private let folder: String
  private let name: String
  private let draft: SharedFile
  private let draftPath: String
  private let written = Lock(Int64(0))

  /// Nil for what is no name of a file.
  /// - Throws: `DiskError`.
  init?(_ name: String, in folder: String) throws {
    guard TorrentInfo.component(Array(name.utf8)[...]) == name else { return nil }
    (self.folder, self.name) = (folder, name)
    let draftName = "\(Self.prefix)\(UInt64.random(in: 0 ... .max))"
    draftPath = "\(folder)/\(draftName)"
    guard let file = try Folder(folder).fileForWriting([draftName]) else { throw DiskError.absent(path: folder) }
    draft = file
    // As long as it is open, nobody takes it for one that was left behind.
    _ = try checked("flock", draftPath) { flock(file.descriptor, LOCK_EX | LOCK_NB) }
  }

  /// Removes what a process left behind that was killed amid an upload. Another process may use the folder too: its drafts stay.
  ///
  /// - Parameter names: are those of torrents, which may be called anything.
  static func removeDrafts(in folder: String, besides names: Set<String>) throws {
    let folder = try Folder(folder)
    for octets in try folder.names() {
      let name = String(decoding: octets, as: UTF8.self)
      guard isDraft(name), !names.contains(name),
        let draft = try folder.file([name]), flock(draft.descriptor, LOCK_EX | LOCK_NB) == 0
      else { continue }
      try folder.removeFile(name)
    }
  }

  private static let prefix = ".upload-"

  static func isDraft(_ name: String) -> Bool {
    name.hasPrefix(prefix) && UInt64(name.dropFirst(prefix.count)) != nil
  }

  /// Octets that have come.
  var length: Int64 { written.withLock { $0 } }

  func append(_ octets: [UInt8]) throws {
    let place = length
    var rest = BlockSequence([octets])
    try rest.write(octets.count, to: draft, at: place)
    written.withLock { $0 += Int64(octets.count) }
  }

  /// Whether something has its name.
  func isTaken() throws -> Bool { try Folder(folder).kind(name) != nil }

  /// Gives it its name, durably. False where something has it already.
  func finish() throws -> Bool {
    try draft.synchronize()
    defer { abandon() }
    // Unlike a rename, a link does not replace what is there.
    guard unsafe link(draftPath, "\(folder)/\(name)") == 0 else {
      if errno == EEXIST { return false }
      throw DiskError(call: "link", path: "\(folder)/\(name)", errno: errno)
    }
    // The name outlasts a power cut too.
    try Folder(folder).synchronize()
    return true
  }

  /// It is not wanted any more.
  func abandon() { unsafe unlink(draftPath) }
}
