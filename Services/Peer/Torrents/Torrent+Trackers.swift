import EventLoop
import Octets
import TorrentWire

/// What the trackers are told, and what they tell.
extension Torrent {
  func announce() {
    guard farewell.isEmpty else {
      let run = run
      return loop.spawn { [farewell] in
        await farewell.wait()
        await self.announce(in: run)
      }
    }
    guard let exchange else { return }
    let tiers = record.tiers.map { $0.compactMap { try? TrackerURL($0) } }.filter { !$0.isEmpty }
    guard !tiers.isEmpty else { return }
    let announcer = TrackerAnnouncer(
      on: loop, tiers, client: around.trackers, clock: around.clock, chance: around.chance,
      report: { [weak self, infoHash, around] in
        await self?.nextReport ?? AnnounceRequest(infoHash: infoHash, peerID: around.peerID, port: around.port)
      },
      found: { [weak self] addresses in await self?.learn(addresses, from: .tracker) })
    self.announcer = announcer
    let isComplete = exchange.info != nil && exchange.picker.have.isFull
    announcer.assumeIsolated { $0.start(isComplete: isComplete) }
  }

  private func announce(in run: Int) { if run == self.run { announce() } }

  /// Tells the trackers of the end, with what moved until then.
  func takeLeave() {
    guard let announcer else { return }
    lastReport = report()
    self.announcer = nil
    farewell.begin()
    loop.spawn { [farewell] in
      await announcer.stop()
      farewell.end()
    }
  }

  /// While leave is taken there is no other announcer.
  private var nextReport: AnnounceRequest? { farewell.isEmpty ? report() : lastReport }

  private func report() -> AnnounceRequest {
    var request = AnnounceRequest(infoHash: infoHash, peerID: around.peerID, port: around.port)
    request.uploaded = exchange?.uploaded ?? 0
    request.downloaded = exchange?.downloaded ?? 0
    request.left = missing
    request.key = around.key
    return request
  }

  /// Octets of the whole torrent that are not here, wanted or not: to others, who lacks something is no seeder (BEP 3, 21). Nil while that
  /// is not known.
  var missing: UInt64? {
    guard let info, let here else { return nil }
    let last = info.pieceCount - 1
    let shorter = here[last] ? info.pieceLength - info.length(of: last) : 0
    return UInt64(info.length - Int64(here.held) * Int64(info.pieceLength) + Int64(shorter))
  }
}
