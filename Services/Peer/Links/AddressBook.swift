import EventLoop
import Octets

/// Where peers of a torrent are said to be, and when each is to be called next.
struct AddressBook: Sendable {
  /// Who told of an address, the most trusted first.
  enum Source: Int, Sendable {
    /// Somebody who runs this peer, by REST or in a magnet link.
    case person
    case tracker
    /// Other peers, of themselves and of others (BEP 11).
    case peers
  }

  private struct Entry: Sendable {
    /// Names it, in the order in which they were learnt.
    var number: Int
    var source: Source
    var nextAt: Instant
    /// Calls in a row that reached nobody, the one under way among them.
    var failures = 0
    /// Connections in a row that brought nothing.
    var vain = 0
    /// It has given or taken something.
    var wasOfUse = false
    /// It has all, so that who has all too need not call it.
    var isSeeder = false

    /// Who was of use once is given up later. One failure may be the call that is under way.
    var isHopeless: Bool { failures >= (wasOfUse ? 5 : 2) }
    var isUntried: Bool { failures == 0 && vain == 0 && !wasOfUse }
  }

  private var entries: [SocketAddress: Entry] = [:]
  /// This peer itself, as others tell of it.
  private var own: Set<SocketAddress> = []
  private var lastNumber = 0
  /// Nobody is to be called before this: most of the time nobody has to be looked at.
  private var earliest = Instant.never

  /// Addresses that are remembered, at most. Those that peers have told of are at most half of it: they alone can't fill it.
  let limit: Int
  private static let firstPause = 10.0
  private static let longestPause = 600.0

  init(own: Set<SocketAddress> = [], limit: Int = 2000) {
    self.own = own
    self.limit = limit
  }

  var count: Int { entries.count }

  // MARK: Learning

  /// What a person says goes in always, and is called first; what trackers say goes before what peers say; and who can't be reached
  /// makes room for others.
  mutating func learn(_ addresses: some Sequence<SocketAddress>, from source: Source, at now: Instant) {
    let new = addresses.filter { $0.port != 0 && !own.contains($0) && !isKnown($0, from: source) }
    guard !new.isEmpty else { return }
    var told = entries.values.count { $0.source == .peers }
    // They are looked for once, and only where there is no room.
    var leaving: [SocketAddress]?
    for address in new where entries[address] == nil {
      let toldEnough = source == .peers && told >= limit / 2
      if entries.count >= limit || toldEnough {
        if leaving == nil { leaving = whoMakesRoom(for: source, amongTold: toldEnough) }
        guard let gone = leaving?.popLast() else { return }
        if entries[gone]?.source == .peers { told -= 1 }
        forget(gone)
      }
      lastNumber += 1
      entries[address] = Entry(number: lastNumber, source: source, nextAt: source == .person ? .first : now)
      if source == .peers { told += 1 }
      earliest = min(earliest, now)
    }
  }

  /// Who is known already is believed as much as the best who told of it; a person says that it is to be called now.
  private mutating func isKnown(_ address: SocketAddress, from source: Source) -> Bool {
    guard var entry = entries[address] else { return false }
    if source.rawValue < entry.source.rawValue { entry.source = source }
    if source == .person {
      entry.nextAt = .first
      entry.failures = 0
      entry.vain = 0
      earliest = .first
    }
    entries[address] = entry
    return true
  }

  /// The best to go last.
  private func whoMakesRoom(for source: Source, amongTold: Bool) -> [SocketAddress] {
    let candidates = entries.filter { _, entry in
      if amongTold, entry.source != .peers { return false }
      return source == .person || entry.isHopeless || !entry.wasOfUse && entry.source.rawValue > source.rawValue
    }
    let order = { (entry: Entry) in
      (entry.isHopeless ? entry.failures : 0, entry.wasOfUse ? 0 : 1, entry.source.rawValue, entry.number)
    }
    return candidates.sorted { order($0.value) < order($1.value) }.map(\.key)
  }

  // MARK: Calling

  /// Whether there may be somebody to call.
  func hasDue(at now: Instant) -> Bool { earliest <= now }

  /// Somebody to call who is not connected: who waits longest. The caller says then what came of it.
  /// - Parameter untriedOnly: none but those of whom nothing is known yet but the address.
  mutating func next(
    at now: Instant, isSeeding: Bool, besides connected: Set<SocketAddress>, untriedOnly: Bool = false
  ) -> SocketAddress? {
    guard hasDue(at: now) else { return nil }
    var next: (address: SocketAddress, entry: Entry)?
    earliest = .never
    for (address, entry) in entries {
      if entry.nextAt > now {
        earliest = min(earliest, entry.nextAt)
      } else if connected.contains(address) || isSeeding && entry.isSeeder {
        // It may be otherwise in a while.
        earliest = min(earliest, now + .seconds(Self.firstPause))
      } else if untriedOnly, !entry.isUntried {
        // It is passed over for others alone, and due all the same.
        earliest = min(earliest, entry.nextAt)
      } else if next.map({ (entry.nextAt, entry.number) < ($0.entry.nextAt, $0.entry.number) }) ?? true {
        next = (address, entry)
      }
    }
    if next != nil { earliest = min(earliest, now) }
    return next?.address
  }

  /// It is called now: until it answers, that is one more time in vain.
  mutating func called(_ address: SocketAddress, at now: Instant) {
    entries[address]?.failures += 1
    pause(address, at: now)
  }

  /// Somebody is there who speaks the protocol.
  mutating func reached(_ address: SocketAddress) { entries[address]?.failures = 0 }

  /// The connection with it is over.
  /// - Parameter wasOfUse: something came or went.
  mutating func parted(_ address: SocketAddress, wasOfUse: Bool, isSeeder: Bool, at now: Instant) {
    guard var entry = entries[address] else { return }
    entry.failures = 0
    entry.vain = wasOfUse ? 0 : entry.vain + 1
    if wasOfUse { entry.wasOfUse = true }
    if isSeeder { entry.isSeeder = true }
    entries[address] = entry
    pause(address, at: now)
  }

  /// It is connected already, by another address: to call it again soon would come to the same.
  mutating func isThereElsewhere(_ address: SocketAddress, at now: Instant) {
    guard entries[address] != nil else { return }
    entries[address]?.failures = 0
    entries[address]?.vain += 1
    entries[address]?.nextAt = now + .seconds(Self.longestPause)
  }

  /// It is left alone for a while: longer each time that nothing came of it.
  private mutating func pause(_ address: SocketAddress, at now: Instant) {
    guard let entry = entries[address] else { return }
    let pause = min(Self.longestPause, Self.firstPause * Double(1 << min(entry.failures + entry.vain, 10)) / 2)
    entries[address]?.nextAt = now + .seconds(pause)
    earliest = min(earliest, now + .seconds(pause))
  }

  mutating func markOwn(_ address: SocketAddress) {
    own.insert(address)
    forget(address)
  }

  mutating func forget(_ address: SocketAddress) { entries[address] = nil }
}

extension Instant {
  fileprivate static let first = Instant(nanoseconds: 0)
  fileprivate static let never = Instant(nanoseconds: .max)
}
