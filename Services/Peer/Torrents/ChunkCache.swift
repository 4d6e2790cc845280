import TorrentWire

/// Octets of pieces as they were read for one peer and are soon asked for by the next: a chunk of some blocks at a time, of all torrents
/// together, the one that was used longest ago going first. It is touched on its loop alone.
final class ChunkCache: @unchecked Sendable {
  struct Key: Hashable, Sendable {
    var torrent: InfoHash
    var piece: Int
    /// From the piece's beginning, in chunks.
    var number: Int
  }

  static let chunk = 262_144
  private let limit: Int
  private var chunks: [Key: (octets: [UInt8], used: UInt64)] = [:]
  private var clock: UInt64 = 0

  /// - Parameter octets: what is held, at most.
  init(octets: Int) { limit = max(1, octets / Self.chunk) }

  var count: Int { chunks.count }

  func get(_ key: Key) -> [UInt8]? {
    clock += 1
    chunks[key]?.used = clock
    return chunks[key]?.octets
  }

  func set(_ key: Key, _ octets: [UInt8]) {
    if chunks.count >= limit, let oldest = chunks.min(by: { $0.value.used < $1.value.used }) {
      chunks[oldest.key] = nil
    }
    clock += 1
    chunks[key] = (octets, clock)
  }

  /// The torrent gives nothing any more.
  func forget(_ torrent: InfoHash) { chunks = chunks.filter { $0.key.torrent != torrent } }
}
