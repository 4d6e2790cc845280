import EventLoop

/// The order in which a service begins and ends.
final class Lifecycle: Sendable {
  typealias Step = @Sendable () async -> Void
  typealias Check = @Sendable () async throws -> Void

  private struct State {
    var checks: [(name: String, check: Check)] = []
    var drains: [Step] = []
    var closings: [Step] = []
    var resets: [@Sendable () async throws -> Void] = []
    var backups: [@Sendable (String) async throws -> Void] = []
    var isStarted = false
    var isDraining = false
  }

  private let state = Lock(State())

  func add(check name: String, _ check: @escaping Check) { state.withLock { $0.checks.append((name, check)) } }
  func add(drain: @escaping Step) { state.withLock { $0.drains.append(drain) } }
  func add(closing: @escaping Step) { state.withLock { $0.closings.append(closing) } }
  func add(reset: @escaping @Sendable () async throws -> Void) { state.withLock { $0.resets.append(reset) } }
  func add(backup: @escaping @Sendable (String) async throws -> Void) { state.withLock { $0.backups.append(backup) } }

  func markStarted() { state.withLock { $0.isStarted = true } }

  /// Why the service does not work yet, or no longer; nil in between.
  var phase: String? {
    state.withLock { state in
      if state.isDraining { return "stopping" }
      return state.isStarted ? nil : "starting"
    }
  }

  /// Runs every check.
  /// - Returns: why the service can't work now; nil when it can.
  func failedCheck() async -> String? {
    for (name, check) in state.withLock({ $0.checks }) {
      do { try await check() } catch { return "\(name): \(error)" }
    }
    return nil
  }

  /// Runs all drains side by side, so that the slowest says how long it takes, and not their sum; then, when they are over or
  /// their time is, the closings, the last added first. False when another call has begun already.
  func drain(within limit: Duration, on loop: EventLoop) async -> Bool {
    let steps: (drains: [Step], closings: [Step])? = state.withLock { state in
      guard !state.isDraining else { return nil }
      state.isDraining = true
      return (state.drains, state.closings)
    }
    guard let (drains, closings) = steps else { return false }
    let left = Lock(drains.count)
    for step in drains {
      loop.spawn {
        await step()
        left.withLock { $0 -= 1 }
      }
    }
    let deadline = Instant.current + limit
    while left.withLock({ $0 > 0 }) && Instant.current < deadline { await loop.sleep(for: .milliseconds(5)) }
    for step in closings.reversed() { await step() }
    return true
  }

  func reset() async throws {
    for step in state.withLock({ $0.resets }) { try await step() }
  }

  var canBackUp: Bool { state.withLock { !$0.backups.isEmpty } }

  func backUp(to directory: String) async throws {
    for step in state.withLock({ $0.backups }) { try await step(directory) }
  }
}
