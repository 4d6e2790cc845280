import ArgumentParser
import Glibc

/// Becomes the service of one host: a container is started this way, so that the world file alone says what it runs.
struct RunHost: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "host", abstract: "Become the service of one host, in a container.")

  @Argument(help: "The host's name in the world file.")
  var name: String

  @OptionGroup var options: WorldOptions

  func run() throws {
    try telling {
      let (world, _) = try options.load()
      guard let host = world.host(named: name) else {
        throw Trouble("no host is named \(name): \(world.hosts.map(\.name).joined(separator: ", "))")
      }
      let directory = options.directory
      try Files.makeFolder(directory.folder(of: host))
      var tokenFile: String?
      if Environment["UTOPIA_ADMIN_TOKEN"] == nil {
        _ = try directory.makeToken()
        tokenFile = directory.tokenFile
      }
      let launch = world.launch(host, data: directory.folder(of: host), token: tokenFile, supervised: false)
      let path = "\(Files.ownFolder)/\(launch.executable)"
      let words: [UnsafeMutablePointer<CChar>?] = unsafe ([path] + launch.arguments).map { unsafe strdup($0) } + [nil]
      // Returns only where it fails.
      unsafe execv(path, words)
      throw Trouble.system(path)
    }
  }
}
