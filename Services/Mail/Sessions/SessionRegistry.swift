import EventLoop
import Octets

/// The client sessions that are open, so that their number has a bound and a shutdown can end them in order.
final class SessionRegistry: Sendable {
  /// How many sessions may be open.
  struct Limits: Sendable {
    /// At one door (a port), so that a flood at one leaves the others open.
    var perDoor = 4000
    /// From one address, at all doors.
    var perAddress = 500
  }

  private struct Entry {
    var session: any ClientSession
    var address: IPAddress
    var door: UInt16
  }

  private struct State {
    var entries: [ObjectIdentifier: Entry] = [:]
    var addresses: [IPAddress: Int] = [:]
    var doors: [UInt16: Int] = [:]
    var isClosing = false
  }

  private let limits: Limits
  private let state = Lock(State())

  init(limits: Limits = Limits()) { self.limits = limits }

  var count: Int { state.withLock { $0.entries.count } }

  /// Takes a session in, unless there are too many or the service is stopping.
  /// - Parameter door: the port it came to.
  func enter(_ session: any ClientSession, from address: IPAddress, at door: UInt16) -> Bool {
    let address = address.network
    return state.withLock { state in
      guard !state.isClosing, state.doors[door, default: 0] < limits.perDoor,
        state.addresses[address, default: 0] < limits.perAddress
      else { return false }
      state.entries[ObjectIdentifier(session)] = Entry(session: session, address: address, door: door)
      state.doors[door, default: 0] += 1
      state.addresses[address, default: 0] += 1
      return true
    }
  }

  func leave(_ session: any ClientSession) {
    state.withLock { state in
      guard let entry = state.entries.removeValue(forKey: ObjectIdentifier(session)) else { return }
      state.doors[entry.door, default: 1] -= 1
      let left = state.addresses[entry.address, default: 1] - 1
      // Addresses are many: one without a session is forgotten.
      state.addresses[entry.address] = left > 0 ? left : nil
    }
  }

  /// Ends every session, each after the answer it waits for; returns when they are gone or the time is up.
  func close(on loop: EventLoop, within limit: Duration) async {
    let sessions = state.withLock { state in
      state.isClosing = true
      return state.entries.values.map(\.session)
    }
    for session in sessions { await session.shutDown(.shutdown) }
    let deadline = Instant.current + limit
    while count > 0 && Instant.current < deadline { await loop.sleep(for: .milliseconds(20)) }
  }

  /// Ends every session that is open now, each after the answer it waits for; others may come. Returns when all are told.
  func endAll(_ reason: LineEnding) async {
    for session in state.withLock({ $0.entries.values.map(\.session) }) { await session.shutDown(reason) }
  }
}

/// An open session.
protocol ClientSession: Actor {
  /// Says goodbye as soon as no answer is due.
  func shutDown(_ reason: LineEnding)
}

extension IPAddress {
  /// What one client can't change as it likes: who has one IPv6 address has all of its /64.
  var network: IPAddress {
    let address = unmapped
    return address.v6.map { IPAddress(v6: $0.high, 0) } ?? address
  }
}
