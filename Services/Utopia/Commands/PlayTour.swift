import ArgumentParser
import EventLoop
import HTTPClient
import Octets

/// Plays the stories end to end and shows what each step really sends and receives.
struct PlayTour: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tour", abstract: "Play the world's story on real protocols and show every step.")

  @OptionGroup var options: WorldOptions

  func run() throws {
    try telling {
      let world = try options.loadRunning()
      let token = try options.directory.token()
      var generator = SystemRandomNumberGenerator()
      let mark = "#\(UInt32.random(in: 1000...9999, using: &generator))"
      try runOnLoop { loop in
        try await Story(stage: Stage(world: world, token: token, loop: loop, client: HTTPClient(on: loop)), mark: mark)
          .play()
      }
    }
  }
}
