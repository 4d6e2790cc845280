import ArgumentParser
import EventLoop
import Logging
import Octets
import SQL
import ServiceKit

/// An authoritative name server with a zone API.
@main struct Nameserver: ServiceCommand {
  static let configuration = CommandConfiguration(
    commandName: "utopia-nameserver", abstract: "Serves DNS zones over UDP and TCP, administered by REST.",
    version: Release.version)

  @OptionGroup var common: ServiceOptions

  @Option(
    name: .customLong("dns"),
    help: .endpoint("Address and port for DNS over UDP and TCP; repeatable. Port 0 takes a free one."))
  var dns: [SocketAddress] = []

  @Option(
    help:
      "Answers a second by UDP, shared out among the loops, that a client's network (/24, or /56 of IPv6) is given of each kind: data, referral, no data, no such name, error. Beyond, half are dropped and half ask to come by TCP. 0 for no limit; clients on loopback have none."
  )
  var rateLimitResponses = ServerLimits().responsesPerSecond

  func check() throws {
    guard rateLimitResponses >= 0 else { throw ValidationError("--rate-limit-responses must be 0 or more") }
  }

  func run() throws {
    let addresses = dns
    var limits = ServerLimits()
    limits.responsesPerSecond = rateLimitResponses
    try Service.run("nameserver", common) { [limits] service in
      let database = try ZoneDatabase(path: try service.dataDirectory().file("nameserver.sqlite"))
      let metrics = ServerMetrics(service.metrics)
      var generator = SystemRandomNumberGenerator()
      let hash = NameHash(using: &generator)
      let loops = service.loops.map {
        DNSLoop(on: $0, of: service.loops.count, limits: limits, metrics: metrics, hash: hash)
      }
      let keeper = ZoneKeeper(
        on: service.loop, database: database, pool: service.pool, loops: loops, clock: service.clock, hash: hash)
      try await keeper.start()
      for address in addresses {
        let bound = try await DNSLoop.bind(address, on: loops)
        service.log.info("serving DNS", metadata: ["address": "\(bound)"])
      }
      let access = service.access
      Routes.add(to: service.router, ZoneHandlers(keeper: keeper, clock: service.clock, pool: service.pool)) {
        try access.requireAdmin($0)
      }
      service.onReady("database") { try await database.database.probe() }
      service.onReset { try await keeper.reset() }
      service.onBackup { try await database.database.backup(to: $0 + "/nameserver.sqlite") }
      service.onClose { try? await service.pool.run { database.database.close() } }
      service.onDrain { for loop in loops { await loop.drain() } }
    }
  }
}

extension DNSLoop {
  /// Binds an address on every loop, UDP and TCP on the same port.
  /// - Returns: the address with its port.
  static func bind(_ address: SocketAddress, on loops: [DNSLoop]) async throws -> SocketAddress {
    var bound = address
    for (index, loop) in loops.enumerated() {
      bound = try await loop.bind(bound, sharesPort: loops.count > 1, isSibling: index > 0)
    }
    return bound
  }
}
