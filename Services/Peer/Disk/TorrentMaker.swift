import Glibc
import ServiceKit
import TorrentWire

/// Makes a torrent of a file or a folder below the download folder. All calls block.
///
/// Only regular files go into it. A symbolic link would be a file that others get and this peer, which follows none, never sends.
struct TorrentMaker: Sendable {
  struct File: Equatable, Sendable {
    /// Below what the torrent is made of; empty where that is the file itself.
    let path: [String]
    /// In octets.
    let length: Int64
  }

  /// Octets of a piece: a power of two among these.
  static let pieceLengths = 16_384...16_777_216
  static let depthLimit = 32

  /// In the order of their paths' octets: the same folder makes the same torrent on every machine.
  private(set) var files: [File] = []
  /// Symbolic links and what else is no regular file, which the torrent won't have.
  private(set) var leftOut: [[String]] = []
  /// Octets of all files.
  private(set) var length: Int64 = 0

  private let folder: String
  private let path: [String]
  private let pieceLength: Int

  /// Looks for the files, and reads none of them yet.
  ///
  /// - Throws: `TorrentMakerError` or `DiskError`.
  init(_ path: [String], below folder: String, pieceLength: Int = 262_144) throws {
    guard Self.pieceLengths ~= pieceLength, pieceLength.nonzeroBitCount == 1 else {
      throw TorrentMakerError.pieceLength(pieceLength)
    }
    (self.folder, self.path, self.pieceLength) = (folder, path, pieceLength)
    for part in path { _ = try name(Array(part.utf8), in: []) }
    guard let last = path.last else { throw TorrentMakerError.noName }
    let place = ([folder] + path).joined(separator: "/")
    let parent = try Folder(folder).folder(path.dropLast())
    switch try parent?.kind(last) {
    case .file(let length): files = [File(path: [], length: length)]
    case .folder: if let inner = try parent?.folder([last]) { try walk(inner, []) }
    case .other: throw DiskError.notAFile(path: place)
    case nil: throw DiskError.absent(path: place)
    }
    // A file of holes may claim any length.
    length = files.reduce(0) { min($0, TorrentInfo.lengthLimit + 1) + min($1.length, TorrentInfo.lengthLimit + 1) }
    files.sort { one, other in
      one.path.lexicographicallyPrecedes(other.path) { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }
    guard 1...TorrentInfo.lengthLimit ~= length else { throw TorrentMakerError.length(length) }
  }

  private mutating func walk(_ folder: borrowing Folder, _ path: [String]) throws {
    for octets in try folder.names() {
      let name = try name(octets, in: path)
      let inner = path + [name]
      guard inner.count <= Self.depthLimit else { throw TorrentMakerError.tooDeep(path) }
      switch try folder.kind(name) {
      case .file(let length): files.append(File(path: inner, length: length))
      case .folder: if let next = try folder.folder([name]) { try walk(next, inner) }
      case .other: leftOut.append(inner)
      case nil: break
      }
      guard files.count + leftOut.count <= TorrentInfo.fileLimit else { throw TorrentMakerError.tooManyFiles }
    }
  }

  /// A name that all who read the torrent take as it is.
  private func name(_ octets: [UInt8], in path: [String]) throws(TorrentMakerError) -> String {
    guard let name = TorrentInfo.component(octets[...]), name.utf8.elementsEqual(octets) else {
      throw .badName(path + [String(decoding: octets, as: UTF8.self)])
    }
    return name
  }

  /// Reads all files and hashes their pieces.
  ///
  /// - Parameter progress: is told how many octets are done, of how many; false makes it stop.
  /// - Returns: what the torrent says, but for its trackers.
  /// - Throws: `TorrentMakerError`: `changed` where a file is no more as it was found, `cancelled`. `DiskError`.
  func make(progress: (_ done: Int64, _ total: Int64) -> Bool = { _, _ in true }) throws -> MetainfoBuilder {
    let total = length
    var hasher = PieceHasher(pieceLength: pieceLength, sha1: try SHA1())
    let folder = try Folder(self.folder)
    for file in files {
      try read(file, in: folder) { octets in
        try hasher.update(octets)
        guard progress(hasher.done, total) else { throw TorrentMakerError.cancelled }
      }
    }
    return MetainfoBuilder(
      name: path.last ?? "", files: files.map { ($0.path, $0.length) }, pieceLength: pieceLength,
      hashes: try hasher.finish())
  }

  private func read(_ file: File, in folder: borrowing Folder, _ body: (Span<UInt8>) throws -> Void) throws {
    guard let open = try folder.file(path + file.path) else { throw TorrentMakerError.changed(file.path) }
    let before = try open.status()
    var scratch = [UInt8](repeating: 0, count: TorrentFiles.sliceLength)
    var done: Int64 = 0
    while done < file.length {
      let wanted = Int(min(Int64(scratch.count), file.length - done))
      guard try open.read(into: &scratch, 0..<wanted, at: done) == wanted else {
        throw TorrentMakerError.changed(file.path)
      }
      done += Int64(wanted)
      try body(scratch.span.extracting(first: wanted))
    }
    let after = try open.status()
    guard after.st_size == file.length, after.st_mtim.tv_sec == before.st_mtim.tv_sec,
      after.st_mtim.tv_nsec == before.st_mtim.tv_nsec
    else { throw TorrentMakerError.changed(file.path) }
  }
}

/// The SHA-1 of each piece of octets that come in parts of any length.
private struct PieceHasher: ~Copyable {
  let pieceLength: Int
  var sha1: SHA1
  private(set) var done: Int64 = 0
  private var hashes: [UInt8] = []
  /// Octets of the piece that is not whole yet.
  private var begun = 0

  init(pieceLength: Int, sha1: consuming SHA1) {
    self.pieceLength = pieceLength
    self.sha1 = sha1
  }

  mutating func update(_ octets: Span<UInt8>) throws {
    var start = 0
    while start < octets.count {
      let end = min(octets.count, start + pieceLength - begun)
      try sha1.update(octets.extracting(start..<end))
      begun += end - start
      start = end
      if begun == pieceLength { try close() }
    }
    done += Int64(octets.count)
  }

  private mutating func close() throws {
    hashes += try sha1.finish()
    begun = 0
  }

  /// All of them, one behind the other; the last piece may be shorter.
  mutating func finish() throws -> [UInt8] {
    if begun > 0 { try close() }
    return hashes
  }
}

/// Why no torrent can be made of something. Paths are below what it was to be made of.
enum TorrentMakerError: Error, Equatable, Sendable {
  case pieceLength(Int)
  case noName
  /// Not UTF-8, or with a control character in it, or one that leads elsewhere.
  case badName([String])
  case tooDeep([String])
  case tooManyFiles
  /// Nothing is in it, or more than a torrent can have.
  case length(Int64)
  case changed([String])
  case cancelled
}

extension TorrentMakerError: CustomStringConvertible {
  var description: String {
    switch self {
    case .pieceLength(let length):
      "A piece can't have \(length) octets: take a power of two from \(TorrentMaker.pieceLengths.lowerBound) to "
        + "\(TorrentMaker.pieceLengths.upperBound)."
    case .noName: "Name a file or a folder below the download folder."
    case .badName(let path): "\(joined(path)) can't be a name in a torrent: rename it."
    case .tooDeep(let path): "\(joined(path)) is more than \(TorrentMaker.depthLimit) folders deep."
    case .tooManyFiles: "There are more than \(TorrentInfo.fileLimit) files: pack them into an archive."
    case .length(0): "There is nothing in it: a torrent needs at least one octet."
    case .length: "A torrent can't have more than \(TorrentInfo.lengthLimit) octets."
    case .changed(let path):
      "\(path.isEmpty ? "The file" : joined(path)) was changed while it was read: try again once nobody writes to it."
    case .cancelled: "It was cancelled."
    }
  }

  private func joined(_ path: [String]) -> String { path.joined(separator: "/") }
}
