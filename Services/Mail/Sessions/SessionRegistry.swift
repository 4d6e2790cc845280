import EventLoop
import Octets

/// The client sessions that are open, so that their number has a bound and a shutdown can end them in order.
final class SessionRegistry: Sendable {
  /// How many sessions may be open.
  struct Limits: Sendable {
    var total = 4000
    /// From one address.
    var perAddress = 500
  }

  private struct State {
    var sessions: [ObjectIdentifier: any ClientSession] = [:]
    var addresses: [IPAddress: Int] = [:]
    var isClosing = false
  }

  private let limits: Limits
  private let state = Lock(State())

  init(limits: Limits = Limits()) { self.limits = limits }

  var count: Int { state.withLock { $0.sessions.count } }

  /// Takes a session in, unless there are too many or the service is stopping.
  func enter(_ session: any ClientSession, from address: IPAddress) -> Bool {
    state.withLock { state in
      guard !state.isClosing, state.sessions.count < limits.total,
        state.addresses[address, default: 0] < limits.perAddress
      else { return false }
      state.sessions[ObjectIdentifier(session)] = session
      state.addresses[address, default: 0] += 1
      return true
    }
  }

  func leave(_ session: any ClientSession, from address: IPAddress) {
    state.withLock { state in
      guard state.sessions.removeValue(forKey: ObjectIdentifier(session)) != nil else { return }
      if let count = state.addresses[address], count > 1 {
        state.addresses[address] = count - 1
      } else {
        state.addresses[address] = nil
      }
    }
  }

  /// Ends every session, each after the answer it waits for; returns when they are gone or the time is up.
  func close(on loop: EventLoop, within limit: Duration) async {
    let sessions = state.withLock { state in
      state.isClosing = true
      return Array(state.sessions.values)
    }
    for session in sessions { await session.shutDown() }
    let deadline = Instant.current + limit
    while count > 0 && Instant.current < deadline { await loop.sleep(for: .milliseconds(20)) }
  }
}

/// An open session.
protocol ClientSession: Actor {
  /// Says goodbye as soon as no answer is due.
  func shutDown()
}
