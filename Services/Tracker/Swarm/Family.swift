import Octets
import TorrentWire

/// The members of a swarm whose addresses are of one family. The salt is of the swarm's rosters.
struct Family<Address: PackedAddress>: Sendable {
  private(set) var leechers = Roster<Address>()
  private(set) var seeders = Roster<Address>()

  var count: Int { leechers.count + seeders.count }
  var isEmpty: Bool { count == 0 }
  var members: [Member] { leechers.members(areSeeders: false) + seeders.members(areSeeders: true) }

  func member(at address: Address, _ port: UInt16, _ salt: UInt64) -> Member? {
    if let place = leechers.place(of: address, port, salt) { return leechers.member(at: place, isSeeder: false) }
    return seeders.place(of: address, port, salt).map { seeders.member(at: $0, isSeeder: true) }
  }

  /// Takes in what it says now; it may be new here.
  /// - Parameter old: the same as it was before.
  mutating func update(_ member: Member, before old: Member?, keeps: Bool, _ salt: UInt64) {
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
    if old != nil { remove(address, port, salt) }
    if member.isSeeder {
      seeders.insert(member, keeps: keeps, salt)
    } else {
      leechers.insert(member, keeps: keeps, salt)
    }
  }

  mutating func remove(_ address: Address, _ port: UInt16, _ salt: UInt64) {
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
  mutating func expired(at now: UInt32) -> (gone: [SocketAddress], earliest: UInt32) {
    var gone: [SocketAddress] = []
    let bounds = [
      leechers.expired(at: now) { gone.append($0) },
      seeders.expired(at: now) { gone.append($0) },
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
      // Of the places of both lists, the leechers' first.
      let place = places.lowerBound + offset
      if place < leechers.places {
        leechers.tell(of: place, to: asker, in: &chosen)
      } else {
        seeders.tell(of: place - leechers.places, to: asker, in: &chosen)
      }
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

  /// - Parameter id: who is there calls itself so; seldom asked for.
  func mayHear(of seat: Seat<some PackedAddress>, id: () -> PeerID) -> Bool {
    if seat.isFree || seat.port == address.port && seat.address.ip == address.ip { return false }
    if scope > .machine, Scope(seat.address.ip) < scope { return false }
    return client.mark == 0 || seat.mark != client.mark || id() != client.id
  }
}

extension Roster {
  /// Adds who stands there, where it may be told of.
  func tell(of place: Int, to asker: Asker, in list: inout PeerList) {
    let seat = self[place]
    guard asker.mayHear(of: seat, id: { id(at: place) }) else { return }
    if asker.wantsIDs {
      list.append(seat.socketAddress, id: id(at: place))
    } else {
      seat.address.tell(seat.port, to: &list)
    }
  }
}
