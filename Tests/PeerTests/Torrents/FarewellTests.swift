import EventLoop
import Octets
import Testing
import TorrentWire

@testable import Peer

/// What trackers hear of a torrent, to its end.
@Suite(.timeLimit(.minutes(1))) struct FarewellTests {
  /// Says nothing to who takes leave.
  static let silent: ScriptedTracker.Script = { number, asked in
    asked.kind == "stopped" ? [] : ScriptedTracker.ordinary(Make.reply(peers: 0))(number, asked)
  }

  private func tracker(for world: PeerWorld, _ script: ScriptedTracker.Script? = nil) async throws -> ScriptedTracker {
    try await ScriptedTracker(on: world.loop, script ?? ScriptedTracker.ordinary(Make.reply(peers: 0)))
  }

  private func stopped(_ tracker: ScriptedTracker, _ world: PeerWorld) async throws -> AnnounceRequest {
    try await world.until("told of the end") { await tracker.kinds.contains("stopped") }
    return try #require(await tracker.asked.last { $0.kind == "stopped" }?.announce)
  }

  @Test func theEndIsToldWithWhatMoved() async throws {
    let (seeder, leecher) = (try await PeerWorld(), try await PeerWorld())
    let tracker = try await tracker(for: seeder)
    try seeder.folder.write(PeerWorld.content, to: "film.bin")
    let place = try await seeder.add(try PeerWorld.torrent(), trackers: [try tracker.url()])
    try await seeder.wait(place, "seeding")
    let other = try await self.tracker(for: leecher)
    _ = try await leecher.add(try PeerWorld.torrent(), trackers: [try other.url()])
    try await leecher.until("begun") { await other.kinds.contains("started") }
    try await leecher.call(seeder, for: place)
    try await leecher.wait(place, "seeding")
    try await leecher.until("told") { await other.kinds.contains("completed") }
    for world in [seeder, leecher] { _ = try await world.pause(place, true) }
    let (up, down) = (try await stopped(tracker, seeder), try await stopped(other, leecher))
    #expect(up.uploaded == 90_000 && up.left == 0)
    #expect(down.downloaded == 90_000 && down.left == 0)
  }

  @Test func whoLacksSomethingSaysSo() async throws {
    let (seeder, leecher) = (try await PeerWorld(), try await PeerWorld())
    let torrent = try KnownTorrent([("a", 40_000), ("b", 50_000)], pieceLength: 20_000)
    try torrent.writeAll(torrent.files(in: seeder.folder))
    let file = MetainfoBuilder.file(of: torrent.info)
    let place = try await seeder.add(file, trackers: [])
    try await seeder.wait(place, "seeding")
    let tracker = try await tracker(for: leecher)
    _ = try await leecher.add(file, trackers: [try tracker.url()], unwanted: [1])
    try await leecher.until("begun") { await tracker.kinds.contains("started") }
    #expect(await tracker.asked.last?.announce?.left == 90_000)
    try await leecher.call(seeder, for: place)
    try await leecher.wait(place, "seeding")
    _ = try await leecher.pause(place, true)
    #expect(try await stopped(tracker, leecher).left == 50_000)
    #expect(await !tracker.kinds.contains("completed"))
  }

  @Test func whatIsAddedAnewIsToldAfterTheEndOfTheOld() async throws {
    let world = try await PeerWorld()
    let tracker = try await tracker(for: world, Self.silent)
    let file = try PeerWorld.torrent()
    let place = try await world.add(file, trackers: [try tracker.url()])
    try await world.until("begun") { await tracker.kinds.contains("started") }
    #expect(try await world.ask("DELETE", place).status == 204)
    // Nobody waited for the tracker.
    _ = try await world.add(file, trackers: [try tracker.url()])
    await world.loop.sleep(for: .milliseconds(300))
    #expect(await tracker.kinds.count { $0 == "started" } == 1)
    try await world.until("begun again") { await tracker.kinds.last == "started" }
    #expect(await tracker.kinds.filter { $0 != "connect" }.prefix(2) == ["started", "stopped"])
  }

  @Test func aResetWaitsForNoTracker() async throws {
    let world = try await PeerWorld()
    let tracker = try await tracker(for: world, { _, _ in [] })
    for number in 100...139 {
      let hash = String(repeating: "0", count: 37) + "\(number)"
      let body = #"{"magnet":"magnet:?xt=urn:btih:\#(hash)","trackers":["\#(try tracker.url())"]}"#
      #expect(try await world.ask("POST", "/v1/torrents", body).status == 201)
    }
    try await world.api.torrents.removeAll()
    #expect(try await world.ask("GET", "/v1/torrents").items.isEmpty)
    #expect(try world.around.store.load().isEmpty)
  }
}

extension MetainfoBuilder {
  fileprivate static func file(of info: TorrentInfo) -> [UInt8] {
    Metainfo.encode(info: Array(info.octets), tiers: [], webSeeds: [])
  }
}
