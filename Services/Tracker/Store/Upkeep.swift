import EventLoop
import Logging
import ServiceKit

/// What a tracker does by itself: it writes down what was completed, and forgets who was not heard of.
actor Upkeep {
  nonisolated let loop: EventLoop
  nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe loop.asUnownedSerialExecutor() }
  private let store: SwarmStore
  private let accounts: Accounts
  private let kept: TrackerStore
  private let clock: WorldClock
  private let limits: TrackerLimits
  private let log: Logger
  private var isStopped = false
  /// Between two writes of what was completed.
  private static let pause = Duration.seconds(2)

  init(
    _ store: SwarmStore, _ accounts: Accounts, _ kept: TrackerStore, clock: WorldClock, limits: TrackerLimits,
    log: Logger, on loop: EventLoop
  ) {
    self.store = store
    self.accounts = accounts
    self.kept = kept
    self.clock = clock
    self.limits = limits
    self.log = log
    self.loop = loop
  }

  func start() {
    write()
    sweep()
  }

  private func write() {
    loop.after(Upkeep.pause) { [weak self] in
      guard let self else { return }
      loop.spawn {
        await self.flush()
        await self.writeAgain()
      }
    }
  }

  private func writeAgain() { if !isStopped { write() } }

  /// Writes down what was completed and moved since the last time.
  func flush() async {
    let (downloads, amounts) = (store.takeUnwritten(), accounts.takeUnwritten())
    if !downloads.isEmpty {
      do {
        try await kept.keep(downloads)
      } catch {
        store.markUnwritten(downloads.map(\.hash))
        log.error("downloads could not be written down", metadata: ["reason": "\(error)"])
      }
    }
    let forgotten = store.takeForgotten()
    if !forgotten.isEmpty {
      do {
        try await kept.forget(forgotten)
      } catch {
        log.error("torrents that were forgotten stay written down", metadata: ["reason": "\(error)"])
      }
    }
    if !amounts.isEmpty {
      do {
        try await kept.keep(amounts)
      } catch {
        accounts.putBack(amounts)
        log.error("what users have moved could not be written down", metadata: ["reason": "\(error)"])
      }
    }
  }

  /// On the world's clock, so that three days pass in a moment; each announce and answer looks for itself besides.
  private func sweep() {
    clock.after(.seconds(limits.interval / 2), on: loop) { [weak self] in
      self?.assumeIsolated { upkeep in
        guard !upkeep.isStopped else { return }
        upkeep.store.expire(at: upkeep.clock.now.seconds)
        upkeep.sweep()
      }
    }
  }

  func stop() async {
    isStopped = true
    await flush()
  }
}
