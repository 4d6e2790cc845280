import ArgumentParser
import EventLoop
import HTTPClient

/// Puts into the services what the world file says and they do not have yet.
struct Seed: ParsableCommand {
  static let configuration = CommandConfiguration(abstract: "Add what the world file says and the services lack.")

  @OptionGroup var options: WorldOptions

  func run() throws {
    try telling {
      let world = try options.loadRunning()
      let token = try options.directory.token()
      try runOnLoop { loop in
        let client = HTTPClient(on: loop)
        say("Seeded: \(try await Seeder(world, token: token, through: client).run())")
      }
    }
  }
}

/// Puts every service back to the state of the world file, clock included.
struct Reset: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Put every service back to what the world file says, without a restart.")

  @OptionGroup var options: WorldOptions

  func run() throws {
    try telling {
      let world = try options.loadRunning()
      let token = try options.directory.token()
      try runOnLoop { loop in
        let client = HTTPClient(on: loop)
        // Half a reset is worse than none.
        for host in world.hosts {
          let reply: Door.Reply
          do throws(Trouble) {
            reply = try await world.door(to: host, token: token, through: client).send("GET", "/readyz")
          } catch {
            throw Trouble("nothing is reset: \(host.name) does not answer: \(error)")
          }
          guard reply.isSuccess else {
            throw Trouble("nothing is reset: \(host.name) is not ready: \(reply.json["detail"]?.text ?? "")")
          }
        }
        // Registrars first: what they still write into the zones of others must be written before those are reset.
        let isRegistrar = { (host: Host) in if case .registrar = host.role { true } else { false } }
        var troubles: [Trouble] = []
        for host in world.hosts.filter(isRegistrar) + world.hosts.filter({ !isRegistrar($0) }) {
          do throws(Trouble) {
            try await world.door(to: host, token: token, through: client).ask("POST", "/v1/reset")
          } catch {
            troubles.append(error)
          }
        }
        let summary = try await Seeder(world, token: token, through: client).run()
        if let trouble = troubles.first { throw Trouble("\(trouble); once that is mended, reset again") }
        say("Reset \(world.hosts.count) services; seeded: \(summary)")
      }
    }
  }
}

/// Prints the default world file, the start of one's own.
struct PrintWorld: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "world", abstract: "Print the default world file, the start of your own.")

  func run() { say(DefaultWorld.yaml) }
}
