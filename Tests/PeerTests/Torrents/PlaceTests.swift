import Glibc
import TorrentWire
import Testing

@testable import Peer

/// What lies where a torrent's files belong, when it begins and when the process starts.
@Suite(.timeLimit(.minutes(1))) struct PlaceTests {
  /// What the run finds that comes next.
  /// - Parameter endsWell: whether the one before ended well.
  private func next(_ world: PeerWorld, endsWell: Bool) async throws -> (Torrents, Torrent) {
    if endsWell { await world.api.torrents.stop() }
    let lastSeen = try await world.around.store.takeLastSeen()
    let torrents = Torrents(world.around)
    await torrents.load(try world.around.store.load().map { StoredTorrent($0, lastSeen[$0.hash]) })
    let torrent = try #require(await torrents.all.first)
    try await settled(world, torrent)
    return (torrents, torrent)
  }

  private func settled(_ world: PeerWorld, _ torrent: Torrent) async throws {
    try await world.until("looked at") {
      let isStill = await !torrent.isStopping
      let state = await torrent.state.name
      return isStill && state != "checking"
    }
  }

  private func error(of torrent: Torrent) async -> String? {
    if case .failed(let words) = await torrent.state { words } else { nil }
  }

  private func resume(_ torrent: Torrent) async throws {
    _ = try await torrent.change(paused: false, upload: nil, download: nil) { _ in }
  }

  // MARK: Gone when the process starts

  @Test(arguments: [true, false]) func filesThatAreGoneWhenTheProcessStartsAreNotFetchedUnasked(endsWell: Bool)
    async throws
  {
    let world = try await PeerWorld()
    _ = try await world.share()
    if endsWell { await world.api.torrents.stop() }
    #expect(unsafe unlink(world.folder.path + "/film.bin") == 0)
    let (_, torrent) = try await next(world, endsWell: false)
    #expect(await error(of: torrent)?.contains("files are gone: film.bin") == true)
    #expect(!world.folder.exists("film.bin"))
    try await resume(torrent)
    try await settled(world, torrent)
    #expect(await torrent.state == .downloading)
    #expect(world.folder.exists("film.bin"))
  }

  /// What a stop has seen to be gone is no better known by the next run.
  @Test func whatWasGoneAtTheEndIsGoneAtTheStart() async throws {
    let world = try await PeerWorld()
    _ = try await world.share()
    #expect(unsafe unlink(world.folder.path + "/film.bin") == 0)
    let (_, torrent) = try await next(world, endsWell: true)
    #expect(await error(of: torrent)?.contains("files are gone: film.bin") == true)
    // It is back, as when its disk is mounted.
    try world.folder.write(PeerWorld.content, to: "film.bin")
    try await resume(torrent)
    try await settled(world, torrent)
    #expect(await torrent.state == .seeding)
  }

  @Test func aCheckNoticesFirstAndBeginsAnewThen() async throws {
    let world = try await PeerWorld()
    let place = try await world.share()
    #expect(unsafe unlink(world.folder.path + "/film.bin") == 0)
    #expect(try await world.ask("POST", place + "/check").status == 202)
    try await world.wait(place, "failed")
    #expect(!world.folder.exists("film.bin"))
    #expect(try await world.ask("POST", place + "/check").status == 202)
    try await world.wait(place, "downloading")
  }

  @Test func aFileThatIsShorterWhenTheProcessStartsIsLookedAt() async throws {
    let world = try await PeerWorld()
    _ = try await world.share()
    await world.api.torrents.stop()
    #expect(unsafe truncate(world.folder.path + "/film.bin", 20_000) == 0)
    let (_, torrent) = try await next(world, endsWell: false)
    let held = await torrent.have?.held
    #expect(held == 1)
  }

  @Test func whatThisPeerMadeAndHasNothingOfGoesOnAfterACrash() async throws {
    let world = try await PeerWorld()
    let place = try await world.add(try PeerWorld.torrent())
    try await world.wait(place, "downloading")
    // Some blocks had come, and no whole piece.
    try world.folder.write(Array(repeating: 7, count: 1000) + Array(repeating: 0, count: 89_000), to: "film.bin")
    let (_, torrent) = try await next(world, endsWell: false)
    #expect(await torrent.state == .downloading)
  }

  @Test func aPauseAmidTheFirstLookTakesNothingForGone() async throws {
    let world = try await PeerWorld()
    let barrier = Barrier(in: world.around.checks)
    let place = try await world.add(PeerWorld.manyFiles(100))
    async let paused = world.pause(place, true)
    try await world.until("stopping") { try await world.torrent(place).isStopping }
    barrier.open()
    _ = try await paused
    _ = try await world.pause(place, false)
    try await world.wait(place, "downloading")
  }

  // MARK: Something else is there

  private static let foreign = Array(repeatElement(Array("my diary\n".utf8), count: 1000).joined())

  @Test func whatOthersPutThereIsNotWrittenOverUnasked() async throws {
    let world = try await PeerWorld()
    try world.folder.write(Self.foreign, to: "film.bin")
    let place = try await world.add(try PeerWorld.torrent())
    try await world.wait(place, "failed")
    #expect(try await world.ask("GET", place).text("error")?.contains("film.bin is in the download folder") == true)
    // To look again says nothing else, nor does the next run.
    #expect(try await world.ask("POST", place + "/check").status == 202)
    try await world.wait(place, "failed")
    let (_, torrent) = try await next(world, endsWell: false)
    #expect(await error(of: torrent)?.contains("film.bin is in the download folder") == true)
    #expect(world.folder.read("film.bin") == Self.foreign)
    try await resume(torrent)
    try await settled(world, torrent)
    #expect(await torrent.state == .downloading)
    #expect(world.folder.status("film.bin")?.st_size == 90_000)
  }

  @Test func whatOthersPutThereStaysWhenTheTorrentGoes() async throws {
    let world = try await PeerWorld()
    try world.folder.write(Self.foreign, to: "film.bin")
    let place = try await world.add(try PeerWorld.torrent())
    try await world.wait(place, "failed")
    #expect(try await world.ask("DELETE", place + "?data=true").status == 204)
    #expect(world.folder.read("film.bin") == Self.foreign)
  }

  /// Of a magnet link it is not known before where its files belong (BEP 9).
  @Test func norWhenAMagnetLinkComesToBeKnown() async throws {
    let (seeder, leecher) = (try await PeerWorld(), try await PeerWorld())
    let place = try await seeder.share()
    let magnet = try #require(try await seeder.ask("GET", place).text("magnet"))
    try leecher.folder.write(Self.foreign, to: "film.bin")
    #expect(try await leecher.ask("POST", "/v1/torrents", #"{"magnet":"\#(magnet)"}"#).status == 201)
    try await leecher.call(seeder, for: place)
    try await leecher.wait(place, "failed")
    #expect(leecher.folder.read("film.bin") == Self.foreign)
    _ = try await leecher.pause(place, false)
    try await leecher.wait(place, "downloading")
    try await leecher.call(seeder, for: place)
    try await leecher.wait(place, "seeding")
    #expect(leecher.folder.read("film.bin") == PeerWorld.content)
  }

  @Test func aPartOfTheTorrentIsTakenForIt() async throws {
    let world = try await PeerWorld()
    // Its first piece is spoilt.
    let content = [0] + PeerWorld.content.dropFirst().prefix(40_000)
    try world.folder.write(content, to: "film.bin")
    let place = try await world.add(try PeerWorld.torrent())
    try await world.wait(place, "downloading")
    #expect(try await world.ask("GET", place).number("pieces_here") == 1)
  }

  /// A torrent with a piece of zeros, and somebody's file that has zeros there too: it may be another disk's image.
  @Test func zerosProveNothing() async throws {
    let world = try await PeerWorld()
    let zeros = [UInt8](repeating: 0, count: 16_384)
    try world.folder.write(zeros + Self.foreign, to: "film.bin")
    let place = try await world.add(try PeerWorld.torrent("film.bin", zeros + PeerWorld.content))
    try await world.wait(place, "failed")
    #expect(world.folder.read("film.bin") == zeros + Self.foreign)
    // Where nothing else is to be there, it is right.
    try world.folder.write(zeros, to: "zeros.bin")
    try await world.wait(try await world.add(try PeerWorld.torrent("zeros.bin", zeros)), "seeding")
  }

  @Test func roomThatWasTakenAloneIsNobodys() async throws {
    let world = try await PeerWorld()
    try world.folder.write([], to: "film.bin")
    #expect(unsafe truncate(world.folder.path + "/film.bin", 90_000) == 0)
    let place = try await world.add(try PeerWorld.torrent())
    try await world.wait(place, "downloading")
  }

  @Test func aChoiceOfFilesMakesNothingBeforeTheTorrentBegins() async throws {
    let world = try await PeerWorld()
    let file = PeerWorld.manyFiles(2)
    let answer = try await world.ask(
      "POST", "/v1/torrents?paused=true", octets: file, type: "application/x-bittorrent")
    let place = try #require(answer.header("location"))
    for wanted in [false, true] {
      #expect(try await world.ask("PATCH", place + "/files/1", #"{"wanted":\#(wanted)}"#).status == 200)
    }
    #expect(!world.folder.exists("many"))
  }
}
