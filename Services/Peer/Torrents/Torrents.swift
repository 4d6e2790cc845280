import EventLoop
import Logging
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
  var claims = Claims()
  /// Of those that were removed, while trackers are told of it.
  private var farewells: [InfoHash: Pending] = [:]

  enum Failure: Error, Equatable {
    case exists, tooMany, noSuchTorrent
    /// Another torrent's files lie at the same place.
    case samePlace(String)
    /// The file is a torrent's.
    case hasFile(InfoHash)
    /// A torrent is being made of the file.
    case isMaking(String)
    /// The file is being deleted.
    case isLeaving(String)
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
  func load(_ records: [StoredTorrent]) {
    for stored in records {
      let torrent = Torrent(stored.record, around, info: stored.info)
      torrents[stored.record.hash] = torrent
      torrent.assumeIsolated { $0.lastSeen = stored.lastSeen }
      if let words = stored.fault { torrent.assumeIsolated { $0.state = .failed(words) } }
      enter(torrent)
    }
  }

  /// A new one; it is written down before it begins.
  ///
  /// - Parameter info: what its info dictionary says, where that was read already.
  func add(_ record: TorrentRecord, info: TorrentInfo? = nil) async throws -> Torrent {
    guard torrents[record.hash] == nil, leaving[record.hash] == nil else { throw Failure.exists }
    guard torrents.count < around.limits.torrents else { throw Failure.tooMany }
    let torrent = Torrent(record, around, info: try info ?? record.readInfo())
    if record.info != nil, let name = record.name, isTaken(name, besides: record.hash) {
      throw claims.leaving.contains(name) ? Failure.isLeaving(name) : .samePlace(name)
    }
    torrents[record.hash] = torrent
    do {
      try await around.store.add(record)
    } catch {
      torrents[record.hash] = nil
      throw error
    }
    // It may have been removed meanwhile.
    guard torrents[record.hash] === torrent else { throw Failure.noSuchTorrent }
    around.log.info("a torrent is added", metadata: ["torrent": "\(record.hash)", "name": "\(record.name ?? "")"])
    around.events.publish(.added(record.hash))
    enter(torrent)
    return torrent
  }

  /// Whether another torrent's file or folder has this name, or what has it is being deleted.
  func isTaken(_ name: String, besides hash: InfoHash) -> Bool {
    if claims.leaving.contains(name) { return true }
    return [torrents, leaving].joined().contains { other, torrent in
      other != hash && torrent.assumeIsolated { $0.info?.name == name }
    }
  }

  /// Which torrent has its file or folder at each name, those that are being removed included.
  var owners: [String: InfoHash] {
    var owners: [String: InfoHash] = [:]
    for (hash, torrent) in [torrents, leaving].joined() {
      if let name = torrent.assumeIsolated({ $0.info?.name }) { owners[name] = hash }
    }
    return owners
  }

  private func enter(_ torrent: Torrent) {
    let (door, farewell) = (door, farewells[torrent.infoHash])
    torrent.assumeIsolated { torrent in
      torrent.door = door
      if let farewell { torrent.farewell = farewell }
      if case .failed = torrent.state { return }
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
    await torrent.remove()
    do {
      try await around.store.remove(hash)
    } catch {
      takeBack(torrent)
      throw error
    }
    letSayFarewell(torrent)
    around.log.info("a torrent is removed", metadata: ["torrent": "\(hash)", "data": "\(withData)"])
    around.events.publish(.removed(hash))
    if withData, let files = await torrent.ownFiles {
      try await torrent.onThread(of: around.checks) { try files.remove() }
    }
  }

  private func takeBack(_ torrent: Torrent) {
    torrent.assumeIsolated { torrent in
      torrent.isRemoved = false
      // It is nobody's word that begins it again.
      torrent.warning = nil
    }
    torrents[torrent.infoHash] = torrent
    enter(torrent)
  }

  /// Nobody who removes a torrent waits for its trackers.
  private func letSayFarewell(_ torrent: Torrent) {
    let (hash, farewell) = (torrent.infoHash, torrent.assumeIsolated { $0.farewell })
    guard !farewell.isEmpty else { return }
    farewells[hash] = farewell
    loop.spawn {
      await farewell.wait()
      await self.forget(farewell, of: hash)
    }
  }

  private func forget(_ farewell: Pending, of hash: InfoHash) {
    if farewells[hash] === farewell, farewell.isEmpty { farewells[hash] = nil }
  }

  private func takeOut(_ hash: InfoHash, _ demand: @Sendable (TorrentRecord) throws -> Void) throws -> Torrent {
    guard let torrent = torrents[hash] else { throw Failure.noSuchTorrent }
    try torrent.assumeIsolated { try demand($0.record) }
    torrent.assumeIsolated { $0.isRemoved = true }
    torrents[hash] = nil
    leaving[hash] = torrent
    return torrent
  }

  /// All of them side by side.
  /// - Throws: the first error, after all else is removed.
  func removeAll() async throws {
    var failure: (any Error)?
    // One that comes meanwhile goes too.
    while failure == nil, !torrents.isEmpty {
      await withTaskGroup(of: (any Error)?.self) { group in
        for hash in torrents.keys { group.addTask { await self.failure(ofRemoving: hash) } }
        for await one in group { failure = failure ?? one }
      }
    }
    if let failure { throw failure }
    around.events.publish(.reset)
  }

  private func failure(ofRemoving hash: InfoHash) async -> (any Error)? {
    do {
      try await remove(hash, withData: true)
    } catch Failure.noSuchTorrent {
      // Somebody else is removing it.
    } catch {
      return error
    }
    return nil
  }

  /// All of them stop, but go on with the next start, which believes what is written down of their files now. The trackers hear of it.
  func stop() async {
    var seen: [InfoHash: LastSeen] = [:]
    await withTaskGroup(of: (InfoHash, LastSeen?).self) { group in
      for torrent in torrents.values {
        group.addTask {
          await torrent.stop()
          return (torrent.infoHash, await torrent.see())
        }
      }
      for await (hash, one) in group { seen[hash] = one }
    }
    do {
      try await around.store.put(seen)
    } catch {
      around.log.error("the next start has to look at all files", metadata: ["reason": "\(error)"])
    }
    await withTaskGroup(of: Void.self) { group in
      for farewell in farewells.values { group.addTask { await farewell.wait() } }
      for torrent in torrents.values { group.addTask { await torrent.farewell.wait() } }
    }
  }
}

extension Torrents.Failure: CustomStringConvertible {
  var description: String {
    switch self {
    case .exists:
      "It is here already, or is being removed. More trackers and peers are given to it at its own trackers and peers."
    case .tooMany: "There are as many torrents as this peer takes: remove one first."
    case .noSuchTorrent: "It was removed meanwhile."
    case .samePlace(let name): "Another torrent has its files at \(name) in the download folder: remove it first."
    case .hasFile(let hash):
      "Torrent \(hash) has its file there: remove the torrent, with its data or without, first."
    case .isMaking(let name): "A torrent is being made of \(name): wait for the job to end."
    case .isLeaving(let name): "\(name) is being deleted from the download folder: try it again."
    }
  }
}
