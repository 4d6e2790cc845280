import ArgumentParser
import EventLoop
import FoundationEssentials
import Octets
import SQL
import ServiceKit

struct RegistrarCommand: ServiceCommand {
  static let configuration = CommandConfiguration(
    commandName: "utopia-registrar", abstract: "Registers domains under top-level domains, by REST.",
    version: Release.version)

  @OptionGroup var common: ServiceOptions

  @Option(
    name: .customLong("tld"),
    help: ArgumentHelp(
      "Top-level domain and base URL of its server's zone API, as com=http://127.0.0.1:8051; repeatable.",
      valueName: "name=url"))
  var topLevelDomains: [TopLevelDomainOption] = []

  @Option(
    name: .customLong("zone-api-key-file"),
    help: "File with the X-API-Key of the zone APIs. By default the administrator's token is used.")
  var zoneKeyFile: String?

  func run() throws {
    let domains = TopLevelDomains(
      Dictionary(topLevelDomains.map { ($0.name, $0.url) }, uniquingKeysWith: { _, last in last }))
    let keyFile = zoneKeyFile
    try Service.run("registrar", common) { service in
      let directory = try service.dataDirectory()
      let fixed = try keyFile.map { try ZoneKey.read($0) }
      let store = try await service.pool.run { try Store(path: directory.file("registrar.sqlite")) }
      let zones = ZoneServers(domains: domains, client: service.client) {
        fixed ?? String(decoding: service.access.token.value, as: UTF8.self)
      }
      let publisher = Publisher(
        store: store, zones: zones, clock: service.clock, log: service.log, on: service.loop)
      RegistrarAPI(
        store: store, publisher: publisher, zones: zones, domains: domains, clock: service.clock,
        isAdministrator: { service.access.isAdmin($0) }
      ).addRoutes(to: service.router)
      service.onReady("database") { try await store.database.probe() }
      service.onBackup { try await store.database.backup(to: $0 + "/registrar.sqlite") }
      service.onReset { try await publisher.reset() }
      service.onDrain { await publisher.stop() }
      service.onClose { _ = try? await service.pool.run { store.database.close() } }
      service.loop.spawn { await publisher.run() }
    }
  }
}

/// `com=http://127.0.0.1:8051`
struct TopLevelDomainOption: ExpressibleByArgument {
  let name: DomainName
  let url: String

  init?(argument: String) {
    let parts = argument.split(separator: "=", maxSplits: 1)
    guard parts.count == 2, let name = DomainName(parts[0]),
      parts[1].hasPrefix("http://") || parts[1].hasPrefix("https://")
    else { return nil }
    self.name = name
    url = String(parts[1].reversed().drop { $0 == "/" }.reversed())
  }
}

enum ZoneKey {
  /// The file's only line.
  static func read(_ path: String) throws -> String {
    let text = try String(contentsOfFile: path, encoding: .utf8)
    guard let line = text.split(whereSeparator: \.isNewline).first else {
      throw ValidationError("the zone API key file \(path) is empty")
    }
    return String(line)
  }
}

RegistrarCommand.main()
