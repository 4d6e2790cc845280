import ArgumentParser
import EventLoop
import HTTPServer
import Logging
import Octets
import SQL
import ServiceKit
import TorrentWire

/// A BitTorrent peer: downloads and seeds what it is told to by REST.
@main struct PeerCommand: ServiceCommand {
  static let configuration = CommandConfiguration(
    commandName: "utopia-peer", abstract: "A BitTorrent peer, driven by REST.", version: Release.version)

  @OptionGroup var common: ServiceOptions

  @Option(help: .endpoint("Address and port for other peers; repeatable. Port 0 takes a free one."))
  var bittorrent: [SocketAddress] = []

  @Option(help: "Folder for what is downloaded and shared; by default `downloads` in the data directory.")
  var downloads: String?

  @Option(help: "Octets a second to other peers, all torrents together; 0 is no bound.")
  var uploadLimit: Int?

  @Option(help: "Octets a second from other peers and web seeds, all torrents together; 0 is no bound.")
  var downloadLimit: Int?

  @Option(help: "Peers that are given something at a time, for each torrent (BEP 3).")
  var uploadSlots = PeerLimits().uploadSlots

  @Flag(help: "Give nothing to anybody: for experiments on what becomes of peers that do.")
  var freeRider = false

  @Flag(help: "Pause each torrent when all of it is here, as people do who close their client.")
  var leaveOnComplete = false

  func check() throws {
    guard 1...100 ~= uploadSlots else { throw ValidationError("--upload-slots must be 1 to 100") }
    for (name, limit) in [("--upload-limit", uploadLimit), ("--download-limit", downloadLimit)] {
      guard let limit, limit != 0 else { continue }
      guard PeerAPI.rates ~= limit else {
        throw ValidationError("\(name) must be 0 or \(PeerAPI.rates.lowerBound) to \(PeerAPI.rates.upperBound)")
      }
    }
  }

  func run() throws {
    let command = self
    try Service.run("peer", common) { try await command.start($0) }
  }

  private func start(_ service: Service) async throws {
    let directory = try service.dataDirectory()
    let path = directory.file("peer.sqlite")
    let folder = downloads ?? directory.file("downloads")
    let store = try await service.pool.run {
      try DurableFile.makeDirectory(folder)
      return try PeerStore(path: path)
    }
    let log = service.log
    let records = try await service.pool.run {
      // One that can't be read keeps no other from beginning.
      let records = try store.load { log.error("a torrent's record can't be read", metadata: ["reason": "\($0)"]) }
      try FileUpload.removeDrafts(in: folder, besides: Set(records.compactMap(\.name)))
      return records
    }
    let lastSeen: [InfoHash: LastSeen]
    do {
      lastSeen = try await store.takeLastSeen()
    } catch {
      // On a full disk too the rest can be given.
      log.error("all files have to be looked at", metadata: ["reason": "\(error)"])
      lastSeen = [:]
    }
    // Of a hundred thousand files an info dictionary takes long to read.
    let stored = try await service.pool.run { records.map { StoredTorrent($0, lastSeen[$0.hash]) } }
    let kept = try await service.pool.run { try store.loadLimits() }
    var limits = PeerLimits()
    limits.uploadSlots = uploadSlots
    limits.fit(descriptors: DescriptorLimit.raise())
    let loop = service.loop
    let door = Door(limits: limits, metrics: service.metrics, on: loop)
    let listening = try bittorrent.map { try door.listen(on: $0) }
    let source = listening.map(\.ip).first { !$0.isUnspecified }
    let events = EventHub<PeerEvent> { if case .reset = $0 { true } else { false } }
    var chance = service.chance
    let resolver = SystemResolver().resolver
    let around = Surroundings(
      loop: loop, folder: folder, disk: BlockingPool(threads: 4, queueLimit: 4096),
      checks: BlockingPool(threads: 2, queueLimit: 4096), making: BlockingPool(threads: 2), client: service.client,
      trackers: TrackerClient(
        http: HTTPTrackerClient(service.client, from: source),
        udp: UDPTrackerClient(on: loop, from: source, resolver: resolver, chance: service.chance)),
      clock: service.clock, chance: service.chance, log: service.log, events: events, store: store, limits: limits,
      cache: ChunkCache(octets: limits.uploadCache), openFiles: OpenFiles(limit: limits.openFiles),
      pieceMemory: PieceMemory(limit: limits.pieceMemory),
      peerID: try Self.peerID(using: &chance), key: (0..<4).map { _ in UInt8.random(in: 0...255, using: &chance) },
      source: source, listening: listening,
      upload: RateLimiter(rate: Self.bound(uploadLimit, kept?.upload), on: loop),
      download: RateLimiter(rate: Self.bound(downloadLimit, kept?.download), on: loop), isFreeRider: freeRider,
      leavesOnComplete: leaveOnComplete)
    let torrents = Torrents(around)
    await torrents.open(door)
    door.open(to: torrents)
    for address in listening { service.log.info("listening", metadata: ["bittorrent": "\(address)"]) }
    await torrents.load(stored)

    let access = service.access
    let jobs = Jobs()
    PeerAPI(torrents: torrents, jobs: jobs, around: around, requireAdmin: { try access.requireAdmin($0) })
      .addRoutes(to: service.router)
    service.allowContent(upTo: Int(PeerLimits.file))
    service.onReady("database") { try await store.database.probe() }
    let ownFolder = downloads == nil ? folder : nil
    service.onReset {
      jobs.reset()
      try await torrents.removeAll()
      try await torrents.setLimits(upload: uploadLimit ?? 0, download: downloadLimit ?? 0)
      // What was put there and never shared goes too, where the folder is this service's own.
      if let ownFolder { try await service.pool.run { try Folder(ownFolder).removeFiles() } }
    }
    service.onBackup { try await store.database.backup(to: $0 + "/peer.sqlite") }
    service.onDrain {
      jobs.reset()
      await torrents.stop()
      await door.close()
    }
    service.onClose { _ = try? await service.pool.run { store.database.close() } }
  }

  /// What a flag says holds; without one, what was said by REST before.
  private static func bound(_ flag: Int?, _ kept: Int?) -> Int? {
    guard let flag else { return kept }
    return flag == 0 ? nil : flag
  }

  /// In the manner of BEP 20: two letters, four digits, and what nobody else has.
  private static func peerID(using chance: inout Chance) throws -> PeerID {
    let letters = Array("0123456789abcdefghijklmnopqrstuvwxyz".utf8)
    let octets = Array("-NU0100-".utf8) + (0..<12).map { _ in letters.randomElement(using: &chance) ?? 0x30 }
    guard let id = PeerID(octets) else { throw SecretsError.failed }
    return id
  }
}
