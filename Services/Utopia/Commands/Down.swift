import ArgumentParser
import Glibc

/// Ends a running world.
struct Down: ParsableCommand {
  static let configuration = CommandConfiguration(abstract: "End the running world; its data stays.")

  @OptionGroup var options: WorldOptions

  func run() throws {
    try telling {
      let directory = options.directory
      guard let process = try directory.runner() else {
        say("No world is running from \(directory.path).")
        return
      }
      guard kill(process, SIGTERM) == 0 else { throw Trouble.system("process \(process)") }
      // As long as the launcher itself gives ten services, and a little more.
      for _ in 0..<6000 {
        if try directory.runner() == nil {
          say("The world is down; its data stays in \(directory.path).")
          return
        }
        usleep(50_000)
      }
      throw Trouble("process \(process) has not ended; its log is \(directory.supervisorLog)")
    }
  }
}
