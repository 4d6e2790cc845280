import EventLoop
import Octets
import TorrentWire

/// What the trackers are told, and what they tell.
extension Torrent {
  func announce(isComplete: Bool) {
    let tiers = record.tiers.map { $0.compactMap { try? TrackerURL($0) } }.filter { !$0.isEmpty }
    guard !tiers.isEmpty else { return }
    let announcer = TrackerAnnouncer(
      on: loop, tiers, client: around.trackers, clock: around.clock, chance: around.chance,
      report: { [weak self, infoHash, around] in
        await self?.report() ?? AnnounceRequest(infoHash: infoHash, peerID: around.peerID, port: around.port)
      },
      found: { [weak self] addresses in await self?.learn(addresses, from: .tracker) })
    self.announcer = announcer
    announcer.assumeIsolated { $0.start(isComplete: isComplete) }
  }

  private func report() -> AnnounceRequest {
    var request = AnnounceRequest(infoHash: infoHash, peerID: around.peerID, port: around.port)
    request.uploaded = exchange?.uploaded ?? 0
    request.downloaded = exchange?.downloaded ?? 0
    request.left = exchange.flatMap(\.left) ?? (have == nil ? nil : 0)
    request.key = around.key
    return request
  }
}
