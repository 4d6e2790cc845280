import Octets
import TorrentWire

/// The torrents whose hashes begin alike, and what is still to be written down of them.
struct SwarmShard: Sendable {
  private(set) var torrents: [InfoHash: SwarmStore.Torrent] = [:]
  var random: SeededGenerator
  /// Torrents whose downloads were not written down yet.
  var unwritten: Set<InfoHash> = []
  /// Torrents that made room for others, and were written down once.
  var forgotten: Set<InfoHash> = []
  /// How many nobody has registered or denied: without any, nobody has to look for one that may make room.
  private(set) var unlisted = 0

  init(random: SeededGenerator) { self.random = random }

  mutating func add(_ hash: InfoHash, _ torrent: SwarmStore.Torrent) {
    remove(hash)
    torrents[hash] = torrent
    if torrent.standing == .unlisted { unlisted += 1 }
  }

  @discardableResult
  mutating func remove(_ hash: InfoHash) -> SwarmStore.Torrent? {
    let gone = torrents.removeValue(forKey: hash)
    if gone?.standing == .unlisted { unlisted -= 1 }
    return gone
  }

  mutating func removeAll() { self = SwarmShard(random: random) }

  /// Of one that is known.
  mutating func set(_ standing: SwarmStore.Standing, of hash: InfoHash) {
    var before = standing
    change(hash) { torrent, _ in swap(&torrent.standing, &before) }
    unlisted += (standing == .unlisted ? 1 : 0) - (before == .unlisted ? 1 : 0)
  }

  /// Changes a torrent where it lies: a copy of it would hold all of its peers.
  /// - Returns: nil where it is not known.
  @discardableResult
  mutating func change<Value, Failure: Error>(
    _ hash: InfoHash, _ body: (inout SwarmStore.Torrent, inout SeededGenerator) throws(Failure) -> Value
  ) throws(Failure) -> Value? {
    guard let place = torrents.index(forKey: hash) else { return nil }
    return try body(&torrents.values[place], &random)
  }

  mutating func changeAll(_ body: (InfoHash, inout SwarmStore.Torrent) -> Void) {
    var index = torrents.startIndex
    while index != torrents.endIndex {
      body(torrents.keys[index], &torrents.values[index])
      torrents.formIndex(after: &index)
    }
  }

  /// Of a few that may go, those that were quiet longest.
  func coldest(_ count: Int, where mayGo: (InfoHash, SwarmStore.Torrent) -> Bool) -> [InfoHash] {
    var found: [(hash: InfoHash, touched: UInt32)] = []
    for (hash, torrent) in torrents where mayGo(hash, torrent) {
      found.append((hash, torrent.swarm.touched))
      if found.count == Self.looks { break }
    }
    return found.sorted { $0.touched < $1.touched }.prefix(count).map(\.hash)
  }

  private static let looks = 64

  /// As long as nothing can be written they are not remembered without end: those beyond come back with a restart, and make room again.
  mutating func noteForgotten(_ hash: InfoHash) {
    if forgotten.count < 4096 { forgotten.insert(hash) }
  }
}
