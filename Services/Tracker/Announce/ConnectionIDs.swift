import EventLoop
import Octets
import ServiceKit

/// The connection ids of the UDP tracker protocol (BEP 15): who has one has shown that it gets what is sent to its address, so that
/// no answer larger than a request goes to somebody who was only named as the sender.
///
/// Nothing is remembered: an id is a code over the minute and the address, under a key of this process. It is good in its minute
/// and the next one, so for one to two minutes.
struct ConnectionIDs: Sendable {
  private let key: [UInt8]

  init() throws { key = try Secrets.random(32) }

  func make(for address: IPAddress, at moment: Instant) throws -> UInt64 {
    try code(address, minute(of: moment))
  }

  func isGood(_ id: UInt64, for address: IPAddress, at moment: Instant) -> Bool {
    let minute = minute(of: moment)
    return [minute, minute &- 1].contains { minute in
      guard let code = try? code(address, minute) else { return false }
      return Secrets.areEqual(octets(code), octets(id))
    }
  }

  private func minute(of moment: Instant) -> UInt64 { moment.nanoseconds / 60_000_000_000 }

  private func code(_ address: IPAddress, _ minute: UInt64) throws -> UInt64 {
    let code = try Secrets.authenticationCode(octets(minute) + address.unmapped.bytes, key: key)
    return code.prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
  }

  private func octets(_ number: UInt64) -> [UInt8] {
    (0..<8).map { UInt8(truncatingIfNeeded: number >> UInt64(56 - 8 * $0)) }
  }
}
