import Glibc
import Testing
import TorrentWire

@testable import Peer

/// On a file system of a mebibyte a piece of two has no room.
@Suite(.enabled(if: geteuid() == 0, "a small file system is mounted, which needs root")) struct FullDiskTests {
  @Test func aFullDiskIsAnErrorOfItsOwn() throws {
    let folder = DownloadFolder()
    guard unsafe mount("tmpfs", folder.path, "tmpfs", 0, "size=1m") == 0 else { return }
    defer { _ = unsafe umount2(folder.path, Int32(MNT_DETACH)) }
    let torrent = try KnownTorrent([("", 2 << 20)], pieceLength: 2 << 20, name: "one")
    let files = torrent.files(in: folder)
    try files.prepare(wanted: [true])
    #expect(throws: DiskError.full(path: "\(folder.path)/one")) { try files.write(0, [torrent.content]) }
    #expect(try !files.verify(0))
  }
}
