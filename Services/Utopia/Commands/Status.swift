import ArgumentParser
import EventLoop
import HTTPClient

/// Shows each service's health.
struct Status: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Show whether each service is ready; the exit code is 1 if one is not.")

  @OptionGroup var options: WorldOptions

  func run() throws {
    try telling {
      let (world, settings) = try options.load()
      let directory = options.directory
      if options.subnet == nil {
        guard let process = try directory.runner() else {
          say("No world is running from \(directory.path).")
          if let end = directory.lastEnd() { say("The last one ended at \(end)") }
          throw ExitCode.failure
        }
        say("\(world.name), world \(settings.net), in \(directory.path), process \(process)\n")
      }
      try runOnLoop { loop in
        let client = HTTPClient(on: loop)
        var table = Table(["HOST", "STATE", "WIRE", "REST"])
        var isWell = true
        for host in world.hosts {
          let state = await Self.state(world.door(to: host, token: nil, through: client))
          if state != "ready" { isWell = false }
          table.add(host.name, state, world.wire(of: host), world.url(of: host))
        }
        say(table.text, terminator: "")
        if !isWell { throw ExitCode.failure }
      }
    }
  }

  private static func state(_ door: Door) async -> String {
    guard let reply = try? await door.send("GET", "/readyz", timeout: .seconds(3)) else { return "down" }
    if reply.isSuccess { return "ready" }
    return "not ready: \(reply.json["detail"]?.text ?? "\(reply.status)")"
  }
}

/// Asks one service whether it is ready: the health check of a container.
struct Health: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Ask one service whether it is ready; the exit code is 1 if it is not.")

  @Argument(help: "Such as http://127.0.0.1:8050 or 127.0.0.1:8050; without a path, /readyz is asked.")
  var url: String

  func run() throws {
    let url = url.contains("://") ? url : "http://\(url)"
    let start = url.firstRange(of: "://")?.upperBound ?? url.startIndex
    let slash = url[start...].firstIndex(of: "/") ?? url.endIndex
    let base = String(url[..<slash])
    let path = slash == url.endIndex ? "/readyz" : String(url[slash...])
    try runOnLoop { loop in
      let reply = try await Door(url: base, token: nil, client: HTTPClient(on: loop)).send(
        "GET", path, timeout: .seconds(3))
      guard reply.isSuccess else { throw Trouble("\(url): \(reply.status) \(reply.json["detail"]?.text ?? "")") }
      say("\(url): ready")
    }
  }
}
