import Octets
import TorrentWire

/// The peers of one torrent. A change takes the same time however many they are, but for a list that grows now and then, and a choice
/// among them as long as what it brings.
struct Swarm: Sendable {
  private var v4: Family<PackedV4>
  private var v6: Family<PackedV6>
  private var twins = Twins()
  /// Nobody is forgotten before this.
  private var earliest = Int64.max

  /// How often it was completed.
  var downloads = 0
  /// When somebody announced last.
  private(set) var touched = Int64.min

  /// - Parameter salt: so that nobody can choose addresses that all belong to one place.
  init(salt: UInt64) {
    v4 = Family(salt: salt)
    v6 = Family(salt: salt)
  }

  var count: Int { v4.count + v6.count }
  var isEmpty: Bool { count == 0 }
  /// A client is counted once, though it is here at an address of each family.
  var seeders: Int { v4.seeders.count + v6.seeders.count - Int(twins.seeders) }
  var leechers: Int { v4.leechers.count + v6.leechers.count - Int(twins.leechers) }

  var members: [Member] { v4.members + v6.members }

  func member(at address: SocketAddress) -> Member? {
    address.ip.isV4
      ? v4.member(at: PackedV4(address.ip), address.port) : v6.member(at: PackedV6(address.ip), address.port)
  }

  // MARK: Changes

  /// Takes in what a peer says of itself.
  /// - Parameters:
  ///   - now: seconds of the world's clock.
  ///   - hasCompleted: it says that it has just completed the torrent.
  ///   - keepsProgress: whether what it has moved is kept.
  /// - Returns: the member before, where it was one.
  @discardableResult
  mutating func update(_ member: Member, at now: Int64, hasCompleted: Bool, keepsProgress: Bool = true) -> Member? {
    var member = member
    let old = self.member(at: member.address)
    member.hasCompleted = old?.hasCompleted ?? false
    seekTwins(of: member)
    // A peer that says so twice has completed it once, and so has one that says so at two addresses.
    if hasCompleted, member.isSeeder, !member.hasCompleted {
      member.hasCompleted = true
      if !twins.hasSeeder(member.client, besides: member.address.ip.isV4) { downloads += 1 }
    }
    if !keepsProgress { forgetProgress() }
    if member.address.ip.isV4 {
      v4.update(member, before: old, keeps: keepsProgress)
    } else {
      v6.update(member, before: old, keeps: keepsProgress)
    }
    if let old, old.isSeeder != member.isSeeder || old.client != member.client { twins.remove(old) }
    if old == nil || old?.isSeeder != member.isSeeder || old?.client != member.client { twins.add(member) }
    earliest = min(earliest, member.expires)
    touched = max(touched, now)
    return old
  }

  private mutating func seekTwins(of member: Member) {
    if !twins.areSought, member.address.ip.isV4 ? !v6.isEmpty : !v4.isEmpty { twins.seek(among: members) }
  }

  /// What the same client said last that it has moved, at this address or at its other family's.
  mutating func counted(of member: Member) -> Progress? {
    seekTwins(of: member)
    let other = twins.progress(of: member.client)
    guard let here = self.member(at: member.address), here.client.id == member.client.id, let progress = here.progress
    else { return other }
    return progress.most(other)
  }

  /// A user's client has said what it has moved, after all else that it said was taken in.
  /// - Parameter isStarted: its numbers begin anew.
  mutating func note(_ member: Member, isStarted: Bool) { twins.note(member, isStarted: isStarted) }

  @discardableResult
  mutating func remove(_ address: SocketAddress) -> Member? {
    guard let member = member(at: address) else { return nil }
    if address.ip.isV4 {
      v4.remove(PackedV4(address.ip), address.port)
    } else {
      v6.remove(PackedV6(address.ip), address.port)
    }
    if isEmpty { twins = Twins() } else { twins.remove(member) }
    return member
  }

  private mutating func forgetProgress() {
    v4.forgetProgress()
    v6.forgetProgress()
  }

  /// Lets go of those whose time is over. It looks at a few hundred for each of them, not at all that are there.
  /// - Returns: how many that were.
  mutating func expire(at now: Int64) -> Int {
    guard earliest < now else { return 0 }
    let (old, older) = (v4.expired(at: now), v6.expired(at: now))
    earliest = min(old.earliest, older.earliest)
    for address in old.gone { remove(address) }
    for address in older.gone { remove(address) }
    return old.gone.count + older.gone.count
  }

  // MARK: Choice

  /// Whom a peer is told of.
  /// - Parameters:
  ///   - families: of which addresses, in this order; true is IPv4.
  ///   - wantsIDs: it asked for their ids too.
  func choose(
    _ wanted: Int, for asker: Member, families: [Bool], wantsIDs: Bool = false,
    using generator: inout some RandomNumberGenerator
  ) -> PeerList {
    var chosen = PeerList()
    guard wanted > 0 else { return chosen }
    let asker = Asker(asker, wantsIDs: wantsIDs)
    chosen.reserveCapacity(min(wanted, v4.count))
    for isV4 in families {
      if isV4 {
        v4.choose(wanted, for: asker, into: &chosen, using: &generator)
      } else {
        v6.choose(wanted, for: asker, into: &chosen, using: &generator)
      }
    }
    return chosen
  }
}
