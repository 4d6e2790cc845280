import ArgumentParser
import Octets

/// Which world a command is about.
struct WorldOptions: ParsableArguments {
  @Option(help: "The folder of the world's data (default: .utopia, or .utopia-N with --net N).")
  var data: String?

  @Option(help: "A world file; `utopia world` prints the default one.")
  var world: String?

  @Option(help: "The number of the world, 0 to 255: its addresses are 127.N.x.y.")
  var net: UInt8?

  @Option(help: "For a world of containers: the first two numbers of its network, such as 10.77.")
  var subnet: String?

  func validate() throws {
    // What a variable without a value gives.
    if data?.isEmpty == true { throw ValidationError("--data needs the name of a folder, and has none") }
  }

  var directory: WorldDirectory { WorldDirectory(data, net: net ?? 0) }

  /// The world that is running from this folder. Containers are not looked for: they may be on another machine.
  /// - Throws: none is.
  func loadRunning() throws(Trouble) -> World {
    if subnet == nil, try directory.runner() == nil {
      throw Trouble("no world is running from \(directory.path); `utopia up` starts one")
    }
    return try load().world
  }

  /// The world of the last `up` in this folder, unless the options say more.
  func load() throws(Trouble) -> (world: World, settings: Settings) {
    try load(opening: directory.settings()?.doors)
  }

  /// The world to be started, with its doors at this address: doors once opened wide are not opened again unsaid.
  func load(opening doors: String?) throws(Trouble) -> (world: World, settings: Settings) {
    let stored = try directory.settings()
    if let net, let stored, stored.net != net {
      throw Trouble("\(directory.path) holds world \(stored.net); give world \(net) a folder of its own with --data")
    }
    let settings = Settings(
      net: net ?? stored?.net ?? 0, world: world.map(Files.absolute) ?? stored?.world, doors: doors)
    return (try read(settings), settings)
  }

  private func read(_ settings: Settings) throws(Trouble) -> World {
    var text = DefaultWorld.yaml
    if let path = settings.world {
      guard let own = try Files.read(path) else { throw Trouble("\(path): there is no such file") }
      text = own
    }
    do {
      return try World(text, file: settings.world ?? "the default world", at: placement(settings))
    } catch let error as WorldFileError {
      throw Trouble(error.description)
    } catch let error as Trouble {
      throw error
    } catch {
      throw Trouble("\(error)")
    }
  }

  private func placement(_ settings: Settings) throws(Trouble) -> Placement {
    if let subnet {
      guard let network = Network(subnet) else {
        throw Trouble("--subnet \(subnet): the first two numbers of a network were expected, such as 10.77")
      }
      return .containers(network)
    }
    guard let doors = settings.doors else { return .loopback(settings.net) }
    guard let address = IPAddress(doors) else { throw Trouble("--doors \(doors): an address was expected") }
    return .loopback(settings.net, doors: address)
  }
}
