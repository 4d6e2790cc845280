import Glibc
import Octets
import ServiceKit
import Testing
import TorrentWire

@testable import Peer

/// A download folder of a test's own, and a folder elsewhere, gone with it.
final class DownloadFolder: Sendable {
  private let root: String
  var path: String { "\(root)/downloads" }
  /// Where nothing of a torrent may ever be.
  var elsewhere: String { "\(root)/elsewhere" }

  init() {
    var template = Array("/tmp/peer-tests-XXXXXX".utf8CString)
    root = unsafe template.withUnsafeMutableBufferPointer { buffer in
      guard let base = buffer.baseAddress, let made = unsafe mkdtemp(base) else { return "/tmp/peer-tests" }
      return unsafe String(cString: made)
    }
    unsafe mkdir(path, 0o700)
    unsafe mkdir(elsewhere, 0o700)
  }

  deinit { DownloadFolder.remove(root) }

  private static func remove(_ path: String) {
    var status = stat()
    if unsafe lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR {
      for name in (try? Folder(path).names()) ?? [] { remove("\(path)/\(String(decoding: name, as: UTF8.self))") }
    }
    unsafe Glibc.remove(path)
  }

  func status(_ name: String) -> stat? {
    var status = stat()
    return unsafe lstat("\(path)/\(name)", &status) == 0 ? status : nil
  }

  func exists(_ name: String) -> Bool { status(name) != nil }

  func read(_ name: String) -> [UInt8]? {
    guard let file = try? Folder(path).file(name.split(separator: "/").map(String.init)),
      let length = try? file.length()
    else { return nil }
    var octets = [UInt8](repeating: 0, count: Int(length))
    return try? file.read(into: &octets, 0..<octets.count, at: 0) == octets.count ? octets : nil
  }

  /// Writes from `offset` on, and makes the file and its folders if need be.
  func write(_ octets: [UInt8], to name: String, at offset: Int = 0) throws {
    let parts = name.split(separator: "/").map(String.init)
    let folder = try Folder(path)
    try folder.makeFolders(parts.dropLast())
    let file = try #require(try folder.fileForWriting(parts))
    #expect(unsafe pwrite(file.descriptor, octets, octets.count, off_t(offset)) == octets.count)
  }

  func makeFolder(_ name: String) { unsafe mkdir("\(path)/\(name)", 0o700) }

  func link(_ name: String, to target: String) { unsafe symlink(target, "\(path)/\(name)") }

  /// How many descriptors of this process lead into it.
  var openDescriptors: Int {
    let names = (try? Folder("/proc/self/fd").names()) ?? []
    return names.count { name in
      var target = [CChar](repeating: 0, count: 4096)
      let count = unsafe readlink("/proc/self/fd/\(String(decoding: name, as: UTF8.self))", &target, 4096)
      return target.prefix(max(0, count)).map(UInt8.init(bitPattern:)).starts(with: path.utf8)
    }
  }

  /// What lies elsewhere.
  var strays: [String] {
    get throws { try Folder(elsewhere).names().map { String(decoding: $0, as: UTF8.self) }.sorted() }
  }
}

/// A torrent whose octets are known.
struct KnownTorrent {
  let info: TorrentInfo
  let content: [UInt8]

  /// - Parameter files: names with slashes, and lengths; one with an empty name is the torrent itself.
  init(
    _ files: [(name: String, length: Int)], pieceLength: Int, name: String = "torrent", seed: UInt64 = 1,
    content known: [UInt8]? = nil
  ) throws {
    let length = files.reduce(0) { $0 + $1.length }
    var chance = SeededGenerator(seed: seed)
    let content = known ?? (0..<length).map { _ in UInt8.random(in: .min ... .max, using: &chance) }
    let hashes = try stride(from: 0, to: length, by: pieceLength).flatMap {
      try Secrets.sha1(content[$0..<min($0 + pieceLength, length)])
    }
    let builder = MetainfoBuilder(
      name: name, files: files.map { ($0.name.split(separator: "/").map(String.init), Int64($0.length)) },
      pieceLength: pieceLength, hashes: hashes)
    info = try TorrentInfo(decoding: builder.info[...])
    self.content = content
  }

  /// Up to `limit` files, some of them empty, with pieces that reach over many of them or are a part of one.
  static func random(seed: UInt64, limit: Int = 12) throws -> KnownTorrent {
    var chance = SeededGenerator(seed: seed)
    var files = (0..<Int.random(in: 1...limit, using: &chance)).map { number in
      let folder = ["", "a/", "a/b/", "c/"].randomElement(using: &chance) ?? ""
      let length =
        Bool.random(using: &chance) ? Int.random(in: 0...40, using: &chance) : Int.random(in: 0...3000, using: &chance)
      return (name: "\(folder)\(number)", length: Int.random(in: 0...4, using: &chance) == 0 ? 0 : length)
    }
    files.append((name: "last", length: 1))
    return try KnownTorrent(files, pieceLength: Int.random(in: 1...2000, using: &chance), seed: seed)
  }

  func piece(_ piece: Int) -> [UInt8] {
    let start = piece * info.pieceLength
    return Array(content[start..<start + info.length(of: piece)])
  }

  /// The piece in blocks of random lengths, some without octets.
  func blocks(_ number: Int, _ chance: inout SeededGenerator) -> [[UInt8]] {
    var rest = piece(number)[...]
    var blocks: [[UInt8]] = []
    while !rest.isEmpty {
      let count = Int.random(in: 0...min(rest.count, 100), using: &chance)
      blocks.append(Array(rest.prefix(count)))
      rest = rest.dropFirst(count)
    }
    return blocks
  }

  func octets(of file: Int) -> [UInt8] {
    let file = info.files[file]
    return Array(content[Int(file.offset)..<Int(file.offset + file.length)])
  }

  func files(in folder: DownloadFolder, openFiles: OpenFiles = OpenFiles(limit: 64)) -> TorrentFiles {
    TorrentFiles(info: info, folder: folder.path, openFiles: openFiles)
  }

  var all: [Bool] { Array(repeating: true, count: info.files.count) }

  func writeAll(_ files: TorrentFiles) throws {
    for piece in 0..<info.pieceCount { try files.write(piece, [self.piece(piece)]) }
  }
}
