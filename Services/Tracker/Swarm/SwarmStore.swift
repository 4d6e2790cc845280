import EventLoop
import Octets
import Synchronization
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
    var swarm: Swarm
    var standing = Standing.unlisted
  }

  private let shards: [Lock<SwarmShard>]
  private let limits: TrackerLimits
  /// What each has moved is kept of every peer, since users' amounts are counted from it.
  private let keepsProgress: Bool
  /// So that nobody can choose addresses that all belong to one place of a swarm's list.
  private let salt: UInt64
  private let torrents = Atomic<Int>(0)
  private let peers = Atomic<Int>(0)
  private let evicted = Atomic<UInt64>(0)
  private static let shardBits: UInt64 = 6

  struct Totals: Sendable, Equatable {
    var torrents = 0
    var peers = 0
    /// Torrents that were forgotten to make room.
    var evicted: UInt64 = 0
  }

  /// - Parameter keepsProgress: of every peer; else of as many as the limits say.
  init(limits: TrackerLimits, keepsProgress: Bool, using generator: inout some RandomNumberGenerator) {
    self.limits = limits
    self.keepsProgress = keepsProgress
    salt = generator.next()
    shards = (0..<(1 << Int(Self.shardBits))).map { _ in
      Lock(SwarmShard(random: SeededGenerator(seed: generator.next())))
    }
  }

  var counts: Totals {
    Totals(
      torrents: torrents.load(ordering: .relaxed), peers: peers.load(ordering: .relaxed),
      evicted: evicted.load(ordering: .relaxed))
  }

  private func count(torrents: Int = 0, peers: Int = 0, evicted: UInt64 = 0) {
    if torrents != 0 { self.torrents.wrappingAdd(torrents, ordering: .relaxed) }
    if peers != 0 { self.peers.wrappingAdd(peers, ordering: .relaxed) }
    if evicted != 0 { self.evicted.wrappingAdd(evicted, ordering: .relaxed) }
  }

  private func shard(of hash: InfoHash) -> Lock<SwarmShard> {
    shards[Int(truncatingIfNeeded: hash.prefix >> (64 - Self.shardBits))]
  }

  // MARK: What operators say

  /// Takes a torrent in, or changes what is said of it.
  /// - Parameter downloads: how often it was completed, where that is known from an earlier run.
  func set(_ hash: InfoHash, _ standing: Standing, downloads: Int? = nil) {
    shard(of: hash).withLock { shard in
      if shard.torrents[hash] == nil {
        shard.add(hash, Torrent(swarm: Swarm(salt: salt)))
        count(torrents: 1)
      }
      shard.set(standing, of: hash)
      if let downloads { shard.change(hash) { torrent, _ in torrent.swarm.downloads = downloads } }
    }
  }

  /// Forgets a torrent with its peers.
  func remove(_ hash: InfoHash) {
    shard(of: hash).withLock { shard in
      shard.unwritten.remove(hash)
      shard.forgotten.remove(hash)
      guard let gone = shard.remove(hash) else { return }
      count(torrents: -1, peers: -gone.swarm.count)
    }
  }

  func removeAll() {
    for shard in shards {
      shard.withLock { shard in
        count(torrents: -shard.torrents.count, peers: -shard.torrents.values.reduce(0) { $0 + $1.swarm.count })
        shard.removeAll()
      }
    }
    evicted.store(0, ordering: .relaxed)
  }

  /// A torrent as it is now, its expired peers left out.
  func torrent(_ hash: InfoHash, at now: Int64) -> Torrent? {
    shard(of: hash).withLock { shard in
      shard.change(hash) { torrent, _ in
        count(peers: -torrent.swarm.expire(at: now))
        return torrent
      }
    }
  }

  /// Its numbers alone, which hold no list of peers.
  func summary(_ hash: InfoHash, at now: Int64) -> Summary? {
    shard(of: hash).withLock { shard in
      shard.change(hash) { torrent, _ in
        count(peers: -torrent.swarm.expire(at: now))
        return Summary(hash, torrent)
      }
    }
  }

  func standing(_ hash: InfoHash) -> Standing? { shard(of: hash).withLock { $0.torrents[hash]?.standing } }

  // MARK: What peers say

  /// Why an announce is not taken.
  enum Refusal: Error {
    case standing(Standing)
    case noRoom
  }

  /// Takes in what a peer says and chooses whom it is told of, in one look.
  /// - Parameters:
  ///   - now: whose time is over then is gone.
  ///   - accepts: the torrents that are tracked. One that nobody knows is made where unlisted ones are.
  func announce(
    _ announcement: Announcement, of hash: InfoHash, at now: Int64, accepts: (Standing) -> Bool
  ) throws(Refusal) -> Outcome {
    let counts = counts
    if counts.peers >= limits.peers, !announcement.isStopped { forgetPeers(sparing: hash) }
    // To make room means to look into other shards, so not while this one is locked.
    if counts.torrents >= limits.torrents, !announcement.isStopped, standing(hash) == nil, accepts(.unlisted) {
      guard forgetTorrent() else { throw .noRoom }
    }
    // Where no other torrent has peers to forget, who is new gets no place.
    let room = self.counts.peers < limits.peers ? limits.peersPerTorrent : 0
    let keepsProgress = keepsProgress || counts.peers < limits.progress
    return try shard(of: hash).withLock { shard throws(Refusal) in
      func take(_ torrent: inout Torrent, _ random: inout SeededGenerator) throws(Refusal) -> Outcome {
        guard accepts(torrent.standing) else { throw .standing(torrent.standing) }
        let before = torrent.swarm.count
        let outcome = torrent.swarm.take(
          announcement, at: now, room: room, keepsProgress: keepsProgress, using: &random)
        count(peers: torrent.swarm.count - before)
        return outcome
      }
      var outcome = try shard.change(hash, take)
      if outcome == nil {
        guard accepts(.unlisted) else { throw .standing(.unlisted) }
        if announcement.isStopped { return .nobody }
        shard.add(hash, Torrent(swarm: Swarm(salt: salt)))
        count(torrents: 1)
        outcome = try shard.change(hash, take)
      }
      guard let outcome else { throw .noRoom }
      if outcome.hasCompleted { shard.unwritten.insert(hash) }
      return outcome
    }
  }

  // MARK: Upkeep

  /// Lets go of peers whose time is over, and of torrents that nobody has registered or announces.
  func expire(at now: Int64) {
    for shard in shards {
      shard.withLock { shard in
        var peers = 0
        var idle: [InfoHash] = []
        shard.changeAll { hash, torrent in
          peers += torrent.swarm.expire(at: now)
          if torrent.standing == .unlisted, torrent.swarm.isEmpty, torrent.swarm.downloads == 0 { idle.append(hash) }
        }
        for hash in idle { shard.remove(hash) }
        count(torrents: -idle.count, peers: -peers)
      }
    }
  }

  /// All shards, each time from another on.
  private func shardsInTurn() -> [Int] {
    let start = shards[0].withLock { Int.random(in: 0..<shards.count, using: &$0.random) }
    return Array(start..<shards.count) + Array(0..<start)
  }

  /// Forgets the peers of torrents that were quiet longest among a few, until there is some room: to look for them is not for every
  /// announce.
  private func forgetPeers(sparing hash: InfoHash) {
    let goal = limits.peers - limits.peers / 100 - 1
    for place in shardsInTurn() {
      shards[place].withLock { shard in
        for coldest in shard.coldest(16, where: { $0 != hash && !$1.swarm.isEmpty }) where counts.peers > goal {
          shard.change(coldest) { torrent, _ in
            count(peers: -torrent.swarm.count, evicted: 1)
            let downloads = torrent.swarm.downloads
            torrent.swarm = Swarm(salt: salt)
            torrent.swarm.downloads = downloads
          }
        }
      }
      if counts.peers <= goal { return }
    }
  }

  /// Forgets the unlisted torrent that was quiet longest among a few, so that torrents which somebody made up can't keep out all
  /// others.
  /// - Returns: false where all are the operator's.
  private func forgetTorrent() -> Bool {
    for place in shardsInTurn() {
      let gone = shards[place].withLock { shard -> Torrent? in
        guard shard.unlisted > 0, let coldest = shard.coldest(1, where: { $1.standing == .unlisted }).first else {
          return nil
        }
        shard.unwritten.remove(coldest)
        if (shard.torrents[coldest]?.swarm.downloads ?? 0) > 0 { shard.noteForgotten(coldest) }
        return shard.remove(coldest)
      }
      guard let gone else { continue }
      count(torrents: -1, peers: -gone.swarm.count, evicted: 1)
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
          Summary(hash, torrent)
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

extension SwarmStore.Summary {
  fileprivate init(_ hash: InfoHash, _ torrent: SwarmStore.Torrent) {
    self.init(
      hash: hash, standing: torrent.standing, seeders: torrent.swarm.seeders, leechers: torrent.swarm.leechers,
      downloads: torrent.swarm.downloads)
  }
}
