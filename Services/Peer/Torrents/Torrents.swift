import EventLoop
import Octets
import ServiceKit
import TorrentWire

/// The torrents of this peer.
actor Torrents {
  nonisolated let loop: EventLoop
  nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe loop.asUnownedSerialExecutor() }
  private var torrents: [InfoHash: Torrent] = [:]
  /// Those that are being removed: until they are gone, neither they nor others at their place come anew.
  private var leaving: [InfoHash: Torrent] = [:]
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
  ///
  /// - Parameter info: what its info dictionary says, where that was read already.
  func add(_ record: TorrentRecord, info: TorrentInfo? = nil) async throws -> Torrent {
    guard torrents[record.hash] == nil, leaving[record.hash] == nil else { throw Failure.exists }
    guard torrents.count < around.limits.torrents else { throw Failure.tooMany }
    let torrent = try Torrent(record, around, info: info)
    if record.info != nil, let name = record.name, isTaken(name, besides: record.hash) { throw Failure.samePlace(name) }
    torrents[record.hash] = torrent
    do {
      try await around.store.put(record)
    } catch {
      torrents[record.hash] = nil
      throw error
    }
    // It may have been removed meanwhile.
    guard torrents[record.hash] === torrent else { throw Failure.noSuchTorrent }
    around.events.publish(.added(record.hash))
    enter(torrent)
    return torrent
  }

  /// Whether another torrent's file or folder has this name.
  func isTaken(_ name: String, besides hash: InfoHash) -> Bool {
    [torrents, leaving].joined().contains { other, torrent in
      other != hash && torrent.assumeIsolated { $0.info?.name == name }
    }
  }

  private func enter(_ torrent: Torrent) {
    let door = door
    torrent.assumeIsolated { torrent in
      torrent.door = door
      if !torrent.record.isPaused { torrent.start() }
    }
  }

  /// - Parameters:
  ///   - withData: the files go too.
  ///   - demand: throws where the torrent is not as the caller believes.
  func remove(
    _ hash: InfoHash, withData: Bool, demand: @Sendable (TorrentRecord) throws -> Void = { _ in }
  ) async throws {
    let torrent = try takeOut(hash, demand)
    defer { leaving[hash] = nil }
    await torrent.stop()
    do {
      try await around.store.remove(hash)
    } catch {
      torrents[hash] = torrent
      enter(torrent)
      throw error
    }
    around.events.publish(.removed(hash))
    if withData, let files = await torrent.files { try await around.disk.run { try files.remove() } }
  }

  private func takeOut(_ hash: InfoHash, _ demand: @Sendable (TorrentRecord) throws -> Void) throws -> Torrent {
    guard let torrent = torrents[hash] else { throw Failure.noSuchTorrent }
    try torrent.assumeIsolated { try demand($0.record) }
    torrents[hash] = nil
    leaving[hash] = torrent
    return torrent
  }

  func removeAll() async throws {
    // One that comes meanwhile goes too.
    while let hash = torrents.keys.first {
      // Somebody else may be removing it.
      do { try await remove(hash, withData: true) } catch Failure.noSuchTorrent {}
    }
    around.events.publish(.reset)
  }

  /// All of them stop, but go on with the next start.
  func stop() async {
    await withTaskGroup(of: Void.self) { group in
      for torrent in torrents.values { group.addTask { await torrent.stop() } }
    }
  }
}

extension Torrents.Failure: CustomStringConvertible {
  var description: String {
    switch self {
    case .exists: "It is here already, or is being removed."
    case .tooMany: "There are as many torrents as this peer takes: remove one first."
    case .noSuchTorrent: "It was removed meanwhile."
    case .samePlace(let name): "Another torrent has its files at \(name) in the download folder: remove it first."
    }
  }
}
