public import ArgumentParser
import FoundationEssentials

/// The command of a service: like any other, but its flags are also read from the environment.
public protocol ServiceCommand: ParsableCommand {
  /// What is wrong with the flags together. It is asked when all of them are known: the parser's own `validate` comes before a
  /// misspelt flag is told.
  func check() throws
}

extension ServiceCommand {
  public func check() throws {}

  public static func main() {
    let flags = EnvironmentArguments.flags(inHelp: Array(_dumpHelp().utf8))
    let environment = ProcessInfo.processInfo.environment
    let arguments = EnvironmentArguments.merge(
      Array(CommandLine.arguments.dropFirst()), environment: environment, flags: flags)
    do {
      var command = try parseAsRoot(arguments)
      try (command as? Self)?.check()
      try command.run()
    } catch {
      exit(withError: error)
    }
  }
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

  /// The long flags in the parser's own description of a command, with whether each takes a value.
  static func flags(inHelp json: [UInt8]) -> [String: Bool] {
    struct Name: Decodable {
      var kind: String
      var name: String
    }
    struct Argument: Decodable {
      var kind: String
      var names: [Name]?
    }
    struct Command: Decodable { var arguments: [Argument]? }
    struct Help: Decodable { var command: Command }
    guard let help = try? JSONDecoder().decode(Help.self, from: Data(json)) else { return [:] }
    var flags: [String: Bool] = [:]
    for argument in help.command.arguments ?? [] {
      for name in argument.names ?? [] where name.kind == "long" { flags[name.name] = argument.kind == "option" }
    }
    return flags
  }
}
