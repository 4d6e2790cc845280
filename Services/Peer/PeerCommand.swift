import ArgumentParser
import ServiceKit

/// A BitTorrent peer: downloads and seeds what it is told to by REST.
@main struct PeerCommand: ServiceCommand {
  static let configuration = CommandConfiguration(
    commandName: "utopia-peer", abstract: "A BitTorrent peer, driven by REST.", version: Release.version)

  @OptionGroup var common: ServiceOptions

  func run() throws {
    try Service.run("peer", common) { _ in }
  }
}
