import Testing
import TorrentWire

@testable import Peer

@Suite struct ChunkCacheTests {
  private func key(_ torrent: Int, _ piece: Int) throws -> ChunkCache.Key {
    ChunkCache.Key(torrent: try #require(Make.hash(torrent)), piece: piece, number: 0)
  }

  @Test func whatWasUsedLongestAgoGoesFirst() throws {
    let cache = ChunkCache(octets: 3 * ChunkCache.chunk)
    for piece in 0..<3 { cache.set(try key(1, piece), [UInt8(piece)]) }
    #expect(cache.get(try key(1, 0)) == [0])
    cache.set(try key(2, 9), [9])
    #expect(cache.get(try key(1, 1)) == nil)
    let held = try [key(1, 0), key(2, 9)].map { cache.get($0) }
    #expect(held == [[0], [9]])
    #expect(cache.count == 3)
  }

  @Test func aTorrentThatStopsLeavesNothing() throws {
    let cache = ChunkCache(octets: 10 * ChunkCache.chunk)
    for piece in 0..<3 { cache.set(try key(1, piece), [1]) }
    cache.set(try key(2, 0), [2])
    cache.forget(try key(1, 0).torrent)
    #expect(cache.count == 1)
    #expect(cache.get(try key(2, 0)) == [2])
  }
}
