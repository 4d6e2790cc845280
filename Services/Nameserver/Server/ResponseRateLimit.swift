import EventLoop
import Octets

/// Response rate limiting, as NSD, Knot and BIND have it: a datagram's sender can be forged, and answers are larger than
/// queries, so that a name server which answers all is a weapon against whoever is named as the sender.
///
/// A network (a /24, or a /56 of IPv6) is given so many answers a second of each kind, a second's worth at once. Of what is
/// beyond, every second answer is dropped; the others say TC and nothing else, which makes them no larger than the query:
/// a client that is really there asks again by TCP, where nobody can be forged. An error is no larger than its query in
/// any case and goes out whole in its turn.
///
/// The table has a fixed size, and nothing is allocated for an answer. Where it is full, the network that is furthest from
/// its limit makes room, so that a flood of forged senders does not wash out the one that is under attack.
struct ResponseRateLimit {
  /// A network that asks for what is there is not kept from hearing what is not.
  enum Kind: UInt64 { case data = 1, referral, noData, nameError, error }
  enum Verdict { case send, truncate, drop }

  private struct Entry {
    var key: UInt64 = 0
    /// When all that was given will have been earned: nanoseconds of the monotonic clock.
    var due: UInt64 = 0
    /// Answers beyond the limit.
    var excess: UInt32 = 0
  }

  private var entries: [Entry]
  private let interval: UInt64
  private let secret: UInt64
  private static let second: UInt64 = 1_000_000_000
  private static let ways = 4
  private static let setBits: UInt64 = 11
  static let capacity = ways << Int(setBits)

  /// - Parameter rate: answers a second; nil for 0, which is no limit.
  init?(rate: Int, using generator: inout some RandomNumberGenerator) {
    guard rate > 0 else { return nil }
    interval = max(1, Self.second / UInt64(rate))
    // Odd, so that the product keeps all of the key.
    secret = generator.next() | 1
    entries = Array(repeating: Entry(), count: Self.capacity)
  }

  mutating func judge(_ client: IPAddress, _ kind: Kind, at now: Instant) -> Verdict {
    let key = Self.network(of: client) | kind.rawValue
    let first = Int(truncatingIfNeeded: (key &* secret) >> (64 - Self.setBits)) * Self.ways
    var place = first
    for index in first..<(first + Self.ways) {
      if entries[index].key == key {
        place = index
        break
      }
      if entries[index].due < entries[place].due { place = index }
    }
    if entries[place].key != key { entries[place] = Entry(key: key) }
    let due = max(entries[place].due, now.nanoseconds) &+ interval
    if due <= now.nanoseconds &+ Self.second {
      entries[place].due = due
      return .send
    }
    entries[place].excess &+= 1
    if entries[place].excess % 2 == 1 { return .drop }
    return kind == .error ? .send : .truncate
  }

  /// The lowest eight bits are free for the kind. An IPv4 network is a number that is no IPv6 network in use.
  private static func network(of client: IPAddress) -> UInt64 {
    let client = client.unmapped
    if let v6 = client.v6 { return v6.high & ~0xFF }
    return UInt64(client.v4 ?? 0) & ~0xFF
  }
}
