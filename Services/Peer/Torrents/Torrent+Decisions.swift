import EventLoop
import Logging
import ServiceKit
import TorrentWire

/// Does what the exchange decided, and remembers why.
extension Torrent {
  func act() {
    guard let exchange else { return }
    for action in exchange.takeActions() {
      // What is decided while it stops is told, and nothing more.
      if case .tell = action {} else if isStopping { continue }
      act(on: action)
    }
  }

  private func act(on action: ExchangeAction) {
    switch action {
    case .send(let peer, let message): send(message, to: peer)
    case .serve(let peer): serve(peer)
    case .store(let piece, let blocks): keep(piece, blocks)
    case .fetch(let seed, let piece): fetch(piece, from: seed)
    case .abandon(let seed): abandon(seed)
    case .close(let peer, let end): hangUp(peer, end)
    case .met(let addresses): learn(addresses, from: .peers)
    case .checkMetadata(let octets): check(metadata: octets)
    case .tell(let event): tell(event)
    }
  }

  private func tell(_ event: ExchangeEvent) {
    if case .completed = event { complete() } else { note(event) }
  }

  private func note(_ event: ExchangeEvent) {
    lastDecision += 1
    decisions.append(Decision(id: lastDecision, time: around.clock.now.seconds, event: event))
    // In one go now and then: to shift all of them for each new one would cost more than keeping a few too many.
    if decisions.count > around.limits.decisions * 2 {
      decisions.removeFirst(decisions.count - around.limits.decisions)
    }
    around.events.publish(.exchange(infoHash, event))
  }

  /// False where something is missing again meanwhile.
  func becomeSeeder() -> Bool {
    guard let exchange, exchange.isComplete, state == .downloading else { return false }
    note(.completed)
    state = .seeding
    record.completedAt = around.clock.now.seconds
    around.log.info("a torrent is complete", metadata: ["torrent": "\(infoHash)", "name": "\(info?.name ?? "")"])
    // To trackers, all of it counts.
    if exchange.picker.have.isFull { announcer?.assumeIsolated { $0.completed() } }
    return true
  }
}
