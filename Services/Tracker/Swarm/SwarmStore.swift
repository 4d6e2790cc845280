import EventLoop
import Octets
import TorrentWire

/// All torrents and their peers, for every loop and both protocols. They lie in shards by the hash, each behind a lock of its own, so
/// that loops rarely meet.
final class SwarmStore: Sendable {
  /// What the operator has said of a torrent.
  enum Standing: Int, Sendable {
    /// Nothing: it is here since peers announced it.
    case unlisted = 0
    case registered, denied
  }

  struct Torrent: Sendable {
    var standing = Standing.unlisted
    var swarm = Swarm()
  }

  private struct Shard {
    var torrents: [InfoHash: Torrent] = [:]
    var random: SeededGenerator
    /// Torrents whose downloads were not written down yet.
    var unwritten: Set<InfoHash> = []
    /// Torrents that made room for others, and were written down once.
    var forgotten: Set<InfoHash> = []

    /// As long as nothing can be written they are not remembered without end: those beyond come back with a restart, and make room
    /// again.
    mutating func noteForgotten(_ hash: InfoHash) {
      if forgotten.count < 4096 { forgotten.insert(hash) }
    }

    /// Of a few that may go, the one that was quiet longest.
    func coldest(where mayGo: (InfoHash, Torrent) -> Bool) -> InfoHash? {
      var coldest: (hash: InfoHash, touched: Int64)?
      for (hash, torrent) in torrents.prefix(64) where mayGo(hash, torrent) {
        if torrent.swarm.touched < coldest?.touched ?? .max { coldest = (hash, torrent.swarm.touched) }
      }
      return coldest?.hash
    }
  }

  private let shards: [Lock<Shard>]
  private let limits: TrackerLimits
  private let totals = Lock(Totals())
  private static let shardBits: UInt64 = 6

  struct Totals: Sendable, Equatable {
    var torrents = 0
    var peers = 0
    /// Torrents that were forgotten to make room.
    var evicted: UInt64 = 0
  }

  init(limits: TrackerLimits, using generator: inout some RandomNumberGenerator) {
    self.limits = limits
    shards = (0..<(1 << Int(Self.shardBits))).map { _ in
      Lock(Shard(random: SeededGenerator(seed: generator.next())))
    }
  }

  var counts: Totals { totals.withLock { $0 } }

  private func shard(of hash: InfoHash) -> Lock<Shard> {
    shards[Int(truncatingIfNeeded: hash.prefix >> (64 - Self.shardBits))]
  }

  // MARK: What operators say

  /// Takes a torrent in, or changes what is said of it.
  /// - Parameter downloads: how often it was completed, where that is known from an earlier run.
  func set(_ hash: InfoHash, _ standing: Standing, downloads: Int? = nil) {
    let isNew = shard(of: hash).withLock { shard in
      let isNew = shard.torrents[hash] == nil
      var torrent = shard.torrents[hash, default: Torrent()]
      torrent.standing = standing
      if let downloads { torrent.swarm.downloads = downloads }
      shard.torrents[hash] = torrent
      return isNew
    }
    if isNew { totals.withLock { $0.torrents += 1 } }
  }

  /// Forgets a torrent with its peers.
  func remove(_ hash: InfoHash) {
    let gone = shard(of: hash).withLock { shard in
      shard.unwritten.remove(hash)
      shard.forgotten.remove(hash)
      return shard.torrents.removeValue(forKey: hash)
    }
    guard let gone else { return }
    totals.withLock { totals in
      totals.torrents -= 1
      totals.peers -= gone.swarm.count
    }
  }

  func removeAll() {
    for shard in shards {
      shard.withLock { shard in
        shard.torrents = [:]
        shard.unwritten = []
        shard.forgotten = []
      }
    }
    totals.withLock { $0 = Totals() }
  }

  /// A torrent as it is now, its expired peers left out.
  func torrent(_ hash: InfoHash, at now: Int64) -> Torrent? {
    change(hash, makes: false) { torrent, _ in
      let gone = torrent.swarm.expire(at: now)
      return (torrent, -gone)
    }
  }

  func standing(_ hash: InfoHash) -> Standing? { shard(of: hash).withLock { $0.torrents[hash]?.standing } }

  // MARK: What peers say

  /// What came of an announce.
  struct Outcome: Sendable {
    var before: Member?
    var seeders: Int
    var leechers: Int
    var downloads: Int
    var chosen: [AnnounceReply.Peer]
    /// For what is to differ from announce to announce.
    var random: UInt64
    /// It has become a member.
    var isNew: Bool
    var isStopped: Bool
    var hasCompleted: Bool

    /// Of a torrent that nobody knows.
    static let nobody = Outcome(
      seeders: 0, leechers: 0, downloads: 0, chosen: [], random: 0, isNew: false, isStopped: true, hasCompleted: false)

    /// What of it is worth to be told; nil for an announce like the one before.
    func event(of member: Member, in hash: InfoHash) -> TrackerEvent? {
      if isStopped { return before == nil ? nil : .peerStopped(hash, member.address) }
      if hasCompleted { return .peerCompleted(hash, member.address) }
      return isNew ? .peerStarted(hash, member.address) : nil
    }
  }

  /// Takes in what a peer says and chooses whom it is told of, in one look.
  /// - Parameters:
  ///   - isStopped: it goes: it is no member any more, and told of nobody.
  ///   - now: whose time is over then is gone.
  ///   - makes: whether a torrent that nobody knows is taken in.
  /// - Returns: nil where the torrent is not known.
  func announce(
    _ member: Member, of hash: InfoHash, isStopped: Bool, hasCompleted: Bool, wanted: Int, families: [Bool],
    at now: Int64, makes: Bool
  ) -> Outcome? {
    if counts.peers >= limits.peers { forgetPeers(sparing: hash) }
    var makes = makes
    if makes, counts.torrents >= limits.torrents, standing(hash) == nil { makes = forgetTorrent() }
    return change(hash, makes: makes) { torrent, shard in
      var swarm = Swarm()
      swap(&swarm, &torrent.swarm)
      defer { swap(&swarm, &torrent.swarm) }
      let count = swarm.count
      _ = swarm.expire(at: now)
      let downloads = swarm.downloads
      let before: Member?
      if isStopped {
        before = swarm.remove(member.address)
      } else if member.address.port == 0 {
        // Nobody can call it, so nobody is told of it.
        before = nil
      } else if swarm.count < limits.peersPerTorrent || swarm.member(at: member.address) != nil {
        before = swarm.update(member, hasCompleted: hasCompleted)
      } else {
        before = nil
      }
      if swarm.downloads != downloads { shard.unwritten.insert(hash) }
      let chosen = isStopped ? [] : swarm.choose(wanted, for: member, families: families, using: &shard.random)
      return (
        Outcome(
          before: before, seeders: swarm.seeders, leechers: swarm.leechers, downloads: swarm.downloads, chosen: chosen,
          random: shard.random.next(), isNew: before == nil && swarm.member(at: member.address) != nil,
          isStopped: isStopped,
          hasCompleted: swarm.downloads != downloads),
        swarm.count - count
      )
    }
  }

  /// - Parameter body: returns what it makes, and how many peers there are more.
  private func change<Value>(
    _ hash: InfoHash, makes: Bool, _ body: (inout Torrent, inout Shard) -> (Value, Int)
  ) -> Value? {
    let changed: (value: Value, isNew: Bool, peers: Int)? = shard(of: hash).withLock { shard in
      // It is taken out and put back: a change of a copy would copy all of its peers.
      let place = shard.torrents.index(forKey: hash)
      guard place != nil || makes else { return nil }
      var torrent = Torrent()
      if let place { swap(&torrent, &shard.torrents.values[place]) }
      let (value, peers) = body(&torrent, &shard)
      shard.torrents[hash] = torrent
      return (value, place == nil, peers)
    }
    guard let changed else { return nil }
    if changed.isNew || changed.peers != 0 {
      totals.withLock { totals in
        totals.peers += changed.peers
        if changed.isNew { totals.torrents += 1 }
      }
    }
    return changed.value
  }

  // MARK: Upkeep

  /// Lets go of peers whose time is over, and of torrents that nobody has registered or announces.
  func expire(at now: Int64) {
    for shard in shards {
      let gone = shard.withLock { shard in
        var gone = (torrents: 0, peers: 0)
        var idle: [InfoHash] = []
        // In place: a change of a copy would copy all of its peers.
        var index = shard.torrents.startIndex
        while index != shard.torrents.endIndex {
          defer { shard.torrents.formIndex(after: &index) }
          gone.peers += shard.torrents.values[index].swarm.expire(at: now)
          let torrent = shard.torrents.values[index]
          if torrent.standing == .unlisted, torrent.swarm.isEmpty, torrent.swarm.downloads == 0 {
            idle.append(shard.torrents.keys[index])
          }
        }
        for hash in idle { shard.torrents[hash] = nil }
        gone.torrents = idle.count
        return gone
      }
      totals.withLock { totals in
        totals.torrents -= gone.torrents
        totals.peers -= gone.peers
      }
    }
  }

  /// All shards, each time in another order.
  private func shardsInTurn() -> Scatter { shards[0].withLock { Scatter(shards.count, using: &$0.random) } }

  /// Forgets the peers of the torrent that was quiet longest among a few.
  private func forgetPeers(sparing hash: InfoHash) {
    for place in shardsInTurn() {
      let peers = shards[place].withLock { shard -> Int? in
        guard let coldest = shard.coldest(where: { $0 != hash && !$1.swarm.isEmpty }),
          let index = shard.torrents.index(forKey: coldest)
        else { return nil }
        var swarm = Swarm()
        swarm.downloads = shard.torrents.values[index].swarm.downloads
        swap(&swarm, &shard.torrents.values[index].swarm)
        return swarm.count
      }
      guard let peers else { continue }
      return totals.withLock { totals in
        totals.peers -= peers
        totals.evicted += 1
      }
    }
  }

  /// Forgets the unlisted torrent that was quiet longest among a few, so that torrents which somebody made up can't keep out all
  /// others.
  /// - Returns: false where all are the operator's.
  private func forgetTorrent() -> Bool {
    for place in shardsInTurn() {
      let gone = shards[place].withLock { shard -> Torrent? in
        guard let coldest = shard.coldest(where: { $1.standing == .unlisted }) else { return nil }
        shard.unwritten.remove(coldest)
        if (shard.torrents[coldest]?.swarm.downloads ?? 0) > 0 { shard.noteForgotten(coldest) }
        return shard.torrents.removeValue(forKey: coldest)
      }
      guard let gone else { continue }
      totals.withLock { totals in
        totals.torrents -= 1
        totals.peers -= gone.swarm.count
        totals.evicted += 1
      }
      return true
    }
    return false
  }

  /// The downloads that were not written down since the last call, and the torrents that were forgotten since and may stand in the
  /// database. One that is there again is in both: it is forgotten first.
  func takeUnwritten() -> (downloads: [(hash: InfoHash, downloads: Int)], forgotten: [InfoHash]) {
    var taken: (downloads: [(hash: InfoHash, downloads: Int)], forgotten: [InfoHash]) = ([], [])
    for shard in shards {
      shard.withLock { shard in
        for hash in shard.unwritten {
          if let torrent = shard.torrents[hash] { taken.downloads.append((hash, torrent.swarm.downloads)) }
        }
        taken.forgotten += shard.forgotten
        shard.unwritten = []
        shard.forgotten = []
      }
    }
    return taken
  }

  /// Those could not be written down.
  func putBack(downloads: [(hash: InfoHash, downloads: Int)], forgotten: [InfoHash]) {
    for (hash, _) in downloads {
      shard(of: hash).withLock { shard in
        if shard.torrents[hash] != nil { shard.unwritten.insert(hash) }
      }
    }
    for hash in forgotten { shard(of: hash).withLock { $0.noteForgotten(hash) } }
  }

  /// Every torrent's hash and numbers, in no order.
  func summaries(at now: Int64) -> [Summary] {
    expire(at: now)
    return shards.flatMap { shard in
      shard.withLock { shard in
        shard.torrents.map { hash, torrent in
          Summary(
            hash: hash, standing: torrent.standing, seeders: torrent.swarm.seeders, leechers: torrent.swarm.leechers,
            downloads: torrent.swarm.downloads)
        }
      }
    }
  }

  struct Summary: Sendable {
    var hash: InfoHash
    var standing: Standing
    var seeders: Int
    var leechers: Int
    var downloads: Int
  }
}
