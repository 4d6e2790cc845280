import EventLoop
import Glibc
import Octets
import Testing
import TorrentWire

@testable import Peer

@Suite struct TorrentFilesTests {
  private let folder = DownloadFolder()

  @Test(arguments: 1...40 as ClosedRange<UInt64>) func whatIsWrittenIsReadAndVerified(seed: UInt64) throws {
    let torrent = try KnownTorrent.random(seed: seed)
    let files = torrent.files(in: folder)
    if seed % 2 == 0 { try files.prepare(wanted: torrent.all) }
    var chance = SeededGenerator(seed: seed)
    for piece in (0..<torrent.info.pieceCount).shuffled(using: &chance) {
      try files.write(piece, torrent.blocks(piece, &chance))
    }
    try files.synchronize()
    for piece in 0..<torrent.info.pieceCount {
      #expect(try files.verify(piece))
      let whole = torrent.piece(piece)
      let start = Int.random(in: 0...whole.count, using: &chance)
      let range = start..<Int.random(in: start...whole.count, using: &chance)
      #expect(try files.read(piece, range) == Array(whole[range]))
    }
    for (index, file) in torrent.info.files.enumerated() where file.length > 0 {
      #expect(folder.read((["torrent"] + file.path).joined(separator: "/")) == torrent.octets(of: index))
    }
    try files.remove()
    #expect(!folder.exists("torrent"))
  }

  @Test func whatIsInMemoryIsReadAtOnceFromAFileThatIsOpen() throws {
    let torrent = try KnownTorrent([("a", 60), ("b", 70)], pieceLength: 64)
    let files = torrent.files(in: folder)
    try files.prepare(wanted: [true, true])
    #expect(files.readAtOnce(0, 0..<64) == nil)
    try torrent.writeAll(files)
    for piece in 0..<2 { #expect(files.readAtOnce(piece, 3..<64) == Array(torrent.piece(piece)[3..<64])) }
    #expect(files.readAtOnce(0, 0..<65) == nil)
    #expect(unsafe truncate("\(folder.path)/torrent/b", 67) == 0)
    #expect(files.readAtOnce(1, 0..<63) == Array(torrent.piece(1)[0..<63]))
    #expect(files.readAtOnce(1, 0..<64) == nil)
    files.close()
    #expect(files.readAtOnce(0, 0..<64) == nil)
  }

  @Test func aTorrentOfOneFileIsAFile() throws {
    let torrent = try KnownTorrent([("", 100)], pieceLength: 64, name: "one")
    let files = torrent.files(in: folder)
    try files.prepare(wanted: [true])
    #expect(folder.status("one")?.st_size == 100)
    try torrent.writeAll(files)
    #expect(folder.read("one") == torrent.content)
    try files.remove()
    #expect(!folder.exists("one"))
  }

  @Test func whatIsPreparedTakesNoRoom() throws {
    let gibibyte = 1 << 30
    let builder = MetainfoBuilder(
      name: "large", files: [([], Int64(gibibyte))], pieceLength: 1 << 24,
      hashes: [UInt8](repeating: 0, count: 20 * 64))
    let files = TorrentFiles(
      info: try TorrentInfo(decoding: builder.info[...]), folder: folder.path, openFiles: OpenFiles(limit: 64))
    try files.prepare(wanted: [true])
    let status = try #require(folder.status("large"))
    #expect(status.st_size == gibibyte && status.st_blocks < 100)
    #expect(try files.file(0, forWriting: false).isHole(0, Int64(gibibyte)))
    #expect(try !files.verify(63))
  }

  @Test func filesWithoutOctetsAreMade() throws {
    let torrent = try KnownTorrent([("a/empty", 0), ("b", 5)], pieceLength: 4)
    try torrent.files(in: folder).prepare(wanted: torrent.all)
    #expect(folder.status("torrent/a/empty")?.st_size == 0)
  }

  @Test func whatIsNotWantedIsMadeOnceAPieceReachesIntoIt() throws {
    let torrent = try KnownTorrent([("a", 10), ("b", 10), ("far/c", 10)], pieceLength: 8)
    let files = torrent.files(in: folder)
    try files.prepare(wanted: [true, false, false])
    #expect(folder.exists("torrent/a") && !folder.exists("torrent/b") && !folder.exists("torrent/far"))
    try files.write(1, [torrent.piece(1)])
    #expect(folder.status("torrent/b")?.st_size == 10)
    #expect(!folder.exists("torrent/far"))
    #expect(try files.verify(1))
    #expect(try files.read(3, 0..<1) == nil)
    #expect(try !files.verify(3))
  }

  @Test func whatIsThereAlreadyStaysAndIsMadeLonger() throws {
    let torrent = try KnownTorrent([("a", 10), ("b", 10)], pieceLength: 5)
    try folder.write(Array(torrent.content[0..<7]), to: "torrent/a")
    let files = torrent.files(in: folder)
    #expect(try files.verify(0))
    #expect(try !files.verify(1), "it is too short")
    #expect(try files.read(1, 0..<5) == nil)
    #expect(try files.read(1, 0..<2) == Array(torrent.content[5..<7]))
    try files.prepare(wanted: torrent.all)
    #expect(folder.read("torrent/a") == Array(torrent.content[0..<7]) + [0, 0, 0])
  }

  @Test func aLongerFileIsRefusedAndStaysAsItIs() throws {
    let torrent = try KnownTorrent([("", 10)], pieceLength: 5, name: "one")
    let longer = torrent.content + [1]
    try folder.write(longer, to: "one")
    let files = torrent.files(in: folder)
    let expected = DiskError.tooLong(path: "\(folder.path)/one", length: 11, expected: 10)
    #expect(throws: expected) { try files.prepare(wanted: [true]) }
    #expect(throws: expected) { try files.write(0, [torrent.piece(0)]) }
    #expect(folder.read("one") == longer)
    #expect("\(expected)".contains("11 octets"))
  }

  @Test func whatIsWholeIsSeededWithoutBeingOpenedForWriting() throws {
    let torrent = try KnownTorrent([("", 10)], pieceLength: 5, name: "one")
    try folder.write(torrent.content, to: "one")
    let files = torrent.files(in: folder)
    try files.prepare(wanted: [true])
    #expect(try files.verify(0) && files.verify(1))
    #expect(try !files.file(0, forWriting: false).isWritable)
  }

  @Test func oneOctetThatIsWrongIsFound() throws {
    let torrent = try KnownTorrent([("a", 300_000), ("b", 300_000)], pieceLength: 600_000)
    let files = torrent.files(in: folder)
    try torrent.writeAll(files)
    #expect(try files.verify(0))
    for (name, place) in [("a", 0), ("a", 262_144), ("a", 299_999), ("b", 0), ("b", 299_999)] {
      let right = try #require(folder.read("torrent/\(name)"))[place]
      try folder.write([right ^ 1], to: "torrent/\(name)", at: place)
      #expect(try !files.verify(0), "\(name) \(place)")
      try folder.write([right], to: "torrent/\(name)", at: place)
    }
    #expect(try files.verify(0))
  }

  @Test func holesAreRightWhereThePieceIsAllZeros() throws {
    let length = 1 << 20
    let torrent = try KnownTorrent(
      [("a", length), ("b", length + 3)], pieceLength: 300_000, content: [UInt8](repeating: 0, count: 2 * length + 3))
    let files = torrent.files(in: folder)
    #expect(try !files.verify(0), "there is nothing yet")
    try files.prepare(wanted: torrent.all)
    for piece in 0..<torrent.info.pieceCount { #expect(try files.verify(piece)) }
    #expect(folder.status("torrent/a")?.st_blocks ?? 9 < 9)
  }

  @Test func aHoleBeforeOctetsIsAPartOfThePiece() throws {
    let zeros = [UInt8](repeating: 0, count: 1 << 20)
    let torrent = try KnownTorrent([("", zeros.count + 3)], pieceLength: zeros.count + 3, content: zeros + [1, 2, 3])
    let files = torrent.files(in: folder)
    try files.prepare(wanted: [true])
    #expect(try !files.verify(0))
    try folder.write([1, 2, 3], to: "torrent", at: zeros.count)
    #expect(try files.verify(0))
  }

  @Test func aFileThatWasOpenForReadingIsWritten() throws {
    let torrent = try KnownTorrent([("a", 10)], pieceLength: 10)
    let files = torrent.files(in: folder)
    try files.prepare(wanted: [true])
    let reader = try files.file(0, forWriting: false)
    try files.write(0, [torrent.content])
    #expect(try files.verify(0))
    #expect(try files.file(0, forWriting: false).isWritable && !reader.isWritable)
    #expect(files.openFiles.count == 1)
  }

  @Test func zerosThatAreNotThereAreNotRight() throws {
    let torrent = try KnownTorrent(
      [("", 100_000)], pieceLength: 100_000, content: [UInt8](repeating: 0, count: 100_000))
    try folder.write([], to: "torrent")
    let files = torrent.files(in: folder)
    #expect(try !files.verify(0))
    #expect(unsafe truncate("\(folder.path)/torrent", 99_999) == 0)
    #expect(try !files.verify(0))
    #expect(unsafe truncate("\(folder.path)/torrent", 100_000) == 0)
    #expect(try files.verify(0))
  }

  @Test func whatIsWrittenWhileOthersSynchronizeIsNotForgotten() throws {
    let torrent = try KnownTorrent([("a", 10), ("b", 10)], pieceLength: 5)
    let files = torrent.files(in: folder)
    try torrent.writeAll(files)
    #expect(files.unsynchronized.withLock { $0.files } == [0: 2, 1: 4])
    try files.synchronize()
    #expect(files.unsynchronized.withLock { $0.files } == [:])
    try files.write(0, [torrent.piece(0)])
    #expect(files.unsynchronized.withLock { $0.files } == [0: 5], "a number of its own")
  }

  @Test func onceClosedWhatAPersonMovedAwayIsMissed() throws {
    let torrent = try KnownTorrent([("a", 10)], pieceLength: 10)
    let files = torrent.files(in: folder)
    try torrent.writeAll(files)
    let copy = try files.file(0, forWriting: false).duplicate()
    #expect(unsafe unlink("\(folder.path)/torrent/a") == 0)
    files.close()
    #expect(try !files.verify(0))
    var octet: UInt8 = 0
    #expect(unsafe pread(copy, &octet, 1, 9) == 1 && octet == torrent.content[9])
    #expect(folder.openDescriptors == 1)
    #expect(Glibc.close(copy) == 0)
    #expect(folder.openDescriptors == 0)
  }

  @Test func aPieceOfMoreBlocksThanOneCallTakesIsWritten() throws {
    let torrent = try KnownTorrent([("a", 1000), ("b", 9000)], pieceLength: 10_000)
    let files = torrent.files(in: folder)
    try files.write(0, torrent.content.map { [$0] })
    #expect(try files.verify(0))
  }

  @Test func noMoreThanSixtyFourFilesAreOpen() throws {
    let torrent = try KnownTorrent((0..<200).map { ("\($0 % 7)/\($0)", 3) }, pieceLength: 100)
    let files = torrent.files(in: folder, openFiles: OpenFiles(limit: 64))
    let held = try files.file(0, forWriting: true)
    try torrent.writeAll(files)
    #expect(files.openFiles.count == 64)
    #expect(files.openFiles.file(0, forWriting: false) == nil, "it was not used for longest")
    #expect(fcntl(held.descriptor, F_GETFD) >= 0, "who holds it has it")
    for piece in 0..<torrent.info.pieceCount { #expect(try files.verify(piece)) }
    try files.synchronize()
    #expect(files.openFiles.count == 64)
  }

  @Test func torrentsShareTheFilesThatAreOpen() throws {
    let openFiles = OpenFiles(limit: 8)
    let torrent = try KnownTorrent((0..<5).map { ("\($0)", 3) }, pieceLength: 100)
    var many = (0..<20).map { _ in torrent.files(in: folder, openFiles: openFiles) }
    for files in many { try torrent.writeAll(files) }
    #expect(openFiles.count == 8 && folder.openDescriptors == 8)
    #expect(many.map(\.openFiles.count).suffix(2) == [3, 5], "who used theirs last have them open")
    for files in many { #expect(try files.verify(0)) }
    // One that stops takes nothing from others.
    many[19].close()
    #expect(openFiles.count == 3 && many[18].openFiles.count == 3)
    many.removeLast(2)
    #expect(openFiles.count == 0 && folder.openDescriptors == 0)
  }

  @Test func descriptorsAreLeftForConnections() {
    for descriptors in [64, 256, 1024, 4096, 1_000_000] {
      var limits = PeerLimits()
      limits.fit(descriptors: descriptors)
      #expect(limits.openFiles + limits.connections <= descriptors / 4 * 3)
    }
  }

  @Test func theFileThatWasUsedLastStaysOpen() throws {
    let torrent = try KnownTorrent((0..<100).map { ("\($0)", 1) }, pieceLength: 1)
    let files = torrent.files(in: folder)
    for piece in 0..<100 {
      try files.write(piece, [torrent.piece(piece)])
      #expect(try files.read(0, 0..<1) == torrent.piece(0))
    }
    #expect(files.openFiles.file(0, forWriting: true) != nil)
    #expect(files.openFiles.file(1, forWriting: true) == nil)
  }

  @Test func whatOthersPutThereStays() throws {
    let torrent = try KnownTorrent([("a/b/mine", 5), ("c/d/mine", 5), ("link", 3)], pieceLength: 8)
    let files = torrent.files(in: folder)
    try files.prepare(wanted: [true, true, false])
    try folder.write([1], to: "torrent/a/theirs")
    try folder.write([1], to: "beside")
    folder.link("torrent/link", to: folder.elsewhere)
    try files.remove()
    #expect(folder.read("torrent/a/theirs") == [1])
    #expect(folder.exists("torrent/link") && folder.exists("beside"))
    #expect(!folder.exists("torrent/a/b") && !folder.exists("torrent/c"))
    try files.remove()
  }

  @Test func whatIsOutsideOfAPieceIsNowhere() throws {
    let torrent = try KnownTorrent([("a", 10)], pieceLength: 8)
    let files = torrent.files(in: folder)
    try torrent.writeAll(files)
    #expect(try files.read(1, 0..<3) == nil)
    #expect(try files.read(2, 0..<1) == nil)
    #expect(try files.read(-1, 0..<1) == nil)
    #expect(try files.read(0, 8..<9) == nil)
    #expect(try files.read(1, 1..<2) == [torrent.content[9]])
  }

  @Test func manyThreadsWriteAndReadAtOnce() async throws {
    let torrent = try KnownTorrent((0..<150).map { ("\($0 % 3)/\($0)", 50) }, pieceLength: 70)
    let files = torrent.files(in: folder)
    try await withThrowingTaskGroup { group in
      for piece in 0..<torrent.info.pieceCount {
        group.addTask {
          try files.write(piece, [torrent.piece(piece)])
          #expect(try files.verify(piece))
        }
      }
      try await group.waitForAll()
    }
    #expect(try (0..<torrent.info.pieceCount).allSatisfy { try files.verify($0) })
  }
}
