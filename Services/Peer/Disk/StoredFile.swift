import TorrentWire

/// A regular file that lies in the download folder itself. All calls block.
struct StoredFile: Sendable {
  let name: String
  /// In octets.
  let length: Int64

  init(name: String, length: Int64) { (self.name, self.length) = (name, length) }

  /// Nil where there is no such file.
  /// - Throws: `DiskError`.
  init?(_ name: String, in folder: String) throws { try self.init(name, in: Folder(folder)) }

  private init?(_ name: String, in folder: borrowing Folder) throws {
    guard TorrentInfo.component(Array(name.utf8)[...]) == name, !FileUpload.isDraft(name),
      case .file(let length) = try folder.kind(name)
    else { return nil }
    (self.name, self.length) = (name, length)
  }

  /// The first of those whose names come after `cursor`, in the order of their octets. Names that are no text can't be asked for.
  /// - Throws: `DiskError`.
  static func list(in folder: String, after cursor: String?, limit: Int) throws -> [StoredFile] {
    let folder = try Folder(folder)
    let start = cursor.map { Array($0.utf8) } ?? []
    let names = try folder.names().filter { start.lexicographicallyPrecedes($0) }
      .sorted { $0.lexicographicallyPrecedes($1) }
    var files: [StoredFile] = []
    for octets in names {
      guard files.count < limit else { break }
      let name = String(decoding: octets, as: UTF8.self)
      guard name.utf8.elementsEqual(octets), let file = try StoredFile(name, in: folder) else { continue }
      files.append(file)
    }
    return files
  }

  /// - Returns: false where there is no such file any more.
  /// - Throws: `DiskError`.
  static func remove(_ name: String, in folder: String) throws -> Bool {
    let folder = try Folder(folder)
    guard try StoredFile(name, in: folder) != nil else { return false }
    try folder.removeFile(name)
    // That it is gone outlasts a power cut.
    try folder.synchronize()
    return true
  }
}
