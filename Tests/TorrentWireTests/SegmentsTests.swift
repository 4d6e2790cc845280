import Octets
import Testing

@testable import TorrentWire

@Suite struct SegmentsTests {
  private typealias Segment = TorrentInfo.Segment

  private func torrent(_ lengths: [Int64], pieceLength: Int) throws -> TorrentInfo {
    let length = Int(lengths.reduce(0, +))
    let pieces = (length - 1) / pieceLength + 1
    let builder = MetainfoBuilder(
      name: "n", files: lengths.enumerated().map { (["\($0)"], $1) }, pieceLength: pieceLength,
      hashes: [UInt8](repeating: 0, count: 20 * pieces))
    return try TorrentInfo(decoding: builder.info[...])
  }

  @Test func aPieceThatLiesOverABorderIsSplit() throws {
    let info = try torrent([10, 10], pieceLength: 8)
    #expect(info.segments(0, 0..<8) == [Segment(file: 0, offset: 0, count: 8)])
    #expect(info.segments(1, 0..<8) == [Segment(file: 0, offset: 8, count: 2), Segment(file: 1, offset: 0, count: 6)])
    #expect(info.segments(1, 0..<2) == [Segment(file: 0, offset: 8, count: 2)])
    #expect(info.segments(1, 2..<3) == [Segment(file: 1, offset: 0, count: 1)])
    #expect(info.segments(2, 0..<4) == [Segment(file: 1, offset: 6, count: 4)])
  }

  @Test func aFileThatEndsWithThePieceHasNoPartInTheNext() throws {
    let info = try torrent([8, 8], pieceLength: 8)
    #expect(info.segments(0, 0..<8) == [Segment(file: 0, offset: 0, count: 8)])
    #expect(info.segments(1, 0..<8) == [Segment(file: 1, offset: 0, count: 8)])
  }

  @Test func nothingLiesInFilesWithoutOctets() throws {
    let info = try torrent([0, 0, 3, 0, 0, 3, 0], pieceLength: 6)
    #expect(info.segments(0, 0..<6) == [Segment(file: 2, offset: 0, count: 3), Segment(file: 5, offset: 0, count: 3)])
    #expect(info.segments(0, 3..<4) == [Segment(file: 5, offset: 0, count: 1)])
    #expect(info.segments(0, 2..<3) == [Segment(file: 2, offset: 2, count: 1)])
  }

  @Test func whatIsBeyondThePieceLiesNowhere() throws {
    let info = try torrent([10], pieceLength: 8)
    #expect(info.segments(1, 0..<8) == [Segment(file: 0, offset: 8, count: 2)])
    #expect(info.segments(0, 8..<20) == [])
    #expect(info.segments(0, 3..<3) == [])
    #expect(info.segments(2, 0..<1) == [])
    #expect(info.segments(-1, 0..<1) == [])
    #expect(info.segments(.max, 0..<1) == [])
    #expect(info.segments(0, -5..<2) == [Segment(file: 0, offset: 0, count: 2)])
    #expect(info.segments(0, .min ..< .max) == [Segment(file: 0, offset: 0, count: 8)])
  }

  @Test(arguments: 1...30 as ClosedRange<UInt64>) func manyFilesAreFoundAsByWalkingThem(seed: UInt64) throws {
    var chance = SeededGenerator(seed: seed)
    let lengths =
      (0..<Int.random(in: 1...300, using: &chance)).map { _ in Int64.random(in: 0...9, using: &chance) } + [1]
    let info = try torrent(lengths, pieceLength: Int.random(in: 1...40, using: &chance))
    // Which file each octet is in, and where.
    let places = lengths.enumerated().flatMap { file, length in (0..<length).map { (file: file, offset: $0) } }
    for piece in 0..<info.pieceCount {
      let length = info.length(of: piece)
      let start = Int.random(in: 0...length, using: &chance)
      let range = start..<Int.random(in: start...length, using: &chance)
      let segments = info.segments(piece, range)
      let found = segments.flatMap { segment in
        (segment.offset..<segment.offset + segment.count).map { (file: segment.file, offset: $0) }
      }
      let expected = range.map { places[piece * info.pieceLength + $0] }
      #expect(found.elementsEqual(expected) { $0 == $1 })
      #expect(Set(segments.map(\.file)).count == segments.count)
    }
  }
}
