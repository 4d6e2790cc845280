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
  /// For scrypt alone: a burst of log-ins takes its turn there and keeps files and look-ups waiting nowhere.
  public let passwordPool = BlockingPool(threads: 2, queueLimit: 256)
  /// The client of the first loop.
  public let client: HTTPClient
  public let egress: EgressPolicy
  public let tracing: Tracing
  /// What is made up comes from here.
  public let chance: Chance
  let lifecycle: Lifecycle
  let readiness: Readiness
  private let rateLimit = Lock<RateLimit?>(nil)
  private let contentLimit = Lock<Int?>(nil)
  let clockOffset: ClockOffset?
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

  /// Octets of a request's content, where some handler takes more than is usual; before the REST listeners open.
  public func allowContent(upTo limit: Int) { contentLimit.withLock { $0 = limit } }

  /// `/readyz` fails while this throws.
  public func onReady(_ name: String, _ check: @escaping @Sendable () async throws -> Void) {
    lifecycle.add(check: name, check)
  }

  /// Done when the service stops, side by side with all other drains: what is under way ends.
  public func onDrain(_ step: @escaping @Sendable () async -> Void) { lifecycle.add(drain: step) }

  /// Done when the drains are over, or their six and a half seconds: what they need is closed, the last added first.
  public func onClose(_ step: @escaping @Sendable () async -> Void) { lifecycle.add(closing: step) }

  /// Done by `POST /v1/reset` in a lab: back to the state of the first start.
  public func onReset(_ step: @escaping @Sendable () async throws -> Void) { lifecycle.add(reset: step) }

  /// Done by `POST /v1/backup`: writes what the service keeps to a new directory.
  public func onBackup(_ step: @escaping @Sendable (String) async throws -> Void) { lifecycle.add(backup: step) }

  init(
    _ name: String, _ options: ServiceOptions, loops: [EventLoop], egress: EgressPolicy,
    environment: [String: String] = ProcessInfo.processInfo.environment, readinessLifetime: Duration = .seconds(1)
  ) throws {
    self.name = name
    self.options = options
    self.loops = loops
    self.egress = egress
    let settings = try LiveSettings(options)
    log = Logger(label: name) { RingLogHandler(service: $0) }
    let lifecycle = Lifecycle()
    self.lifecycle = lifecycle
    readiness = Readiness(on: loops[0], lifetime: readinessLifetime) { await lifecycle.failedCheck() }
    if options.data?.isEmpty == true { throw ValidationError("--data needs the name of a directory, and has none") }
    directory = try options.data.map { try DataDirectory($0) }
    access = Access(
      token: try AdminToken.load(file: options.adminTokenFile, directory: options.data, environment: environment),
      hosts: options.allowHost)
    clockOffset = options.isLab ? directory.map { ClockOffset(in: $0) } : nil
    clock = WorldClock(offset: try clockOffset?.load() ?? 0, on: loops[0])
    client = HTTPClient(on: loops[0])
    tracing = Tracing(environment: environment)
    chance = Chance(seed: options.seed)
    apply(settings)
  }

  private func apply(_ settings: LiveSettings) {
    LogRing.shared.level = settings.logLevel
    rateLimit.withLock { $0 = settings.rateLimit.map { RateLimit(perSecond: Double($0), burst: $0) } }
  }

  /// The hook for requests beyond the rate that the settings allow now: a second's worth may come at once.
  func checkRate(_ request: inout Request) -> Response? {
    rateLimit.withLock { $0 }?.check(&request)
  }

  /// What SIGHUP asks for: reads the settings file and the token's file again. What can't be read stays as it was.
  func reload() async {
    do {
      let settings = try await pool.run { [self] in
        let settings = try LiveSettings(options)
        try access.reload()
        return settings
      }
      apply(settings)
      log.notice("settings and token are read again")
    } catch {
      log.error("nothing is changed by SIGHUP: \(error)")
    }
  }

  /// Runs a service until SIGTERM, SIGINT or, if so told, the end of standard input. SIGHUP reloads. A socket that systemd
  /// hands down (`LISTEN_FDS`) is taken for the listener that a flag gives the same address.
  ///
  /// `start` adds the routes and starts the service's own listeners; then the REST listeners open and `/readyz` answers 200.
  /// An error that it throws is one line on standard error and exit status 1.
  public static func run(
    _ name: String, _ options: ServiceOptions, _ start: @escaping @Sendable (Service) async throws -> Void
  ) throws {
    SignalWatcher.block([SIGTERM, SIGINT, SIGHUP])
    signal(SIGPIPE, SIG_IGN)
    DescriptorLimit.raise()
    // Before anything else opens a descriptor.
    try InheritedSockets.shared.adopt(ProcessInfo.processInfo.environment)
    let egress = options.allowEgress.isEmpty ? EgressPolicy.unrestricted : .only(options.allowEgress)
    let count = options.loops ?? SystemThread.availableProcessors
    let main = try EventLoop(egress: egress)
    let others = try (1..<max(1, count)).map { try EventLoop.start(name: "loop-\($0)", egress: egress) }
    let service = try Service(name, options, loops: [main] + others, egress: egress)
    let signals = try SignalWatcher([SIGTERM, SIGINT, SIGHUP], on: main) { signal in
      main.spawn { if signal == SIGHUP { await service.reload() } else { await service.stop(status: 0) } }
    }
    if options.exitsWithParent { try service.watchParent() }
    main.spawn { await service.begin(start) }
    main.run()
    withExtendedLifetime(signals) {}
  }

  private func begin(_ start: @Sendable (Service) async throws -> Void) async {
    do {
      try await open(start)
      for socket in InheritedSockets.shared.unused {
        log.warning("a socket that was handed down has the address of no flag", metadata: ["socket": "\(socket)"])
      }
      if access.token.path == nil, ProcessInfo.processInfo.environment["UTOPIA_ADMIN_TOKEN"] == nil, isatty(2) == 1 {
        log.notice("admin token of this run: \(String(decoding: access.token.value, as: UTF8.self))")
      }
      log.info("ready")
    } catch {
      log.critical("can't start: \(Self.describe(error))")
      await stop(status: 1)
    }
  }

  /// Adds the routes, starts the service's own part, and opens the REST listeners.
  /// - Returns: their addresses.
  @discardableResult
  func open(_ start: @Sendable (Service) async throws -> Void) async throws -> [SocketAddress] {
    addSystemRoutes()
    try await forgetHalfBackups()
    try await start(self)
    let server = makeServer()
    onDrain { await server.drain(within: .seconds(6), on: self.loop) }
    var addresses: [SocketAddress] = []
    for address in options.listen {
      let bound = try server.listen(on: address, loops: loops)
      log.info("listening", metadata: ["url": "http://\(bound)"])
      addresses.append(bound)
    }
    if options.listen.isEmpty { log.warning("no --listen ADDRESS:PORT is given, so there is no REST API") }
    lifecycle.markStarted()
    return addresses
  }

  /// Errors as a person wants them: an address that is taken is the mistake made most.
  private static func describe(_ error: any Error) -> String {
    if let error = error as? IOError, error.isAddressInUse { return "\(error); is another copy running?" }
    return "\(error)"
  }

  private func makeServer() -> HTTPServer {
    var configuration = HTTPServer.Configuration()
    if let limit = contentLimit.withLock({ $0 }) { configuration.limits.body = limit }
    let log = log
    let clock = clock
    configuration.clock = { clock.now.seconds }
    configuration.onError = { log.error("a handler failed: \($0)") }
    if options.logsAccess {
      configuration.onAccess = { record in
        var metadata: Logger.Metadata = [
          "peer": "\(record.peer)", "method": "\(record.head.method.rawValue)",
          "target": "\(record.head.target.isEmpty ? "-" : record.head.text(record.head.target))",
          "status": "\(record.status.code)", "duration": "\(record.duration)",
        ]
        if let trace = record.head.value("traceparent").flatMap({ TraceContext(traceparent: $0) }) {
          metadata["trace"] = "\(Hex.encode(trace.trace))"
        }
        log.info("request", metadata: metadata)
      }
    }
    let server = HTTPServer(router: router, configuration: configuration)
    metrics.gauge("http_connections", help: "Connections of the REST API.") { Double(server.connectionCount) }
    metrics.counter("http_requests_total", help: "Requests begun.") { server.requests.current }
    metrics.counter("http_refusals_total", help: "Requests refused for their form.") { server.refusals.current }
    metrics.counter("http_turned_away_total", help: "Connections over a bound.") { server.turnedAway.current }
    metrics.counter("http_overloads_total", help: "Requests refused while as many as are allowed were in flight.") {
      server.overloads.current
    }
    let loops = loops
    metrics.counter("loop_turns_total", help: "Turns of the event loops: a rate without work is a loop that spins.") {
      UInt64(loops.reduce(0) { $0 + $1.turns })
    }
    metrics.counter("log_lines_dropped_total", help: "Log lines that found the ring full.") {
      UInt64(LogRing.shared.droppedCount)
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
    guard await lifecycle.drain(within: .milliseconds(6500), on: loop) else { return }
    await client.close()
    loop.cancel(deadline)
    log.info("stopped")
    Service.exit(status)
  }

  private static func exit(_ status: Int32) -> Never {
    LogRing.shared.flush(within: .seconds(1))
    _exit(status)
  }
}
