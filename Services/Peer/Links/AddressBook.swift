import EventLoop
import Octets

/// Where peers of a torrent are said to be, and when each is to be called next.
struct AddressBook: Sendable {
  private struct Entry: Sendable {
    var nextAt: Instant
    var failures = 0
    /// It has all, so that who has all too need not call it.
    var isSeeder = false
  }

  private var entries: [SocketAddress: Entry] = [:]
  /// This peer itself, as others tell of it.
  private var own: Set<SocketAddress> = []
  /// In the order in which they were learnt.
  private var order: [SocketAddress] = []

  /// Addresses that are remembered, at most.
  static let limit = 2000
  private static let firstPause = 10.0
  private static let longestPause = 600.0

  init(own: Set<SocketAddress> = []) { self.own = own }

  var count: Int { entries.count }

  mutating func learn(_ addresses: some Sequence<SocketAddress>, at now: Instant) {
    for address in addresses where address.port != 0 && entries[address] == nil && !own.contains(address) {
      guard order.count < Self.limit else { return }
      entries[address] = Entry(nextAt: now)
      order.append(address)
    }
  }

  /// Somebody to call who is not connected.
  mutating func next(at now: Instant, isSeeding: Bool, besides connected: Set<SocketAddress>) -> SocketAddress? {
    order.first { address in
      guard let entry = entries[address], entry.nextAt <= now, !connected.contains(address) else { return false }
      return !(isSeeding && entry.isSeeder)
    }
  }

  /// It was called, or the connection ended, and it is left alone for a while: longer each time that nothing came of it.
  mutating func pause(_ address: SocketAddress, failed: Bool, at now: Instant) {
    guard var entry = entries[address] else { return }
    entry.failures = failed ? entry.failures + 1 : 0
    let pause = min(Self.longestPause, Self.firstPause * Double(1 << min(entry.failures, 10)) / 2)
    entry.nextAt = now + .seconds(pause)
    entries[address] = entry
    guard let place = order.firstIndex(of: address) else { return }
    order.append(order.remove(at: place))
  }

  mutating func markSeeder(_ address: SocketAddress) { entries[address]?.isSeeder = true }

  mutating func markOwn(_ address: SocketAddress) {
    own.insert(address)
    forget(address)
  }

  mutating func forget(_ address: SocketAddress) {
    guard entries.removeValue(forKey: address) != nil else { return }
    order.removeAll { $0 == address }
  }
}
