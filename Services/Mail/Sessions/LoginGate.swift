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

  /// Whether a password from this address is looked at.
  func isOpen(to address: IPAddress, now: Instant = .current) -> Bool {
    let key = address.network
    return state.withLock { state in
      turn(&state, now)
      return state.current[key, default: 0] + state.previous[key, default: 0] < limits.failures
    }
  }

  /// A password from there was wrong.
  func noteFailure(of address: IPAddress, now: Instant = .current) {
    let key = address.network
    state.withLock { state in
      turn(&state, now)
      state.current[key, default: 0] += 1
    }
  }

  /// All begin anew: a lab's reset takes away the mailboxes, and right passwords are wrong until they are seeded.
  func forget(now: Instant = .current) { state.withLock { $0 = State(began: now) } }

  private func turn(_ state: inout State, _ now: Instant) {
    let age = now.since(state.began)
    guard age >= limits.period || state.current.count >= limits.addresses else { return }
    state.previous = age >= limits.period * 2 ? [:] : state.current
    state.current = [:]
    state.began = now
  }
}
