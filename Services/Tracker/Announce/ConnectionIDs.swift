import EventLoop
import Octets
import ServiceKit

/// The connection ids of the UDP tracker protocol (BEP 15): who has one has shown that it gets what is sent to its address, so that
/// no answer larger than a request goes to somebody who was only named as the sender.
///
/// Nothing is remembered: an id is a code over the minute and the address, by SipHash-2-4 under a key of this process, as RFC 9018 does
/// it for the cookies of DNS. It is good in its minute and the two behind it, so for the two minutes that
/// BEP 15 asks for, and up to three.
struct ConnectionIDs: Sendable {
  private let key: (UInt64, UInt64)

  init() throws {
    let octets = try Secrets.random(16)
    func word(_ octets: ArraySlice<UInt8>) -> UInt64 { octets.reduce(0) { $0 << 8 | UInt64($1) } }
    key = (word(octets[..<8]), word(octets[8...]))
  }

  func make(for address: IPAddress, at moment: Instant) -> UInt64 { code(address, minute(of: moment)) }

  func isGood(_ id: UInt64, for address: IPAddress, at moment: Instant) -> Bool {
    let minute = minute(of: moment)
    // One operation on whole words, so it takes the same time whatever is wrong with it.
    return (0...2).contains { (code(address, minute &- $0) ^ id) == 0 }
  }

  private func minute(of moment: Instant) -> UInt64 { moment.nanoseconds / 60_000_000_000 }

  private func code(_ address: IPAddress, _ minute: UInt64) -> UInt64 {
    let address = address.unmapped
    var hash = SipHash(key, rounds: 2, closing: 4)
    hash.compress(minute)
    // Nobody has an address ffff:ffff:ffff:ffff::/64 (RFC 4291 §2.4: it would be multicast), so it says IPv4.
    let (high, low) = address.v6 ?? (UInt64.max, UInt64(address.v4 ?? 0))
    hash.compress(high)
    hash.compress(low)
    return hash.finish()
  }
}
