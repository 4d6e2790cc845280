import EventLoop
import Octets
import TorrentWire

@testable import Peer

/// What the tests of the peer are made of.
enum Make {
  /// A torrent of one file whose hashes nobody checks.
  static func info(pieces: Int, of pieceLength: Int = 32_768, isPrivate: Bool = false) throws -> TorrentInfo {
    var builder = MetainfoBuilder(
      name: "film.bin", files: [(path: [], length: Int64(pieces * pieceLength - 1000))], pieceLength: pieceLength,
      hashes: Array(repeating: 0, count: 20 * pieces))
    builder.isPrivate = isPrivate
    return try TorrentInfo(decoding: builder.info[...])
  }

  static func hash(_ number: Int = 1) -> InfoHash? { InfoHash(Array(repeating: UInt8(number), count: 20)) }

  static func id(_ number: Int) -> PeerID? {
    PeerID(Array("-UT0001-".utf8) + (0..<12).map { UInt8(truncatingIfNeeded: number >> (8 * (11 - $0 % 12) % 64)) })
  }

  static func address(_ number: Int) -> SocketAddress {
    SocketAddress(ip: IPAddress(v4: 0x0A00_0000 + UInt32(number)), port: 6881)
  }

  static func time(_ seconds: Double) -> Instant { Instant(nanoseconds: 1_000_000_000_000 + UInt64(seconds * 1e9)) }
}
