import EventLoop
import Octets
import ServiceKit
import TorrentWire

/// The torrents of this peer.
actor Torrents {
  nonisolated let loop: EventLoop
  nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe loop.asUnownedSerialExecutor() }
  private var torrents: [InfoHash: Torrent] = [:]
  let around: Surroundings
  private var door: Door?

  enum Failure: Error, Equatable {
    case exists, tooMany, noSuchTorrent
    /// Another torrent's files lie at the same place.
    case samePlace(String)
  }

  init(_ around: Surroundings) {
    self.around = around
    loop = around.loop
  }

  subscript(_ hash: InfoHash) -> Torrent? { torrents[hash] }

  /// Sorted by their hashes.
  var all: [Torrent] { torrents.values.sorted { $0.infoHash < $1.infoHash } }

  func open(_ door: Door) { self.door = door }

  /// Those of an earlier run.
  func load(_ records: [TorrentRecord]) throws {
    for record in records {
      let torrent = try Torrent(record, around)
      torrents[record.hash] = torrent
      enter(torrent)
    }
  }

  /// A new one; it is written down before it begins.
  func add(_ record: TorrentRecord) async throws -> Torrent {
    guard torrents[record.hash] == nil else { throw Failure.exists }
    guard torrents.count < around.limits.torrents else { throw Failure.tooMany }
    let torrent = try Torrent(record, around)
    if record.info != nil, let name = record.name, isTaken(name, besides: record.hash) { throw Failure.samePlace(name) }
    torrents[record.hash] = torrent
    do {
      try await around.store.put(record)
    } catch {
      torrents[record.hash] = nil
      throw error
    }
    around.events.publish(.added(record.hash))
    enter(torrent)
    return torrent
  }

  /// Whether another torrent's file or folder has this name.
  func isTaken(_ name: String, besides hash: InfoHash) -> Bool {
    torrents.contains { other, torrent in other != hash && torrent.assumeIsolated { $0.info?.name == name } }
  }

  private func enter(_ torrent: Torrent) {
    let door = door
    torrent.assumeIsolated { torrent in
      torrent.door = door
      if !torrent.record.isPaused { torrent.start() }
    }
  }

  /// - Parameter withData: the files go too.
  func remove(_ hash: InfoHash, withData: Bool) async throws {
    guard let torrent = torrents.removeValue(forKey: hash) else { throw Failure.noSuchTorrent }
    await torrent.stop()
    try await around.store.remove(hash)
    around.events.publish(.removed(hash))
    if withData, let files = await torrent.files { try await around.disk.run { try files.remove() } }
  }

  func removeAll() async throws {
    for hash in torrents.keys { try await remove(hash, withData: true) }
    around.events.publish(.reset)
  }

  /// All of them stop, but go on with the next start.
  func stop() async {
    await withTaskGroup(of: Void.self) { group in
      for torrent in torrents.values { group.addTask { await torrent.stop() } }
    }
  }
}
