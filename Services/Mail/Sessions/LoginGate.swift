import EventLoop
import Octets

/// Turns away whoever guesses passwords: after a number of failures an address has to wait before another password of
/// its is looked at, however many connections it opens.
final class LoginGate: Sendable {
  struct Limits: Sendable {
    /// Failed logins of one address within the period.
    var failures = 20
    var period = Duration.seconds(60)
    /// Addresses remembered; when there are more, older failures are forgotten early.
    var addresses = 50_000
  }

  /// Failures of this period and of the one before it, so that nothing has to be swept.
  private struct State {
    var began: Instant
    var current: [IPAddress: Int] = [:]
    var previous: [IPAddress: Int] = [:]
    /// Passwords that are being looked at.
    var open: [IPAddress: Int] = [:]
    /// Those that wait until it is known what came of these.
    var waiting: [IPAddress: [CheckedContinuation<Bool, Never>]] = [:]

    func failures(of key: IPAddress) -> Int { current[key, default: 0] + previous[key, default: 0] }
  }

  private let limits: Limits
  private let state: Lock<State>

  /// After so long an address that is turned away may try again.
  var pause: Duration { limits.period * 2 }

  /// - Parameter now: a point of the monotonic clock, as in the other functions.
  init(limits: Limits = Limits(), now: Instant = .current) {
    self.limits = limits
    state = Lock(State(began: now))
  }

  /// Whether a password from this address is looked at; where it is, `leave` has to follow. As many are looked at together as may
  /// still be wrong; others wait for what comes of them.
  func enter(_ address: IPAddress, now: Instant = .current) async -> Bool {
    let key = address.network
    return await withCheckedContinuation { continuation in
      let answer: Bool? = state.withLock { state in
        turn(&state, now)
        let failures = state.failures(of: key)
        if failures >= limits.failures { return false }
        if failures + state.open[key, default: 0] < limits.failures {
          state.open[key, default: 0] += 1
          return true
        }
        state.waiting[key, default: []].append(continuation)
        return nil
      }
      if let answer { continuation.resume(returning: answer) }
    }
  }

  /// It is known what came of a password that `enter` let in.
  func leave(_ address: IPAddress, failed: Bool, now: Instant = .current) {
    let key = address.network
    let told = state.withLock { state in
      turn(&state, now)
      if failed { state.current[key, default: 0] += 1 }
      state.open[key] = state.open[key].flatMap { $0 > 1 ? $0 - 1 : nil }
      return admit(key, &state)
    }
    for (continuation, isIn) in told { continuation.resume(returning: isIn) }
  }

  /// All begin anew: a lab's reset takes away the mailboxes, and right passwords are wrong until they are seeded.
  func forget(now: Instant = .current) {
    let told = state.withLock { state in
      state.began = now
      (state.current, state.previous) = ([:], [:])
      return state.waiting.keys.flatMap { admit($0, &state) }
    }
    for (continuation, isIn) in told { continuation.resume(returning: isIn) }
  }

  /// Those who need wait no longer. Who waits has others before it, whose end comes by here.
  private func admit(_ key: IPAddress, _ state: inout State) -> [(CheckedContinuation<Bool, Never>, Bool)] {
    guard let waiting = state.waiting[key] else { return [] }
    let left = limits.failures - state.failures(of: key)
    let count = left > 0 ? min(waiting.count, max(0, left - state.open[key, default: 0])) : waiting.count
    guard count > 0 else { return [] }
    if left > 0 { state.open[key, default: 0] += count }
    state.waiting[key] = count < waiting.count ? Array(waiting[count...]) : nil
    return waiting[..<count].map { ($0, left > 0) }
  }

  private func turn(_ state: inout State, _ now: Instant) {
    let age = now.since(state.began)
    guard age >= limits.period || state.current.count >= limits.addresses else { return }
    state.previous = age >= limits.period * 2 ? [:] : state.current
    state.current = [:]
    state.began = now
  }
}
