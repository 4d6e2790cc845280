import Octets
import TorrentWire

/// The peers of one torrent. Every change takes the same time however many they are, and a choice among them as long as what it
/// brings.
struct Swarm: Sendable {
  /// Members of one kind and one family stand together, so that a choice among them needs no search.
  private enum Group: Int, CaseIterable {
    case leechersV4, leechersV6, seedersV4, seedersV6

    init(isSeeder: Bool, isV4: Bool) {
      self = isSeeder ? (isV4 ? .seedersV4 : .seedersV6) : (isV4 ? .leechersV4 : .leechersV6)
    }
  }

  private struct Place {
    var group: Group
    var index: Int
  }

  private var groups: [Roster] = Array(repeating: Roster(), count: Group.allCases.count)
  private var places: [SocketAddress: Place] = [:]
  /// How many members one client is, of each kind: it is counted once.
  private var selves: [Bool: [Identity: Int]] = [:]
  /// Those that are one too many, of each kind.
  private var twins: (seeders: Int, leechers: Int) = (0, 0)
  /// Nobody is forgotten before this.
  private var earliest = Int64.max

  /// How often it was completed.
  var downloads = 0
  /// When somebody announced last.
  private(set) var touched = Int64.min

  var count: Int { places.count }
  var isEmpty: Bool { places.isEmpty }
  var seeders: Int { groups[Group.seedersV4.rawValue].count + groups[Group.seedersV6.rawValue].count - twins.seeders }
  var leechers: Int {
    groups[Group.leechersV4.rawValue].count + groups[Group.leechersV6.rawValue].count - twins.leechers
  }

  var members: [Member] { groups.flatMap(\.members) }

  func member(at address: SocketAddress) -> Member? {
    places[address].map { groups[$0.group.rawValue].members[$0.index] }
  }

  // MARK: Changes

  /// Takes in what a peer says of itself.
  /// - Parameter hasCompleted: it says that it has just completed the torrent.
  /// - Returns: the member before, where it was one.
  @discardableResult
  mutating func update(_ member: Member, hasCompleted: Bool) -> Member? {
    var member = member
    let old = self.member(at: member.address)
    member.hasCompleted = old?.hasCompleted ?? false
    let isAlike = old?.isSeeder == member.isSeeder && old?.identity == member.identity
    // A peer that says so twice has completed it once, and so has one that says so at two addresses.
    if hasCompleted, member.isSeeder, !member.hasCompleted {
      member.hasCompleted = true
      let seeders = member.identity.map { selves[true]?[$0] ?? 0 } ?? 0
      if seeders == (isAlike && member.identity != nil ? 1 : 0) { downloads += 1 }
    }
    // Most announces say the same as the one before.
    if isAlike, let place = places[member.address] {
      groups[place.group.rawValue].replace(at: place.index, with: member)
    } else {
      remove(member.address)
      insert(member)
    }
    earliest = min(earliest, member.expires)
    touched = max(touched, member.seen)
    return old
  }

  private mutating func insert(_ member: Member) {
    let group = Group(isSeeder: member.isSeeder, isV4: member.address.ip.isV4)
    places[member.address] = Place(group: group, index: groups[group.rawValue].count)
    groups[group.rawValue].append(member)
    count(member, by: 1)
  }

  @discardableResult
  mutating func remove(_ address: SocketAddress) -> Member? {
    guard let place = places.removeValue(forKey: address) else { return nil }
    let member = groups[place.group.rawValue].remove(at: place.index)
    // Another has come to its place, unless it was the last.
    if place.index < groups[place.group.rawValue].count {
      places[groups[place.group.rawValue].members[place.index].address] = place
    }
    count(member, by: -1)
    return member
  }

  private mutating func count(_ member: Member, by step: Int) {
    guard let identity = member.identity else { return }
    let before = selves[member.isSeeder]?[identity] ?? 0
    let after = before + step
    selves[member.isSeeder, default: [:]][identity] = after > 0 ? after : nil
    let change = max(0, after - 1) - max(0, before - 1)
    if member.isSeeder { twins.seeders += change } else { twins.leechers += change }
  }

  /// Lets go of those whose time is over. It looks at a few hundred for each of them, not at all that are there.
  /// - Returns: how many that were.
  mutating func expire(at now: Int64) -> Int {
    guard earliest < now else { return 0 }
    var gone: [SocketAddress] = []
    earliest = .max
    for group in groups.indices {
      earliest = min(earliest, groups[group].expired(at: now) { gone.append($0.address) })
    }
    for address in gone { remove(address) }
    return gone.count
  }

  // MARK: Choice

  /// What a peer is told of a member: of the rest of it nothing is copied. Nil for itself and for whom it can't reach.
  private static func tell(_ asker: Member, _ scope: Scope, _ list: [Member], _ place: Int) -> AnnounceReply.Peer? {
    let address = list[place].address
    if address == asker.address || list[place].scope < scope { return nil }
    if let identity = asker.identity, list[place].identity == identity { return nil }
    return AnnounceReply.Peer(address: address, id: list[place].id)
  }

  /// Whom a peer is told of: each at random, never itself, and nobody it could not reach. A seeder is told of leechers first, since
  /// another seeder wants nothing of it.
  /// - Parameter families: of which addresses, in this order.
  func choose(
    _ wanted: Int, for asker: Member, families: [Bool], using generator: inout some RandomNumberGenerator
  ) -> [AnnounceReply.Peer] {
    var chosen: [AnnounceReply.Peer] = []
    guard wanted > 0 else { return chosen }
    let scope = asker.scope
    chosen.reserveCapacity(min(wanted, count))
    /// One list, or two that are as one.
    func take(_ lists: [[Member]]) {
      let total = lists.reduce(0) { $0 + $1.count }
      guard total > 0 else { return }
      // Those who can't be told must not make it a walk past all of them.
      for position in Scatter(total, using: &generator).prefix(4 * wanted + 16) {
        if chosen.count == wanted { return }
        let isFirst = position < lists[0].count
        if let peer = Swarm.tell(
          asker, scope, isFirst ? lists[0] : lists[1], isFirst ? position : position - lists[0].count)
        {
          chosen.append(peer)
        }
      }
    }
    for isV4 in families {
      let (leechers, seeders) = (
        groups[Group(isSeeder: false, isV4: isV4).rawValue].members,
        groups[Group(isSeeder: true, isV4: isV4).rawValue].members
      )
      if asker.isSeeder {
        take([leechers])
        take([seeders])
      } else {
        take([leechers, seeders])
      }
    }
    return chosen
  }
}

/// The numbers below a count, each once, in an order that begins and goes on at random: a step that has no divisor in common with
/// the count comes past all of them.
struct Scatter: Sequence, IteratorProtocol {
  private let count: Int
  private let step: Int
  private var position: Int
  private var left: Int

  init(_ count: Int, using generator: inout some RandomNumberGenerator) {
    self.count = count
    left = count
    position = Int.random(in: 0..<Swift.max(1, count), using: &generator)
    var step = Int.random(in: 1...Swift.max(1, count - 1), using: &generator)
    while Scatter.divisor(step, count) != 1 { step += 1 }
    self.step = step % Swift.max(1, count)
  }

  mutating func next() -> Int? {
    guard left > 0 else { return nil }
    left -= 1
    let here = position
    position += step
    if position >= count { position -= count }
    return here
  }

  private static func divisor(_ one: Int, _ other: Int) -> Int {
    var (one, other) = (one, other)
    while other != 0 { (one, other) = (other, one % other) }
    return one
  }
}
