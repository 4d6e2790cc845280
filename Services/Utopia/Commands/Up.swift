import ArgumentParser
import EventLoop
import HTTPClient
import Glibc

/// Starts a world, seeds it, and keeps it until it is told to end.
struct Up: ParsableCommand {
  static let configuration = CommandConfiguration(abstract: "Start a world and keep it until Ctrl-C.")

  @OptionGroup var options: WorldOptions

  @Flag(help: "Come back once the world is up; `utopia down` ends it.")
  var detach = false

  @Option(help: "The address of every REST interface (default: 127.0.0.1, or 127.N.0.1 with --net N).")
  var doors: String?

  @Flag(help: .private)
  var detached = false

  func run() throws {
    try telling {
      if detach { return try Detached.start(["up", "--detached"] + arguments) }
      guard options.subnet == nil else {
        throw Trouble("a world of containers is started by compose; here --net N makes room for another world")
      }
      let (world, settings) = try options.load(opening: doors)
      let directory = options.directory
      try directory.make()
      guard try directory.lock() else {
        throw Trouble("a world is running from \(directory.path) already; `utopia status` shows it")
      }
      try directory.remember(settings)
      let token = try directory.makeToken()
      try Self.keep(world, settings, in: directory, token: token, detached: detached)
    }
  }

  /// The options once more, for the launcher that stays.
  private var arguments: [String] {
    var arguments: [String] = []
    if let data = options.data { arguments += ["--data", data] }
    if let world = options.world { arguments += ["--world", world] }
    if let net = options.net { arguments += ["--net", "\(net)"] }
    if let subnet = options.subnet { arguments += ["--subnet", subnet] }
    if let doors { arguments += ["--doors", doors] }
    return arguments
  }

  private static func keep(
    _ world: World, _ settings: Settings, in directory: WorldDirectory, token: String, detached: Bool
  ) throws {
    SignalWatcher.block([SIGINT, SIGTERM, SIGHUP, SIGCHLD])
    _ = signal(SIGPIPE, SIG_IGN)
    try runOnLoop { loop in
      let client = HTTPClient(on: loop)
      let keeper = try Keeper(world, in: directory, client: client, on: loop)
      let watcher = try SignalWatcher([SIGINT, SIGTERM, SIGHUP, SIGCHLD], on: loop) { signal in
        loop.spawn { if signal == SIGCHLD { await keeper.collect() } else { await keeper.interrupt() } }
      }
      let command = detached ? try Detached.watchCommand(on: loop) { loop.spawn { await keeper.abandon() } } : nil
      do {
        say("Starting \(world.name), world \(settings.net), in \(directory.path)")
        directory.forgetEnd()
        if try await keeper.start() {
          let summary = try await Seeder(world, token: token, through: client).run()
          say("  seeded: \(summary)\n\n\(world.table)\n\(hints(world, directory, detached: detached))")
          if let command { try Detached.release(command, log: directory.supervisorLog) }
        }
      } catch {
        await keeper.end(error as? Trouble ?? Trouble("\(error)"))
      }
      // The keeper ends the process.
      while true {
        await loop.sleep(for: .seconds(3600))
        withExtendedLifetime(watcher) {}
      }
    }
  }

  private static func hints(_ world: World, _ directory: WorldDirectory, detached: Bool) -> String {
    let options =
      (directory.path == ".utopia" ? "" : " --data \(directory.path)")
    let isGiven = Environment["UTOPIA_ADMIN_TOKEN"].map { !$0.isEmpty } ?? false
    var hints = Table([
      "The administrator's token:", isGiven ? "the one in UTOPIA_ADMIN_TOKEN" : "cat \(directory.tokenFile)",
    ])
    if let resolver = world.resolver {
      hints.add("Look up a name:", "dig @\(resolver.address) -p \(world.ports.dns) gaia.cs.umass.edu")
    }
    if let tracker = world.tracker {
      hints.add("Announce a torrent:", "http://\(tracker.address):\(world.ports.tracker)/announce")
    }
    if let sharer = world.sharer {
      hints.add(
        "Get a magnet link:", "curl -H \"Authorization: Bearer TOKEN\" \(world.url(of: sharer))/v1/torrents")
    }
    hints.add("See the whole story:", "utopia tour\(options)")
    hints.add("Stop:", detached ? "utopia down\(options)" : "Ctrl-C")
    return hints.text
  }
}
