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
  /// Somebody is in the exclusive section.
  private var isTaken = false
  private var waiting: [CheckedContinuation<Void, Never>] = []
  private var evictions = Evictions()
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
        await self.tellOfEvictions()
        await self.flush()
        await self.writeAgain()
      }
    }
  }

  private func writeAgain() { if !isStopped { write() } }

  private func tellOfEvictions() {
    guard let count = evictions.take(store.counts.evicted, at: .current) else { return }
    log.warning("torrents were forgotten to make room", metadata: ["count": "\(count)"])
  }

  /// Writes down what was completed and moved until now, also what a batch that is under way had taken.
  func flush() async {
    await exclusively { await self.writeBatch() }
  }

  private func writeBatch() async {
    let (downloads, forgotten) = store.takeUnwritten()
    let batch = TrackerStore.Batch(downloads: downloads, forgotten: forgotten, amounts: accounts.takeChanged())
    guard !batch.isEmpty else { return }
    do {
      try await kept.keep(batch)
    } catch {
      store.putBack(downloads: downloads, forgotten: forgotten)
      accounts.markChanged(batch.amounts.keys)
      log.error(
        "what was completed and moved could not be written down; it is tried again", metadata: ["reason": "\(error)"])
    }
  }

  /// Does one thing after the other, in the order in which they come: a batch that was taken before something is deleted must not
  /// write it down again afterwards, and who waits for what was counted has to wait for the batch that has it.
  /// - Parameter body: must not come here again.
  func exclusively<Value: Sendable>(_ body: @Sendable () async throws -> Value) async rethrows -> Value {
    // Within: a task of another loop may lose its turn on the way to here, and what was true before is not then.
    await withCheckedContinuation { turn in
      if isTaken {
        waiting.append(turn)
      } else {
        isTaken = true
        turn.resume()
      }
    }
    // It passes from one to the next, so that nobody comes between.
    defer { if waiting.isEmpty { isTaken = false } else { waiting.removeFirst().resume() } }
    return try await body()
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

/// When an operator is told how many torrents made room for others: of the first at once, and of more once a minute.
struct Evictions {
  private var told: UInt64 = 0
  private var next: Instant?

  /// - Parameter total: since the start, or the last reset.
  /// - Returns: how many are to be told.
  mutating func take(_ total: UInt64, at moment: Instant) -> UInt64? {
    if total < told { told = 0 }
    guard total > told, moment >= next ?? moment else { return nil }
    next = moment + .seconds(60)
    defer { told = total }
    return total - told
  }
}
