import Octets
import TorrentWire

/// The peers of one torrent. A change takes the same time however many they are, but for a list that grows now and then, and a choice
/// among them as long as what it brings.
struct Swarm: Sendable {
  private struct Rest {
    var v6 = Family<PackedV6>()
    var twins = Twins()
  }

  private let salt: UInt64
  private var v4 = Family<PackedV4>()
  /// None or one, kept elsewhere: most swarms have nobody by IPv6.
  private var rest: [Rest] = []
  /// Nobody is forgotten before this: seconds of the world's clock, until 2106, as the next.
  private var earliest = UInt32.max
  /// When somebody announced last.
  private(set) var touched: UInt32 = 0
  private var completions: UInt32 = 0

  /// - Parameter salt: so that nobody can choose addresses that all belong to one place.
  init(salt: UInt64) { self.salt = salt }

  /// Looks at what lies elsewhere, where there is something.
  @discardableResult
  private func look<Value>(_ body: (Rest) -> Value) -> Value? { rest.isEmpty ? nil : body(rest[0]) }

  /// Changes it, where there is something.
  @discardableResult
  private mutating func change<Value>(_ body: (inout Rest) -> Value) -> Value? { rest.isEmpty ? nil : body(&rest[0]) }

  /// How often it was completed.
  var downloads: Int {
    get { Int(completions) }
    set { completions = UInt32(clamping: newValue) }
  }

  var count: Int { v4.count + (look { $0.v6.count } ?? 0) }
  var isEmpty: Bool { count == 0 }
  /// A client is counted once, though it is here at an address of each family.
  var seeders: Int { v4.seeders.count + (look { $0.v6.seeders.count - Int($0.twins.seeders) } ?? 0) }
  var leechers: Int { v4.leechers.count + (look { $0.v6.leechers.count - Int($0.twins.leechers) } ?? 0) }

  var members: [Member] { v4.members + (look(\.v6.members) ?? []) }

  func member(at address: SocketAddress) -> Member? {
    address.ip.isV4
      ? v4.member(at: PackedV4(address.ip), address.port, salt)
      : look { $0.v6.member(at: PackedV6(address.ip), address.port, salt) } ?? nil
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
      let isCounted = look { $0.twins.hasSeeder(member.client, besides: member.address.ip.isV4) } ?? false
      if !isCounted { downloads += 1 }
    }
    if !keepsProgress { forgetProgress() }
    if member.address.ip.isV4 {
      v4.update(member, before: old, keeps: keepsProgress, salt)
    } else {
      if rest.isEmpty { rest = [Rest()] }
      rest[0].v6.update(member, before: old, keeps: keepsProgress, salt)
    }
    let isOther = old == nil || old?.isSeeder != member.isSeeder || old?.client != member.client
    change { rest in
      if let old, isOther { rest.twins.remove(old) }
      if isOther { rest.twins.add(member) }
    }
    earliest = min(earliest, UInt32(clamping: member.expires))
    touched = max(touched, UInt32(clamping: now))
    return old
  }

  private mutating func seekTwins(of member: Member) {
    let isDual = member.address.ip.isV4 ? look { !$0.v6.isEmpty } ?? false : !v4.isEmpty
    guard isDual, look(\.twins.areSought) != true else { return }
    if rest.isEmpty { rest = [Rest()] }
    rest[0].twins.seek(among: members)
  }

  /// What the same client said last that it has moved, at this address or at its other family's.
  mutating func counted(of member: Member) -> Progress? {
    seekTwins(of: member)
    let other = look { $0.twins.progress(of: member.client) } ?? nil
    guard let here = self.member(at: member.address), here.client.id == member.client.id, let progress = here.progress
    else { return other }
    return progress.most(other)
  }

  /// A user's client has said what it has moved, after all else that it said was taken in.
  /// - Parameter isStarted: its numbers begin anew.
  mutating func note(_ member: Member, isStarted: Bool) { change { $0.twins.note(member, isStarted: isStarted) } }

  @discardableResult
  mutating func remove(_ address: SocketAddress) -> Member? {
    guard let member = member(at: address) else { return nil }
    if address.ip.isV4 {
      v4.remove(PackedV4(address.ip), address.port, salt)
    } else {
      change { [salt] in $0.v6.remove(PackedV6(address.ip), address.port, salt) }
    }
    if isEmpty { rest = [] } else { change { $0.twins.remove(member) } }
    return member
  }

  private mutating func forgetProgress() {
    v4.forgetProgress()
    change { $0.v6.forgetProgress() }
  }

  /// Lets go of those whose time is over. It looks at a few hundred for each of them, not at all that are there.
  /// - Returns: how many that were.
  mutating func expire(at now: Int64) -> Int {
    let now = UInt32(clamping: now)
    guard earliest < now else { return 0 }
    let due = [v4.expired(at: now), change { $0.v6.expired(at: now) }].compactMap { $0 }
    earliest = due.lazy.map(\.earliest).min() ?? .max
    let gone = due.flatMap(\.gone)
    for address in gone { remove(address) }
    return gone.count
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
        look { $0.v6.choose(wanted, for: asker, into: &chosen, using: &generator) }
      }
    }
    return chosen
  }
}
