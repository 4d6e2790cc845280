import Glibc
import Testing
import TorrentWire

@testable import Peer

/// What somebody puts into the download folder leads no torrent out of it.
@Suite struct IntruderTests {
  private let folder = DownloadFolder()

  @Test func aFolderThatBecameALinkIsNotFollowed() throws {
    let torrent = try KnownTorrent([("a/b", 10)], pieceLength: 5)
    folder.makeFolder("torrent")
    folder.link("torrent/a", to: folder.elsewhere)
    let files = torrent.files(in: folder)
    let expected = DiskError.leadsElsewhere(path: "\(folder.path)/torrent/a/b")
    #expect(throws: expected) { try files.prepare(wanted: [true]) }
    #expect(throws: expected) { try files.write(0, [torrent.piece(0)]) }
    #expect(throws: expected) { try files.read(0, 0..<1) }
    #expect(throws: expected) { try files.verify(0) }
    #expect(try folder.strays == [])
  }

  @Test func aLinkIsRefusedAlsoWhereItStaysInTheFolder() throws {
    let torrent = try KnownTorrent([("a/b", 10)], pieceLength: 5)
    folder.makeFolder("other")
    folder.link("torrent", to: "other")
    #expect(throws: DiskError.self) { try torrent.files(in: folder).prepare(wanted: [true]) }
    #expect(!folder.exists("other/a"))
  }

  @Test func aLinkInTheFilesPlaceIsNotFollowed() throws {
    let torrent = try KnownTorrent([("", 10)], pieceLength: 5, name: "one")
    folder.link("one", to: "\(folder.elsewhere)/new")
    let files = torrent.files(in: folder)
    let expected = DiskError.leadsElsewhere(path: "\(folder.path)/one")
    #expect(throws: expected) { try files.prepare(wanted: [true]) }
    #expect(throws: expected) { try files.write(0, [torrent.piece(0)]) }
    #expect(try folder.strays == [])
    try files.remove()
    #expect(folder.exists("one"), "the link is somebody else's")
  }

  @Test func removingFollowsNoLink() throws {
    let torrent = try KnownTorrent([("a/b", 10), ("c", 5)], pieceLength: 5)
    let files = torrent.files(in: folder)
    try files.prepare(wanted: torrent.all)
    #expect(unsafe rename("\(folder.path)/torrent/a", "\(folder.elsewhere)/a") == 0)
    folder.link("torrent/a", to: "\(folder.elsewhere)/a")
    #expect(throws: DiskError.leadsElsewhere(path: "\(folder.path)/torrent/a")) { try files.remove() }
    #expect(unsafe access("\(folder.elsewhere)/a/b", F_OK) == 0)
    #expect(!folder.exists("torrent/c"), "all else is removed")
  }

  @Test func whatIsNoRegularFileIsRefusedAndClosed() throws {
    let torrent = try KnownTorrent([("folder", 5), ("pipe", 5)], pieceLength: 5)
    try folder.write([1], to: "torrent/folder/inner")
    #expect(unsafe mkfifo("\(folder.path)/torrent/pipe", 0o600) == 0)
    let files = torrent.files(in: folder)
    for (piece, name) in ["folder", "pipe"].enumerated() {
      let expected = DiskError.notAFile(path: "\(folder.path)/torrent/\(name)")
      #expect(throws: expected) { try files.write(piece, [torrent.piece(piece)]) }
      #expect(throws: expected) { try files.read(piece, 0..<1) }
      let wanted = (0..<2).map { $0 == piece }
      #expect(throws: expected) { try files.prepare(wanted: wanted) }
    }
    #expect(folder.openDescriptors == 0)
    try files.remove()
    #expect(folder.exists("torrent/folder/inner") && folder.exists("torrent/pipe"))
  }

  @Test func aFileInAFoldersPlaceIsRefused() throws {
    let torrent = try KnownTorrent([("a/b", 5)], pieceLength: 5)
    try folder.write([1], to: "torrent/a")
    let error = #expect(throws: DiskError.self) { try torrent.files(in: folder).prepare(wanted: [true]) }
    #expect(error == .notAFolder(path: "\(folder.path)/torrent/a/b"))
  }

  @Test func aDownloadFolderThatIsNotThereIsNotMade() throws {
    let torrent = try KnownTorrent([("a", 5)], pieceLength: 5)
    let files = TorrentFiles(info: torrent.info, folder: "\(folder.path)/unmounted", openFiles: OpenFiles(limit: 64))
    #expect(throws: DiskError.absent(path: "\(folder.path)/unmounted")) { try files.prepare(wanted: [true]) }
    #expect(!folder.exists("unmounted"))
  }

  @Test func eachErrorSaysWhereAndWhatToDo() {
    let errors: [DiskError] = [
      DiskError(call: "pwritev", path: "/x", errno: ENOSPC), DiskError(call: "pwritev", path: "/x", errno: EDQUOT),
      DiskError(call: "ftruncate", path: "/x", errno: EFBIG), DiskError(call: "open", path: "/x", errno: EACCES),
      DiskError(call: "pread", path: "/x", errno: EIO),
    ]
    #expect(
      errors == [
        .full(path: "/x"), .full(path: "/x"), .tooLarge(path: "/x"), .forbidden(path: "/x"),
        .system(call: "pread", path: "/x", errno: EIO),
      ])
    for error in errors { #expect("\(error)".contains("/x")) }
  }
}
