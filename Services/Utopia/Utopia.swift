import ArgumentParser
import ServiceKit

@main struct Utopia: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "utopia",
    abstract: "A small internet on your own machine: mail, DNS, a registrar and a BitTorrent swarm.",
    version: Release.version,
    subcommands: [
      Up.self, Down.self, Status.self, PlayTour.self, Clock.self, Reset.self, Seed.self, Health.self, RunHost.self,
      PrintWorld.self, RunExperiment.self,
    ])
}
