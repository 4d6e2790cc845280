import EventLoop
import ServiceKit
import TorrentWire

/// What a torrent does each second, and how much moves in it.
extension Torrent {
  func tick() {
    let run = run
    loop.after(.seconds(1)) { [weak self] in
      self?.assumeIsolated { torrent in
        guard torrent.run == run else { return }
        torrent.eachSecond()
        torrent.tick()
      }
    }
  }

  private func eachSecond() {
    let now = Instant.current
    exchange?.tick(at: now)
    act()
    count()
    callMore(at: now)
    let (down, up) = rates
    if down + up > 0 {
      around.events.publish(
        .rates(infoHash, download: down, upload: up, pieces: exchange?.picker.have.held ?? 0))
    }
    // Whom it knows already it calls first.
    if state == .downloading, links.count < 5, !book.hasDue(at: now) { announcer?.assumeIsolated { $0.wantsPeers() } }
    let unwritten = (record.uploaded &- written.uploaded) &+ (record.downloaded &- written.downloaded)
    secondsUnwritten = unwritten > 0 ? secondsUnwritten + 1 : 0
    // What a crash takes from the totals is what moved in half a minute, and 64 MiB at most.
    if unwritten > 64 << 20 || secondsUnwritten >= 30 { loop.spawn { await self.save() } }
  }

  /// Adds what has moved since the last time to the totals.
  func count() {
    guard let exchange else { return }
    let now = Instant.current
    let (up, down) = (exchange.uploaded - lastTotals.up, exchange.downloaded - lastTotals.down)
    lastTotals = (exchange.uploaded, exchange.downloaded)
    record.uploaded += up
    record.downloaded += down
    meters.up.add(Int(up), at: now)
    meters.down.add(Int(down), at: now)
  }

  /// Octets a second.
  var rates: (download: Int, upload: Int) {
    let now = Instant.current
    return (Int(meters.down.rate(at: now, over: Self.span)), Int(meters.up.rate(at: now, over: Self.span)))
  }

  /// Seconds over which people are told a rate.
  private static let span = 5
}
