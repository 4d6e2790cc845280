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
    let tiers = trackerTiers
    guard !tiers.isEmpty else { return }
    let announcer = TrackerAnnouncer(
      on: loop, tiers, client: around.trackers, clock: around.clock, chance: around.chance,
      report: { [weak self, infoHash, around] in
        await self?.nextReport ?? AnnounceRequest(infoHash: infoHash, peerID: around.peerID, port: around.port)
      },
      answered: { [weak self] url in await self?.heard(from: url) },
      found: { [weak self] addresses in await self?.learn(addresses, from: .tracker) })
    self.announcer = announcer
    let isComplete = exchange.info != nil && exchange.picker.have.isFull
    announcer.assumeIsolated { $0.start(isComplete: isComplete) }
  }

  private func announce(in run: Int) { if run == self.run { announce() } }

  /// What metainfo and links bring is not all of it a tracker's URL: the rest is passed over.
  private var trackerTiers: [[TrackerURL]] {
    record.tiers.map { $0.compactMap { try? TrackerURL($0) } }.filter { !$0.isEmpty }
  }

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

  // MARK: For people

  /// False where there is nobody to tell.
  func announceNow() -> Bool {
    guard exchange != nil, !trackerTiers.isEmpty else { return false }
    // While trackers hear of the end before, they will hear of the beginning.
    guard let announcer else { return !farewell.isEmpty }
    announcer.assumeIsolated { $0.announceNow() }
    return true
  }

  /// While it is paused, nobody has been asked.
  var trackers: [TrackerStatus] {
    if let announcer { return announcer.assumeIsolated { $0.statuses } }
    return trackerTiers.enumerated().flatMap { number, tier in tier.map { TrackerStatus(url: $0, tier: number) } }
  }

  /// Gives the torrent other trackers, a private one too where a person says so (BEP 27). Those that are new hear of it at once, and
  /// those that are gone hear its end.
  ///
  /// - Parameters:
  ///   - change: from the tiers as they are, which are URLs as they were said, to those that shall be.
  ///   - demand: throws where the trackers are not as the caller believes, which their tag says.
  func changeTrackers(
    _ change: @Sendable ([[String]]) throws -> [[String]], demand: @Sendable (_ tag: String) throws -> Void
  ) async throws {
    guard !isRemoved else { throw Torrents.Failure.noSuchTorrent }
    try demand(record.tagOfTrackers)
    let (before, after) = (record.tiers, try change(record.tiers))
    record.tiers = after
    do {
      try await around.store.update(record)
    } catch {
      // What is not written down does not hold, unless somebody has said otherwise meanwhile.
      if record.tiers == after { record.tiers = before }
      throw error
    }
    takeUpTrackers()
  }

  private func takeUpTrackers() {
    guard let announcer else {
      if exchange != nil, farewell.isEmpty { announce() }
      return
    }
    let tiers = trackerTiers
    // Of a private torrent's trackers one is used at a time, and its peers are those that this one tells of (BEP 27).
    let isPrivate = info?.isPrivate == true
    let hasLeft = announcer.assumeIsolated { $0.change(tiers, asksNew: !isPrivate) }
    guard isPrivate, hasLeft else { return }
    // Those that a person names from now on are not left once more when another tracker answers.
    lastTracker = nil
    partFromPeers()
  }

  /// Whichever tracker answered before, and why ever it is another one now: of a private torrent, its peers are left (BEP 27).
  private func heard(from tracker: TrackerURL) {
    let before = lastTracker
    lastTracker = tracker
    if info?.isPrivate == true, let before, before != tracker { partFromPeers() }
  }

  private func partFromPeers() {
    calls = []
    if let exchange {
      for peer in exchange.inOrder { exchange.close(peer, .lost("the tracker that told of it is left"), at: loop.now) }
      act()
    }
    book = AddressBook(own: Set(around.listening))
  }
}
