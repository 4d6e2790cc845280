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
      pick(wanted, for: asker, from: 0..<first, members: leechers.count, into: &chosen, using: &generator)
      pick(wanted, for: asker, from: first..<all, members: seeders.count, into: &chosen, using: &generator)
    } else {
      pick(wanted, for: asker, from: 0..<all, members: count, into: &chosen, using: &generator)
    }
  }

  /// Of the places of both lists, the leechers' first.
  private func entry(at place: Int) -> Entry<Address> {
    place < leechers.places ? leechers[place] : seeders[place - leechers.places]
  }

  /// Goes round once from a place at random, in equal steps, and looks at one place of each at random: everybody's turn comes as often as
  /// everybody else's, nobody comes twice, and the time it takes depends on what it brings alone. Whoever is still missing then, or all
  /// where most are to be told, are those who stand next.
  private func pick(
    _ wanted: Int, for asker: Asker, from places: Range<Int>, members: Int, into chosen: inout PeerList,
    using generator: inout some RandomNumberGenerator
  ) {
    let missing = wanted - chosen.count
    guard members > 0, missing > 0 else { return }
    /// Of numbers below 2^32: no swarm has as many places.
    func random(below bound: Int) -> Int { Int(((generator.next() >> 32) &* UInt64(bound)) >> 32) }
    let start = random(below: places.count)
    func entry(_ offset: Int) -> Entry<Address> {
      let place = places.lowerBound + start + offset
      return self.entry(at: place < places.upperBound ? place : place - places.count)
    }
    // Some places have nobody in them, and one may be the asker's.
    let steps = missing * places.count / members + 2
    let isScattered = places.count >= 4 * steps
    if isScattered {
      /// In parts of 2^16.
      let width = (places.count << 16) / steps
      for step in 0..<steps where chosen.count < wanted {
        let entry = entry(((step * width) >> 16) + random(below: width >> 16))
        if asker.mayHear(of: entry) { entry.tell(withID: asker.wantsIDs, to: &chosen) }
      }
    }
    // Those who can't be told must not make it a walk past all of them.
    var offset = 0
    let end = min(places.count, 4 * missing + 16)
    while chosen.count < wanted, offset < end {
      let entry = entry(offset)
      offset += 1
      if asker.mayHear(of: entry), !isScattered || !chosen.contains(entry.socketAddress) {
        entry.tell(withID: asker.wantsIDs, to: &chosen)
      }
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
