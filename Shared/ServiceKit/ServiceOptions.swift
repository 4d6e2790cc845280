public import ArgumentParser
import EventLoop
public import Octets

/// What every service can be told. Each flag is also read from the environment: `--admin-token-file` from `UTOPIA_ADMIN_TOKEN_FILE`.
public struct ServiceOptions: ParsableArguments, Sendable {
  @Option(name: .customLong("listen"), help: "Address and port of the REST API; repeatable. Port 0 takes a free one.")
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
    name: .customLong("admin-token-file"), help: "File with the administrator's token, readable by its owner alone.")
  public var adminTokenFile: String?

  @Option(name: .customLong("allow-egress"), help: "Network that connections may go to; repeatable. By default all.")
  public var allowEgress: [IPNetwork] = []

  @Option(
    name: .customLong("allow-host"),
    help: "Further name or address by which the REST API may be called; repeatable. '*' allows all.")
  public var allowHost: [String] = []

  @Option(name: .customLong("log-level"), help: "trace, debug, info, notice, warning, error or critical.")
  public var logLevel = "info"

  @Flag(name: .customLong("access-log"), help: "Log every request.")
  public var logsAccess = false

  @Flag(
    name: .customLong("exit-with-parent"), help: "Stop when standard input ends: how a launcher's children end with it."
  )
  public var exitsWithParent = false

  public init() {}

  public func validate() throws {
    if let loops, !(1...256).contains(loops) { throw ValidationError("--loops must be 1 to 256") }
  }
}

extension SocketAddress: ExpressibleByArgument {
  public init?(argument: String) { self.init(argument) }
}

extension IPNetwork: ExpressibleByArgument {
  public init?(argument: String) { self.init(argument) }
}

extension IPAddress: ExpressibleByArgument {
  public init?(argument: String) { self.init(argument) }
}

/// The environment as arguments: `UTOPIA_DATA=/data` is `--data /data` unless the flag itself is given.
public enum EnvironmentArguments {
  /// Names that are read elsewhere and are no flags.
  private static let reserved: Set<String> = ["UTOPIA_ADMIN_TOKEN"]

  /// - Parameter flags: the long names that the command has, with whether each takes a value.
  public static func merge(_ arguments: [String], environment: [String: String], flags: [String: Bool]) -> [String] {
    var merged = arguments
    for (name, value) in environment.sorted(by: { $0.key < $1.key }) {
      guard name.hasPrefix("UTOPIA_"), !reserved.contains(name), !value.isEmpty else { continue }
      let flag = name.dropFirst(7).lowercased().replacing("_", with: "-")
      guard let takesValue = flags[flag],
        !arguments.contains(where: { $0 == "--\(flag)" || $0.hasPrefix("--\(flag)=") })
      else { continue }
      if takesValue {
        // Repeatable flags take a list with commas.
        for part in value.split(separator: ",") { merged += ["--\(flag)", String(part)] }
      } else if ["1", "true", "yes", "on"].contains(value.lowercased()) {
        merged.append("--\(flag)")
      }
    }
    return merged
  }
}
