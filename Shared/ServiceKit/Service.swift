import ArgumentParser
public import EventLoop
import FoundationEssentials
import Glibc
public import HTTPClient
public import HTTPServer
import HTTPWire
public import Logging
import Octets
public import SQL

/// A running service: what its parts need of the process. `Service.run` makes it, and its `main` wires the rest.
public final class Service: Sendable {
  /// "mail", "nameserver", …: the name of its OpenAPI file.
  public let name: String
  public let options: ServiceOptions
  public let loops: [EventLoop]
  public let router = Router()
  public let log: Logger
  public let metrics = Metrics()
  public let clock: WorldClock
  public let access: Access
  /// For work that blocks.
  public let pool = BlockingPool()
  /// The client of the first loop; other loops make their own with `makeClient`.
  public let client: HTTPClient
  public let egress: EgressPolicy
  let lifecycle = Lifecycle()
  private let directory: DataDirectory?

  public var loop: EventLoop { loops[0] }
  public var isLab: Bool { options.isLab }

  /// The directory for what must last, locked by this process.
  ///
  /// - Throws: a `ValidationError` that names the flag where there is none.
  public func dataDirectory() throws -> DataDirectory {
    guard let directory else { throw ValidationError("--data DIR is needed: this service keeps what it is told") }
    return directory
  }

  /// A client for another loop. `resolver` looks names up where the world's names are.
  public func makeClient(on loop: EventLoop, resolver: HostResolver? = nil) -> HTTPClient {
    HTTPClient(on: loop, resolver: resolver)
  }

  /// `/readyz` fails while this throws.
  public func onReady(_ name: String, _ check: @escaping @Sendable () async throws -> Void) {
    lifecycle.add(check: name, check)
  }

  /// Done when the service stops, before what was there earlier is taken down.
  public func onDrain(_ step: @escaping @Sendable () async -> Void) { lifecycle.add(drain: step) }

  /// Done by `POST /v1/reset` in a lab: back to the state of the first start.
  public func onReset(_ step: @escaping @Sendable () async throws -> Void) { lifecycle.add(reset: step) }

  /// Done by `POST /v1/backup`: writes what the service keeps to a new directory.
  public func onBackup(_ step: @escaping @Sendable (String) async throws -> Void) { lifecycle.add(backup: step) }

  private init(_ name: String, _ options: ServiceOptions, loops: [EventLoop], egress: EgressPolicy) throws {
    self.name = name
    self.options = options
    self.loops = loops
    self.egress = egress
    var log = Logger(label: name) { RingLogHandler(service: $0) }
    guard let level = Logger.Level(rawValue: options.logLevel) else {
      throw ValidationError("--log-level must be trace, debug, info, notice, warning, error or critical")
    }
    log.logLevel = level
    self.log = log
    directory = try options.data.map { try DataDirectory($0) }
    let environment = ProcessInfo.processInfo.environment
    access = Access(
      token: try AdminToken.load(file: options.adminTokenFile, directory: options.data, environment: environment),
      hosts: options.allowHost)
    clock = WorldClock(offset: ClockOffset.load(options.isLab ? directory : nil), on: loops[0])
    client = HTTPClient(on: loops[0])
  }

  /// Runs a service until SIGTERM, SIGINT or, if so told, the end of standard input.
  ///
  /// `start` adds the routes and starts the service's own listeners; then the REST listeners open and `/readyz` answers 200.
  /// An error that it throws is one line on standard error and exit status 1.
  public static func run(
    _ name: String, _ options: ServiceOptions, _ start: @escaping @Sendable (Service) async throws -> Void
  ) throws {
    SignalWatcher.block([SIGTERM, SIGINT, SIGHUP])
    signal(SIGPIPE, SIG_IGN)
    DescriptorLimit.raise()
    let egress = options.allowEgress.isEmpty ? EgressPolicy.unrestricted : .only(options.allowEgress)
    let count = options.loops ?? SystemThread.availableProcessors
    let main = try EventLoop(egress: egress)
    let others = try (1..<max(1, count)).map { try EventLoop.start(name: "loop-\($0)", egress: egress) }
    let service = try Service(name, options, loops: [main] + others, egress: egress)
    let signals = try SignalWatcher([SIGTERM, SIGINT], on: main) { _ in main.spawn { await service.stop(status: 0) } }
    if options.exitsWithParent { try service.watchParent() }
    main.spawn { await service.begin(start) }
    main.run()
    withExtendedLifetime(signals) {}
  }

  private func begin(_ start: @Sendable (Service) async throws -> Void) async {
    do {
      addSystemRoutes()
      try await start(self)
      let server = makeServer()
      onDrain { await server.drain(within: .seconds(6), on: self.loop) }
      for address in options.listen {
        let bound = try server.listen(on: address, loops: loops)
        log.info("listening", metadata: ["url": "http://\(bound)"])
      }
      lifecycle.markStarted()
      if access.token.path == nil, ProcessInfo.processInfo.environment["UTOPIA_ADMIN_TOKEN"] == nil, isatty(2) == 1 {
        log.notice("admin token of this run: \(String(decoding: access.token.value, as: UTF8.self))")
      }
      log.info("ready")
    } catch {
      log.critical("can't start: \(Self.describe(error))")
      await stop(status: 1)
    }
  }

  /// Errors as a person wants them: an address that is taken is the mistake made most.
  private static func describe(_ error: any Error) -> String {
    if let error = error as? IOError, error.isAddressInUse { return "\(error); is another copy running?" }
    return "\(error)"
  }

  private func makeServer() -> HTTPServer {
    var configuration = HTTPServer.Configuration()
    let log = log
    let clock = clock
    configuration.clock = { clock.now.seconds }
    configuration.onError = { log.error("a handler failed: \($0)") }
    if options.logsAccess {
      configuration.onAccess = { record in
        log.info(
          "request",
          metadata: [
            "peer": "\(record.peer)", "method": "\(record.head.method.rawValue)",
            "target": "\(record.head.text(record.head.target))",
            "status": "\(record.status.code)", "duration": "\(record.duration)",
          ])
      }
    }
    let server = HTTPServer(router: router, configuration: configuration)
    metrics.gauge("http_connections", help: "Connections of the REST API.") { Double(server.connectionCount) }
    metrics.gauge("http_requests_total", help: "Requests begun.") { Double(server.requests.current) }
    metrics.gauge("http_refusals_total", help: "Requests refused for their form.") { Double(server.refusals.current) }
    metrics.gauge("http_turned_away_total", help: "Connections over a bound.") { Double(server.turnedAway.current) }
    let loops = loops
    metrics.gauge("loop_turns_total", help: "Turns of the event loops: a rate without work is a loop that spins.") {
      Double(loops.reduce(0) { $0 + $1.turns })
    }
    metrics.gauge("log_lines_dropped_total", help: "Log lines that found the ring full.") {
      Double(LogRing.shared.droppedCount)
    }
    return server
  }

  /// The launcher holds the other end of standard input: when it dies, however, its children end.
  private func watchParent() throws {
    let service = self
    let loop = loop
    try SystemThread.spawn(name: "parent") {
      var octets = [UInt8](repeating: 0, count: 64)
      while true {
        let count = unsafe read(0, &octets, octets.count)
        if count == 0 || count < 0 && errno != EINTR { break }
      }
      loop.spawn { await service.stop(status: 0) }
    }
  }

  /// Drains within eight seconds and ends the process.
  private func stop(status: Int32) async {
    let deadline = loop.after(.seconds(8)) { Service.exit(status) }
    guard await lifecycle.drain() else { return }
    await client.close()
    loop.cancel(deadline)
    log.info("stopped")
    Service.exit(status)
  }

  private static func exit(_ status: Int32) -> Never {
    LogRing.shared.drain()
    _exit(status)
  }
}

/// The clock's offset, kept over restarts in `clock-offset` of the data directory.
enum ClockOffset {
  static func load(_ directory: DataDirectory?) -> Int64 {
    guard let path = directory?.file("clock-offset"), let text = try? String(contentsOfFile: path, encoding: .utf8)
    else { return 0 }
    return Int64(text) ?? 0
  }

  /// Blocks.
  static func save(_ seconds: Int64, _ directory: DataDirectory?) throws {
    guard let path = directory?.file("clock-offset") else { return }
    try Data(String(seconds).utf8).write(to: URL(filePath: path), options: .atomic)
  }
}
