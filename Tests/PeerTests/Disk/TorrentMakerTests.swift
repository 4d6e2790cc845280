import Glibc
import Octets
import ServiceKit
import Testing
import TorrentWire

@testable import Peer

@Suite struct TorrentMakerTests {
  private let folder = DownloadFolder()

  private func octets(_ count: Int, seed: UInt64) -> [UInt8] {
    var chance = SeededGenerator(seed: seed)
    return (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &chance) }
  }

  private func hashes(_ octets: [UInt8], _ pieceLength: Int) throws -> [UInt8] {
    try stride(from: 0, to: octets.count, by: pieceLength).flatMap {
      try Secrets.sha1(octets[$0..<min($0 + pieceLength, octets.count)])
    }
  }

  @Test func aFolderIsMadeAsItIsHashedByHand() throws {
    let contents = [("B", 700_000), ("a/x", 16_384), ("a/y/z", 0), ("a-b", 300_001), ("é", 5)]
    for (seed, (name, count)) in contents.enumerated() {
      try folder.write(octets(count, seed: UInt64(seed)), to: "some/films/\(name)")
    }
    let maker = try TorrentMaker(["some", "films"], below: folder.path, pieceLength: 65_536)
    // Folder by folder, and in each by octets: `a` is before `a-b`.
    #expect(maker.files.map { $0.path.joined(separator: "/") } == ["B", "a/x", "a/y/z", "a-b", "é"])
    #expect(maker.leftOut.isEmpty)
    var steps: [Int64] = []
    let builder = try maker.make { done, total in
      #expect(total == 1_016_390)
      steps.append(done)
      return true
    }
    #expect(steps == steps.sorted() && steps.last == 1_016_390)
    let info = try TorrentInfo(decoding: builder.info[...])
    let all = contents.enumerated().flatMap { octets($1.1, seed: UInt64($0)) }
    #expect(Array(info.hashes) == (try hashes(all, 65_536)))
    #expect(info.name == "films" && info.isFolder && info.pieceLength == 65_536)
    #expect(info.files.map(\.length) == [700_000, 16_384, 0, 300_001, 5])
    let files = TorrentFiles(info: info, folder: "\(folder.path)/some", openFiles: OpenFiles(limit: 64))
    #expect(try (0..<info.pieceCount).allSatisfy { try files.verify($0) })
  }

  @Test(arguments: [1, 262_143, 262_144, 262_145, 1_000_000]) func aFileIsATorrentOfOneFile(count: Int) throws {
    let content = octets(count, seed: 7)
    try folder.write(content, to: "film.mp4")
    let info = try TorrentInfo(decoding: TorrentMaker(["film.mp4"], below: folder.path).make().info[...])
    #expect(!info.isFolder && info.name == "film.mp4" && info.pieceLength == 262_144)
    #expect(info.files.map(\.path) == [["film.mp4"]] && info.length == count)
    #expect(Array(info.hashes) == (try hashes(content, 262_144)))
  }

  @Test func linksAndPipesAreLeftOut() throws {
    try folder.write([1], to: "films/real")
    folder.link("films/file", to: "real")
    folder.link("films/folder", to: folder.elsewhere)
    #expect(unsafe mkfifo("\(folder.path)/films/pipe", 0o600) == 0)
    let maker = try TorrentMaker(["films"], below: folder.path)
    #expect(maker.files == [TorrentMaker.File(path: ["real"], length: 1)])
    #expect(maker.leftOut.map { $0[0] }.sorted() == ["file", "folder", "pipe"])
  }

  @Test func nothingLeadsOutOfTheFolder() throws {
    folder.link("films", to: folder.elsewhere)
    #expect(throws: DiskError.notAFile(path: "\(folder.path)/films")) {
      try TorrentMaker(["films"], below: folder.path)
    }
    #expect(throws: DiskError.leadsElsewhere(path: "\(folder.path)/films")) {
      try TorrentMaker(["films", "x"], below: folder.path)
    }
    #expect(throws: TorrentMakerError.badName([".."])) {
      try TorrentMaker(["..", "elsewhere"], below: folder.path)
    }
    #expect(throws: TorrentMakerError.badName(["a/b"])) { try TorrentMaker(["a/b"], below: folder.path) }
    #expect(throws: TorrentMakerError.noName) { try TorrentMaker([], below: folder.path) }
    #expect(throws: DiskError.absent(path: "\(folder.path)/x/y")) { try TorrentMaker(["x", "y"], below: folder.path) }
  }

  @Test(arguments: [0, 1, 8192, 16_385, 300_000, 33_554_432, -65_536, Int.min])
  func aPieceLengthThatOthersDontTakeIsRefused(length: Int) throws {
    try folder.write([1], to: "one")
    #expect(throws: TorrentMakerError.pieceLength(length)) {
      try TorrentMaker(["one"], below: folder.path, pieceLength: length)
    }
  }

  @Test func aNameThatIsNoTextIsRefused() throws {
    folder.makeFolder("films")
    let name = Array("\(folder.path)/films/".utf8CString.dropLast()) + [-1, 0]
    let descriptor = unsafe open(name, O_WRONLY | O_CREAT, 0o600)
    #expect(close(descriptor) == 0)
    defer { unsafe unlink(name) }
    #expect(throws: TorrentMakerError.badName(["\u{FFFD}"])) { try TorrentMaker(["films"], below: folder.path) }
  }

  @Test func nothingIsNoTorrent() throws {
    folder.makeFolder("empty")
    #expect(throws: TorrentMakerError.length(0)) { try TorrentMaker(["empty"], below: folder.path) }
    try folder.write([], to: "empty/file")
    #expect(throws: TorrentMakerError.length(0)) { try TorrentMaker(["empty"], below: folder.path) }
  }

  @Test func foldersHaveABoundedDepth() throws {
    let parts = Array(repeating: "d", count: TorrentMaker.depthLimit)
    try folder.write([1], to: (["top"] + parts).joined(separator: "/"))
    #expect(throws: Never.self) { try TorrentMaker(["top"], below: folder.path).make() }
    try folder.write([1], to: (["deep"] + parts + ["x"]).joined(separator: "/"))
    #expect(throws: TorrentMakerError.tooDeep(parts)) { try TorrentMaker(["deep"], below: folder.path) }
  }

  @Test func itStopsWhenItIsTold() throws {
    try folder.write(octets(1_000_000, seed: 1), to: "one")
    let maker = try TorrentMaker(["one"], below: folder.path)
    var steps = 0
    #expect(throws: TorrentMakerError.cancelled) {
      try maker.make { _, _ in
        steps += 1
        return steps < 2
      }
    }
    #expect(steps == 2)
  }

  enum Change: CaseIterable { case shorter, longer, other, gone }

  @Test(arguments: Change.allCases) func aFileThatIsChangedMeanwhileIsAnError(change: Change) throws {
    try folder.write(octets(1_000_000, seed: 1), to: "films/one")
    try folder.write([1], to: "films/two")
    let maker = try TorrentMaker(["films"], below: folder.path)
    let name = "\(folder.path)/films/\(change == .gone ? "two" : "one")"
    #expect(throws: TorrentMakerError.changed([change == .gone ? "two" : "one"])) {
      try maker.make { done, _ in
        if done < 300_000 {
          switch change {
          case .shorter: _ = unsafe truncate(name, 500_000)
          case .longer: _ = unsafe truncate(name, 1_000_001)
          case .other: _ = try? folder.write([9], to: "films/one", at: 5)
          case .gone: unsafe unlink(name)
          }
        }
        return true
      }
    }
  }
}
