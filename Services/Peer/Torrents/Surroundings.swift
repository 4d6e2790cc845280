import EventLoop
import HTTPClient
import Logging
import Octets
import ServiceKit
import TorrentWire

/// What all torrents of a peer have in common.
struct Surroundings: Sendable {
  let loop: EventLoop
  /// Where files come to lie.
  let folder: String
  /// For disks and hashes: what somebody waits for.
  let disk: BlockingPool
  /// For what reads whole torrents: serving never waits for it.
  let checks: BlockingPool
  let making: BlockingPool
  let client: HTTPClient
  let trackers: TrackerClient
  let clock: WorldClock
  let chance: Chance
  let log: Logger
  let events: EventHub<PeerEvent>
  let store: PeerStore
  let limits: PeerLimits
  /// What was read to be given.
  let cache: ChunkCache
  let openFiles: OpenFiles
  let pieceMemory: PieceMemory
  let peerID: PeerID
  /// Says at every tracker that it is the same peer, by whatever address it comes (BEP 7).
  let key: [UInt8]
  /// The address that connections are made from; nil lets the kernel choose.
  let source: IPAddress?
  /// Where connections are taken.
  let listening: [SocketAddress]
  let upload: RateLimiter
  let download: RateLimiter
  /// Gives nothing to anybody.
  let isFreeRider: Bool
  /// Each torrent is paused when all of it is here.
  let leavesOnComplete: Bool

  var port: UInt16 { listening.first?.port ?? 0 }
}
