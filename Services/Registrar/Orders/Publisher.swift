import EventLoop
import Logging
import ServiceKit

/// Carries out orders at the top-level domains' servers, now or when they are due again, and ends what has expired.
actor Publisher {
  nonisolated let loop: EventLoop
  nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe loop.asUnownedSerialExecutor() }
  private let store: Store
  private let zones: any ZoneWriter
  private let clock: WorldClock
  private let log: Logger
  private let pause: @Sendable () async -> Void
  private var alarm: WorldClock.Alarm?
  /// How often the alarm was looked after: of two who do at the same time, the later knows more.
  private var alarmLooks = 0
  /// Domains at which an attempt is under way, with those who wait for their turn.
  private var busy: [DomainName: [CheckedContinuation<Void, Never>]] = [:]
  private var isStopped = false
  /// No attempt may begin, and who waits until one may.
  private var isHeld = false
  private var held: [CheckedContinuation<Void, Never>] = []

  /// Seconds between attempts double up to this.
  private static let longestPause = 60
  private static let batch = 16
  /// Looks at a zone that others change at the same time, before the order has to wait.
  private static let looks = 16

  /// - Parameter pause: waits for better times when the store is full; five seconds by default.
  init(
    store: Store, zones: any ZoneWriter, clock: WorldClock, log: Logger, on loop: EventLoop,
    pause: (@Sendable () async -> Void)? = nil
  ) {
    self.store = store
    self.zones = zones
    self.clock = clock
    self.log = log
    self.loop = loop
    self.pause = pause ?? { await loop.sleep(for: .seconds(5)) }
  }

  /// Does all that is due, then waits for what comes next.
  func run() async {
    guard !isStopped else { return }
    do {
      try await store.expire(now: clock.now)
      while true {
        let due = try await store.due(now: clock.now, limit: Publisher.batch)
        if due.isEmpty { break }
        let areKept = await withTaskGroup(of: Bool.self) { group in
          for name in due { group.addTask(executorPreference: self.loop) { await self.carryOut(name) } }
          var areKept = true
          for await isKept in group { areKept = areKept && isKept }
          return areKept
        }
        // What could not be written down is still due: a pause keeps a full disk from becoming a flood of orders.
        if !areKept { await pause() }
        if isStopped { return }
      }
    } catch {
      log.error("orders can't be read", metadata: ["error": "\(error)"])
    }
    await setAlarm()
  }

  /// Tries the domain's order if it is due and returns when it is done or put off; false when neither could be written down.
  /// Who had to wait for another attempt finds the order put off, most often, and leaves it at that.
  @discardableResult
  func carryOut(_ name: DomainName, trace: TraceContext? = nil) async -> Bool {
    while isHeld || busy[name] != nil { await turn(of: name) }
    busy[name] = []
    let isKept = await attempt(name, trace)
    for waiter in busy.removeValue(forKey: name) ?? [] { waiter.resume() }
    return isKept
  }

  /// Forgets everything, between attempts: one under way would write a delegation into its zone that then belongs to nobody.
  func reset() async throws {
    while isHeld { await turn(of: nil) }
    isHeld = true
    defer {
      isHeld = false
      for waiter in held { waiter.resume() }
      held = []
    }
    while let name = busy.keys.first { await end(of: name) }
    try await store.reset()
    await setAlarm()
  }

  /// Waits for the end of a reset, or of an attempt where there is none.
  private func turn(of name: DomainName?) async {
    await withCheckedContinuation { waiter in
      // Looked at here: a task of another loop may lose its turn on the way, and what it waits for be over.
      if isHeld {
        held.append(waiter)
      } else if let name, busy[name] != nil {
        busy[name]?.append(waiter)
      } else {
        waiter.resume()
      }
    }
  }

  private func end(of name: DomainName) async {
    await withCheckedContinuation { waiter in
      if busy[name] != nil { busy[name]?.append(waiter) } else { waiter.resume() }
    }
  }

  /// Looks again when the next order is due. Called after every change of orders or terms.
  func setAlarm() async {
    alarmLooks += 1
    let look = alarmLooks
    let next: WorldTime?
    do {
      next = try await store.nextDue()
    } catch {
      log.error("orders can't be read", metadata: ["error": "\(error)"])
      next = clock.now + .seconds(Publisher.longestPause)
    }
    guard look == alarmLooks else { return }
    if let alarm { clock.cancel(alarm) }
    alarm = nil
    guard let next, !isStopped else { return }
    alarm = clock.at(next, on: loop) { [weak self] in
      guard let self else { return }
      loop.spawn { await self.run() }
    }
  }

  func stop() {
    isStopped = true
    if let alarm { clock.cancel(alarm) }
    alarm = nil
  }

  private func attempt(_ name: DomainName, _ trace: TraceContext?) async -> Bool {
    var looks = 0
    do {
      // Again while orders overtake one another.
      while let attempt = try await store.nextAttempt(name, now: clock.now), let zone = name.parent {
        do {
          try await publish(attempt, zone, trace)
          guard try await store.finish(attempt) else { continue }
          log.info("order done", metadata: ["domain": "\(name)", "order": "\(attempt.kind.rawValue)"])
          return true
        } catch let error as ZoneError {
          looks += 1
          if error.kind == .changed, looks < Publisher.looks { continue }
          // What is to go is tried until it has gone: giving up would leave a delegation that belongs to nobody.
          if case .refused(let cause) = error.kind, !attempt.kind.isFinal {
            let refusal = Refusal(cause: cause, reason: error.description, at: clock.now)
            guard try await store.refuse(attempt, refusal) else { continue }
            log.warning("order refused", metadata: ["domain": "\(name)", "error": "\(error)"])
            return true
          }
          let pause = min(Publisher.longestPause, 1 << min(attempt.earlier, 16))
          try await store.postpone(attempt, because: error.description, until: clock.now + .seconds(pause))
          log.warning("order put off", metadata: ["domain": "\(name)", "error": "\(error)", "seconds": "\(pause)"])
          return true
        }
      }
      return true
    } catch {
      log.error("an order can't be kept", metadata: ["domain": "\(name)", "error": "\(error)"])
      return false
    }
  }

  /// Makes the zone what the attempt wants.
  private func publish(_ attempt: Attempt, _ zone: DomainName, _ trace: TraceContext?) async throws {
    // What never came into the zone needs nobody to take it out.
    guard !attempt.change.isEmpty else { return }
    var tag: String?
    if attempt.isFirst {
      // Who runs the zone may have delegated the name without us; that is theirs.
      let state = try await zones.look(at: attempt.name, in: zone, trace: trace)
      guard state.types.isEmpty else {
        let types = state.types.sorted().joined(separator: ", ")
        throw ZoneError(.refused(.name), "\(attempt.name) is in the zone of \(zone) already, with \(types)")
      }
      tag = state.tag
    }
    try await store.claim(attempt)
    do throws(ZoneError) {
      try await zones.apply(attempt.change, to: zone, ifMatch: tag, trace: trace)
    } catch {
      if error.kind != .unavailable { try await store.disclaim(attempt) }
      throw error
    }
  }
}
