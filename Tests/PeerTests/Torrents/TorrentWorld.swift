import EventLoop
import Glibc
import Octets
import ServiceKit
import Testing
import TorrentWire

@testable import Peer

/// What tests of a torrent's life need beside the REST side.
extension PeerWorld {
  /// Adds it with trackers, and with the files that are left out.
  func add(_ file: [UInt8], trackers: [TrackerURL], unwanted: Set<Int> = []) async throws -> String {
    let metainfo = try Metainfo(decoding: file[...])
    let hash = try #require(InfoHash(try Secrets.sha1(metainfo.info.octets)))
    var record = TorrentRecord(hash: hash, addedAt: 1)
    record.info = Array(metainfo.info.octets)
    record.name = metainfo.info.name
    record.tiers = trackers.map { ["\($0)"] }
    record.leaveOut(unwanted)
    _ = try await api.torrents.add(record)
    return "/v1/torrents/\(hash)"
  }

  func torrent(_ place: String) async throws -> Torrent {
    let hash = try #require(InfoHash(hex: String(place.suffix(40))))
    return try #require(await api.torrents[hash])
  }

  /// Calls another peer at once.
  func call(_ other: PeerWorld, for place: String) async throws {
    let answer = try await ask("POST", place + "/peers", #"{"address":"\#(other.peerAddress)"}"#)
    #expect(answer.status == 202, "\(answer.body)")
  }

  func pause(_ place: String, _ isPaused: Bool) async throws -> Answer {
    try await ask("PATCH", place, #"{"paused":\#(isPaused)}"#)
  }

  /// Waits until something holds.
  func until(_ what: String, _ holds: () async throws -> Bool) async throws {
    for _ in 0..<2000 {
      if try await holds() { return }
      await loop.sleep(for: .milliseconds(10))
    }
    Issue.record("never: \(what)")
  }
}

/// Keeps all threads of a pool waiting, until it is opened or gone.
final class Barrier: Sendable {
  private let isOpen = Cancellation()

  /// - Parameter others: so much waits behind it.
  init(in pool: BlockingPool, threads: Int = 2, others: Int = 0) {
    for _ in 0..<threads {
      _ = pool.submit { [isOpen] in while !isOpen.isRaised { usleep(1000) } }
    }
    usleep(20_000)
    for _ in 0..<others where !pool.submit({}) { return }
  }

  func open() { isOpen.raise() }
  deinit { open() }
}
