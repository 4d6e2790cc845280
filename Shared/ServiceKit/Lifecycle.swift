import EventLoop

/// The order in which a service begins and ends.
final class Lifecycle: Sendable {
  typealias Step = @Sendable () async -> Void
  typealias Check = @Sendable () async throws -> Void

  private struct State {
    var checks: [(name: String, check: Check)] = []
    var signals: [@Sendable () -> Void] = []
    var drains: [Step] = []
    var resets: [@Sendable () async throws -> Void] = []
    var backups: [@Sendable (String) async throws -> Void] = []
    var isStarted = false
    var isDraining = false
  }

  private let state = Lock(State())

  func add(check name: String, _ check: @escaping Check) { state.withLock { $0.checks.append((name, check)) } }
  func add(signal: @escaping @Sendable () -> Void) { state.withLock { $0.signals.append(signal) } }
  func add(drain: @escaping Step) { state.withLock { $0.drains.append(drain) } }
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

  /// Runs the drains, the last added first. False when another call has begun already.
  func drain() async -> Bool {
    let steps: (signals: [@Sendable () -> Void], drains: [Step])? = state.withLock { state in
      guard !state.isDraining else { return nil }
      state.isDraining = true
      return (state.signals, state.drains)
    }
    guard let (signals, drains) = steps else { return false }
    for signal in signals { signal() }
    for step in drains.reversed() { await step() }
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
