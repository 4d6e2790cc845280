public import ArgumentParser
import EventLoop
public import Octets

/// What every service can be told. Each flag is also read from the environment: `--admin-token-file` from `UTOPIA_ADMIN_TOKEN_FILE`.
public struct ServiceOptions: ParsableArguments, Sendable {
  @Option(
    name: .customLong("listen"),
    help: .endpoint("Address and port of the REST API; repeatable. Port 0 takes a free one."))
  public var listen: [SocketAddress] = []

  @Option(name: .customLong("data"), help: "Directory for everything that must last.")
  public var data: String?

  @Option(
    name: .customLong("loops"),
    help: "Event loops, each a thread. By default one for each processor this process may use.")
  public var loops: Int?

  @Flag(name: .customLong("lab"), help: "Let the clock be moved and the service be reset by REST.")
  public var isLab = false

  @Option(
    name: .customLong("seed"),
    help: "Make up ids, jitter and choices from this number, so that runs are alike; only with --lab.")
  public var seed: UInt64?

  @Option(
    name: .customLong("admin-token-file"), help: "File with the administrator's token, readable by its owner alone.")
  public var adminTokenFile: String?

  @Option(
    name: .customLong("allow-egress"), help: .network("Network that connections may go to; repeatable. By default all.")
  )
  public var allowEgress: [IPNetwork] = []

  @Option(
    name: .customLong("allow-host"),
    help: "Further name or address by which the REST API may be called; repeatable. '*' allows all.")
  public var allowHost: [String] = []

  @Option(name: .customLong("log-level"), help: "trace, debug, info, notice, warning, error or critical.")
  public var logLevel = "info"

  @Option(
    name: .customLong("rate-limit"),
    help: "Requests a second that one address may send to the REST API. By default any.")
  public var rateLimit: Int?

  @Option(
    name: .customLong("settings-file"),
    help: "File with lines such as 'log-level debug' and 'rate-limit 100', read again on SIGHUP.")
  public var settingsFile: String?

  @Flag(name: .customLong("access-log"), help: "Log every request.")
  public var logsAccess = false

  @Flag(
    name: .customLong("exit-with-parent"), help: "Stop when standard input ends: how a launcher's children end with it."
  )
  public var exitsWithParent = false

  public init() {}

  public func validate() throws {
    if let loops, !(1...256).contains(loops) { throw ValidationError("--loops must be 1 to 256") }
    // A resolver's query ids are guessed by whoever knows the seed.
    if seed != nil, !isLab { throw ValidationError("--seed is for a lab: it needs --lab") }
  }
}

/// What an option takes, told where it is wrong as well.
extension ArgumentHelp {
  public static func endpoint(_ abstract: String) -> ArgumentHelp { ArgumentHelp(abstract, valueName: "address:port") }

  public static func network(_ abstract: String) -> ArgumentHelp { ArgumentHelp(abstract, valueName: "address[/bits]") }
}

extension SocketAddress: ExpressibleByArgument {
  /// `localhost` is 127.0.0.1: what a machine makes of the name is not asked.
  public init?(argument: String) {
    self.init(argument.hasPrefix("localhost:") ? "127.0.0.1" + argument.dropFirst(9) : argument)
  }
}

extension IPNetwork: ExpressibleByArgument {
  public init?(argument: String) { self.init(argument) }
}

extension IPAddress: ExpressibleByArgument {
  public init?(argument: String) { self.init(argument) }
}
