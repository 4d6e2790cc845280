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
      }
    }
    totals.withLock { $0 = Totals() }
  }

  /// A torrent as it is now, its expired peers left out.
  func torrent(_ hash: InfoHash, expired time: Int64) -> Torrent? {
    change(hash, makes: false) { torrent, _ in
      let gone = torrent.swarm.expire(before: time)
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
    var chosen: [Member]
    /// For what is to differ from announce to announce.
    var random: UInt64
  }

  /// Takes in what a peer says and chooses whom it is told of, in one look.
  /// - Parameters:
  ///   - isStopped: it goes: it is no member any more, and told of nobody.
  ///   - expired: who was not heard of since then is gone.
  ///   - makes: whether a torrent that nobody knows is taken in.
  /// - Returns: nil where the torrent is not known.
  func announce(
    _ member: Member, of hash: InfoHash, isStopped: Bool, hasCompleted: Bool, wanted: Int, families: [Bool],
    expired: Int64,
    makes: Bool
  ) -> Outcome? {
    if counts.peers >= limits.peers { makeRoom(sparing: hash) }
    return change(hash, makes: makes && counts.torrents < limits.torrents) { torrent, shard in
      var swarm = Swarm()
      swap(&swarm, &torrent.swarm)
      defer { swap(&swarm, &torrent.swarm) }
      let count = swarm.count
      _ = swarm.expire(before: expired)
      let downloads = swarm.downloads
      let before: Member?
      if isStopped {
        before = swarm.remove(member.address)
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
          random: shard.random.next()),
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

  /// Lets go of peers that were not heard of since `time`, and of torrents that nobody has registered or announces.
  func expire(before time: Int64) {
    for shard in shards {
      let gone = shard.withLock { shard in
        var gone = (torrents: 0, peers: 0)
        for hash in Array(shard.torrents.keys) {
          guard var torrent = shard.torrents.removeValue(forKey: hash) else { continue }
          gone.peers += torrent.swarm.expire(before: time)
          if torrent.standing == .unlisted, torrent.swarm.isEmpty, torrent.swarm.downloads == 0 {
            gone.torrents += 1
          } else {
            shard.torrents[hash] = torrent
          }
        }
        return gone
      }
      totals.withLock { totals in
        totals.torrents -= gone.torrents
        totals.peers -= gone.peers
      }
    }
  }

  /// Forgets the peers of the torrents that were quiet longest among a few.
  private func makeRoom(sparing hash: InfoHash) {
    let start = Int(truncatingIfNeeded: hash.prefix)
    for step in 1...shards.count {
      let gone = shards[(start &+ step) & (shards.count - 1)].withLock { shard -> (peers: Int, isForgotten: Bool)? in
        var coldest: (hash: InfoHash, touched: Int64)?
        for (other, torrent) in shard.torrents.prefix(64) where !torrent.swarm.isEmpty && other != hash {
          if torrent.swarm.touched < coldest?.touched ?? .max { coldest = (other, torrent.swarm.touched) }
        }
        guard let coldest, var torrent = shard.torrents.removeValue(forKey: coldest.hash) else { return nil }
        let peers = torrent.swarm.count
        if torrent.standing == .unlisted, torrent.swarm.downloads == 0 { return (peers, true) }
        let downloads = torrent.swarm.downloads
        torrent.swarm = Swarm()
        torrent.swarm.downloads = downloads
        shard.torrents[coldest.hash] = torrent
        return (peers, false)
      }
      guard let gone else { continue }
      return totals.withLock { totals in
        totals.peers -= gone.peers
        totals.torrents -= gone.isForgotten ? 1 : 0
        totals.evicted += 1
      }
    }
  }

  /// The downloads that were not written down since the last call.
  func takeUnwritten() -> [(hash: InfoHash, downloads: Int)] {
    shards.flatMap { shard in
      shard.withLock { shard in
        defer { shard.unwritten = [] }
        return shard.unwritten.map { ($0, shard.torrents[$0]?.swarm.downloads ?? 0) }
      }
    }
  }

  /// Those could not be written down.
  func markUnwritten(_ hashes: [InfoHash]) {
    for hash in hashes {
      shard(of: hash).withLock { shard in
        if shard.torrents[hash] != nil { shard.unwritten.insert(hash) }
      }
    }
  }

  /// Every torrent's hash and numbers, in no order.
  func summaries(expired time: Int64) -> [Summary] {
    expire(before: time)
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
