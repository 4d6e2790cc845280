import Octets
import TorrentWire

/// The members of a swarm whose addresses are of one family.
struct Family<Address: PackedAddress>: Sendable {
  private(set) var leechers = Roster<Address>()
  private(set) var seeders = Roster<Address>()

  private let salt: UInt64

  init(salt: UInt64) { self.salt = salt }

  var count: Int { leechers.count + seeders.count }
  var isEmpty: Bool { count == 0 }
  var members: [Member] { leechers.members(areSeeders: false) + seeders.members(areSeeders: true) }

  func member(at address: Address, _ port: UInt16) -> Member? {
    if let place = leechers.place(of: address, port, salt) { return leechers.member(at: place, isSeeder: false) }
    return seeders.place(of: address, port, salt).map { seeders.member(at: $0, isSeeder: true) }
  }

  /// Takes in what it says now; it may be new here.
  /// - Parameter old: the same as it was before.
  mutating func update(_ member: Member, before old: Member?, keeps: Bool) {
    let (address, port) = (Address(member.address.ip), member.address.port)
    // Most announces say the same as the one before.
    if let old, old.isSeeder == member.isSeeder {
      if member.isSeeder {
        if let place = seeders.place(of: address, port, salt) { seeders.replace(at: place, with: member) }
      } else {
        if let place = leechers.place(of: address, port, salt) { leechers.replace(at: place, with: member) }
      }
      return
    }
    if old != nil { remove(address, port) }
    if member.isSeeder {
      seeders.insert(member, keeps: keeps, salt)
    } else {
      leechers.insert(member, keeps: keeps, salt)
    }
  }

  mutating func remove(_ address: Address, _ port: UInt16) {
    if let place = leechers.place(of: address, port, salt) {
      leechers.remove(at: place, salt)
    } else if let place = seeders.place(of: address, port, salt) {
      seeders.remove(at: place, salt)
    }
  }

  mutating func forgetProgress() {
    leechers.forgetProgress()
    seeders.forgetProgress()
  }

  /// Whose time is over, and a moment before which nobody else is forgotten.
  mutating func expired(at now: Int64) -> (gone: [SocketAddress], earliest: Int64) {
    var gone: [SocketAddress] = []
    let bounds = [
      leechers.expired(at: now) { gone.append($0.socketAddress) },
      seeders.expired(at: now) { gone.append($0.socketAddress) },
    ]
    return (gone, bounds.lazy.compactMap { $0 }.min() ?? .max)
  }

  // MARK: Choice

  /// Adds those that a peer is told of until there are as many as it wants: never itself, and nobody it could not reach. A seeder is
  /// told of leechers first, since another seeder wants nothing of it.
  func choose(
    _ wanted: Int, for asker: Asker, into chosen: inout PeerList,
    using generator: inout some RandomNumberGenerator
  ) {
    let (all, first) = (leechers.places + seeders.places, leechers.places)
    if asker.isSeeder {
      pick(wanted, for: asker, from: 0..<first, into: &chosen, using: &generator)
      pick(wanted, for: asker, from: first..<all, into: &chosen, using: &generator)
    } else {
      pick(wanted, for: asker, from: 0..<all, into: &chosen, using: &generator)
    }
  }

  /// Of the places of both lists, the leechers' first.
  private func entry(at place: Int) -> Entry<Address> {
    place < leechers.places ? leechers[place] : seeders[place - leechers.places]
  }

  /// In an order at random, so that nobody comes twice and nobody's neighbours come more often with it than others. The time it takes
  /// depends on what it brings alone.
  private func pick(
    _ wanted: Int, for asker: Asker, from places: Range<Int>, into chosen: inout PeerList,
    using generator: inout some RandomNumberGenerator
  ) {
    let missing = wanted - chosen.count
    guard !places.isEmpty, missing > 0 else { return }
    // Those who can't be told must not make it a walk past all of them.
    for offset in Scatter(places.count, using: &generator).prefix(4 * missing + 16) {
      let entry = entry(at: places.lowerBound + offset)
      guard asker.mayHear(of: entry) else { continue }
      entry.tell(withID: asker.wantsIDs, to: &chosen)
      if chosen.count == wanted { return }
    }
  }
}

/// Who asks for peers.
struct Asker {
  private let address: SocketAddress
  private let client: Client
  private let scope: Scope
  let isSeeder: Bool
  let wantsIDs: Bool

  init(_ member: Member, wantsIDs: Bool) {
    address = member.address
    client = member.client
    scope = Scope(member.address.ip)
    isSeeder = member.isSeeder
    self.wantsIDs = wantsIDs
  }

  func mayHear(of entry: Entry<some PackedAddress>) -> Bool {
    if entry.isFree || entry.port == address.port && entry.address.ip == address.ip { return false }
    if scope > .machine, Scope(entry.address.ip) < scope { return false }
    return client.mark == 0 || entry.mark != client.mark || entry.client != client
  }
}
