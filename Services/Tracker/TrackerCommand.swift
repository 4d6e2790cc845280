import ArgumentParser
import EventLoop
import HTTPServer
import Logging
import Octets
import SQL
import ServiceKit

/// A BitTorrent tracker: peers announce themselves by HTTP and UDP and are told of each other.
@main struct TrackerCommand: ServiceCommand {
  static let configuration = CommandConfiguration(
    commandName: "utopia-tracker", abstract: "A BitTorrent tracker by HTTP and UDP, administered by REST.",
    version: Release.version)

  @OptionGroup var common: ServiceOptions

  @Option(help: .endpoint("Address and port for announces by HTTP; repeatable. Port 0 takes a free one."))
  var http: [SocketAddress] = []

  @Option(help: .endpoint("Address and port for announces by UDP; repeatable."))
  var udp: [SocketAddress] = []

  @Option(
    help:
      "open: every torrent is tracked but the denied ones; listed: the registered ones alone; private: those, for whoever has a key in the announce URL."
  )
  var mode = TrackerSettings.Mode.open

  @Option(help: "Seconds between two announces of a peer.")
  var interval = TrackerLimits().interval

  @Option(help: "Announces a second of an address; more may come at once for a while.")
  var announcesPerAddress = TrackerLimits().announcesPerAddress

  @Option(
    help:
      "Torrents that are known; beyond, one that nobody registered and that was quiet long makes room. Registered ones are always taken."
  )
  var mostTorrents = TrackerLimits().torrents

  @Option(
    help: "Peers of all torrents, of 45 to 200 octets each; beyond, those of torrents that were quiet long make room.")
  var mostPeers = TrackerLimits().peers

  @Flag(help: "Believe the address that a peer claims with ip=, instead of the one it comes from.")
  var believeClaims = false

  @Option(
    help: ArgumentHelp(
      "A proxy's address or network, whose X-Forwarded-For is believed: by all of --http, or by the one named behind an @; repeatable.",
      valueName: "address[/bits][@address:port]"))
  var proxy: [TrustedProxy] = []

  func check() throws {
    guard 10...86_400 ~= interval else { throw ValidationError("--interval must be 10 to 86400") }
    guard 1...10_000_000 ~= announcesPerAddress else {
      throw ValidationError("--announces-per-address must be 1 to 10000000")
    }
    for (name, most) in [("--most-torrents", mostTorrents), ("--most-peers", mostPeers)] {
      guard 1...100_000_000 ~= most else { throw ValidationError("\(name) must be 1 to 100000000") }
    }
    for listener in proxy.compactMap(\.listener) where !http.contains(listener) {
      throw ValidationError("--proxy names \(listener), which is none of --http")
    }
  }

  func run() throws {
    let (http, udp, proxies) = (http, udp, proxy)
    var settings = TrackerSettings(mode: mode, believesClaims: believeClaims)
    settings.limits.interval = interval
    (settings.limits.torrents, settings.limits.peers) = (mostTorrents, mostPeers)
    settings.limits.announceBurst = max(settings.limits.announceBurst, announcesPerAddress)
    settings.limits.announcesPerAddress = announcesPerAddress
    try Service.run("tracker", common) { [settings] service in
      let path = try service.dataDirectory().file("tracker.sqlite")
      let kept = try await service.pool.run { try TrackerStore(path: path) }
      var random = service.chance
      let swarms = SwarmStore(limits: settings.limits, keepsProgress: settings.mode == .private, using: &random)
      for record in try await service.pool.run({ try kept.load() }) {
        swarms.set(record.hash, record.standing, downloads: record.downloads)
      }
      let accounts = Accounts()
      for user in try await service.pool.run({ try kept.loadUsers() }) { accounts.add(user: user.id, user.amounts) }
      for key in try await service.pool.run({ try kept.loadKeys() }) { accounts.set(key.digest, key.key) }
      let clock = service.clock
      let events = EventHub<TrackerEvent> { if case .reset = $0 { true } else { false } }
      let announcer = Announcer(
        store: swarms, accounts: accounts, events: events, settings: settings,
        counters: TrackerCounters(service.metrics),
        chance: service.chance,
        now: { clock.now.seconds })
      try await listen(http, udp, behind: proxies, announcer, service)

      let upkeep = Upkeep(
        swarms, accounts, kept, clock: clock, limits: settings.limits, log: service.log, on: service.loop)
      await upkeep.start()
      let access = service.access
      TrackerAPI(
        swarms: swarms, accounts: accounts, store: kept, events: events, settings: settings, clock: clock,
        pool: service.pool, upkeep: upkeep,
        requireAdmin: { try access.requireAdmin($0) }
      ).addRoutes(to: service.router)
      service.metrics.gauge("tracker_torrents", help: "Torrents that are known.") { Double(swarms.counts.torrents) }
      service.metrics.gauge("tracker_peers", help: "Peers of all torrents.") { Double(swarms.counts.peers) }
      service.metrics.counter("tracker_evicted_total", help: "Torrents whose peers were forgotten to make room.") {
        swarms.counts.evicted
      }
      service.onReady("database") { try await kept.database.probe() }
      service.onReset {
        try await upkeep.exclusively {
          try await kept.reset()
          swarms.removeAll()
          accounts.removeAll()
          events.publish(.reset)
        }
      }
      service.onBackup { directory in
        await upkeep.flush()
        try await kept.database.backup(to: directory + "/tracker.sqlite")
      }
      service.onDrain { await upkeep.stop() }
      service.onClose { _ = try? await service.pool.run { kept.database.close() } }
    }
  }

  /// Announces have listeners of their own: whoever may announce need not see the REST API.
  private func listen(
    _ http: [SocketAddress], _ udp: [SocketAddress], behind proxies: [TrustedProxy], _ announcer: Announcer,
    _ service: Service
  ) async throws {
    var configuration = HTTPServer.Configuration()
    let (clock, log) = (service.clock, service.log)
    configuration.clock = { clock.now.seconds }
    configuration.onError = { log.error("an announce failed: \($0)") }
    for address in http {
      let router = Router()
      let before = proxies.filter { $0.listener ?? address == address }.map(\.network)
      HTTPAnnounce(announcer: announcer, proxies: before).addRoutes(to: router)
      let server = HTTPServer(router: router, configuration: configuration)
      let bound = try server.listen(on: address, loops: service.loops)
      log.info("listening", metadata: ["announce": "http://\(bound)/announce"])
      service.onDrain { await server.drain(within: .seconds(6), on: service.loop) }
    }

    if http.isEmpty, udp.isEmpty {
      log.warning("neither --http nor --udp ADDRESS:PORT is given, so nobody can announce")
    }
    let connections = try ConnectionIDs()
    let doors = service.loops.map { UDPAnnounce(announcer, connections, on: $0) }
    for address in udp {
      var bound = address
      for (index, door) in doors.enumerated() {
        bound = try await door.bind(bound, sharesPort: doors.count > 1, isSibling: index > 0)
      }
      log.info("listening", metadata: ["announce": "udp://\(bound)/announce"])
    }
    service.onDrain { for door in doors { await door.close() } }
  }
}

extension TrackerSettings.Mode: ExpressibleByArgument {}

/// A proxy before the tracker, and the listener that believes it; nil is all of them.
struct TrustedProxy: ExpressibleByArgument, Sendable {
  let network: IPNetwork
  let listener: SocketAddress?

  /// `ADDRESS[/BITS][@LISTENER]`.
  init?(argument: String) {
    let parts = argument.split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false)
    guard let network = IPNetwork(argument: String(parts[0])) else { return nil }
    self.network = network
    guard parts.count == 2 else {
      listener = nil
      return
    }
    guard let listener = SocketAddress(argument: String(parts[1])) else { return nil }
    self.listener = listener
  }
}
