import EventLoop

/// Who goes where others want to come and all places are taken.
extension Exchange {
  /// The peer that is least missed: neither side has given anything for some minutes, nor wants anything. Who was of use longest ago.
  private func idlest(at now: Instant) -> PeerState? {
    inOrder.filter { !$0.wantsOurs && !$0.isWanted && now.since($0.lastOfUseAt) >= settings.idleTime }
      .min { ($0.lastOfUseAt, $0.number) < ($1.lastOfUseAt, $1.number) }
  }

  func canMakeRoom(at now: Instant) -> Bool { idlest(at: now) != nil }

  /// Ends one connection, if there is one that serves nobody.
  func makeRoom(at now: Instant) {
    if let peer = idlest(at: now) { close(peer, .idle, at: now) }
  }
}
