import EventLoop
import Glibc
import Octets
import SQL
import Testing
import TorrentWire

@testable import Peer

/// Files that somebody takes away from under a torrent, and what earlier runs left behind.
@Suite(.timeLimit(.minutes(1))) struct GoneFilesTests {
  @Test func aStartLooksAgainAtFilesThatWereShorter() async throws {
    let (seeder, leecher) = (try await PeerWorld(), try await PeerWorld())
    let place = try await seeder.share()
    #expect(unsafe truncate(seeder.folder.path + "/film.bin", 20_000) == 0)
    _ = try await leecher.add(try PeerWorld.torrent())
    try await leecher.call(seeder, for: place)
    try await seeder.wait(place, "failed")
    let failed = try await seeder.ask("GET", place)
    #expect(failed.text("error")?.contains("put them back") == true && failed.number("pieces_here") == nil)
    _ = try await seeder.pause(place, false)
    try await seeder.wait(place, "downloading")
    #expect(try await seeder.ask("GET", place).number("pieces_here") == 1)
    #expect(seeder.folder.status("film.bin")?.st_size == 90_000)
  }

  @Test func whatIsTakenAwayDuringAPauseIsMissed() async throws {
    let world = try await PeerWorld()
    let place = try await world.share()
    _ = try await world.pause(place, true)
    #expect(unsafe unlink(world.folder.path + "/film.bin") == 0)
    _ = try await world.pause(place, false)
    try await world.wait(place, "failed")
    try world.folder.write(PeerWorld.content, to: "film.bin")
    _ = try await world.pause(place, false)
    try await world.wait(place, "seeding")
  }

  @Test func whatIsTakenAwayDuringADownloadIsMissedInTheEnd() async throws {
    let (seeder, leecher) = (try await PeerWorld(), try await PeerWorld())
    let place = try await seeder.share()
    _ = try await leecher.add(try PeerWorld.torrent())
    _ = try await leecher.ask("PATCH", place, #"{"download_limit":16384}"#)
    try await leecher.call(seeder, for: place)
    try await leecher.until("a piece") { (try await leecher.ask("GET", place).number("pieces_here") ?? 0) > 0 }
    #expect(unsafe unlink(leecher.folder.path + "/film.bin") == 0)
    _ = try await leecher.ask("PATCH", place, #"{"download_limit":0}"#)
    try await leecher.wait(place, "failed")
    #expect(try await !leecher.ask("GET", place + "/decisions").body.contains("torrent.completed"))
    // It is fetched anew.
    _ = try await leecher.pause(place, false)
    try await leecher.wait(place, "downloading")
    try await leecher.call(seeder, for: place)
    try await leecher.wait(place, "seeding")
    #expect(leecher.folder.read("film.bin") == PeerWorld.content)
  }

  @Test func draftsOfAKilledRunGo() throws {
    let folder = DownloadFolder()
    for name in [".upload-5", ".upload-6", ".upload-x", ".upload-", "film.bin"] { try folder.write([1], to: name) }
    let upload = try #require(try FileUpload("new", in: folder.path))
    try FileUpload.removeDrafts(in: folder.path, besides: [".upload-6"])
    #expect(!folder.exists(".upload-5"))
    #expect([".upload-6", ".upload-x", ".upload-", "film.bin"].allSatisfy { folder.exists($0) })
    // One that is being written stays.
    try upload.append([1, 2, 3])
    #expect(try upload.finish())
    #expect(folder.read("new") == [1, 2, 3])
  }

  @Test func oneRecordThatCannotBeReadKeepsNoOtherFromBeginning() async throws {
    let world = try await PeerWorld()
    let place = try await world.share()
    _ = try await world.addMagnet()
    let store = world.around.store
    try await store.database.write { connection in
      try connection.run("UPDATE torrent SET tiers = 'x' WHERE info IS NULL")
      try connection.run("UPDATE torrent SET info = X'6465' WHERE info IS NOT NULL")
    }
    let skipped = Lock(0)
    let records = try store.load { _ in skipped.withLock { $0 += 1 } }
    #expect(records.count == 1 && skipped.withLock { $0 } == 1)
    let stored = records.map { StoredTorrent($0) }
    #expect(stored[0].fault != nil)
    let torrents = Torrents(world.around)
    await torrents.load(stored)
    let torrent = try #require(await torrents.all.first)
    let state = await torrent.state
    #expect(state.name == "failed" && place.hasSuffix("\(torrent.infoHash)"))
  }

  /// What a run finds that comes after a clean end.
  private func next(_ world: PeerWorld) async throws -> Torrent {
    let lastSeen = try await world.around.store.takeLastSeen()
    let torrents = Torrents(world.around)
    await torrents.load(try world.around.store.load().map { StoredTorrent($0, lastSeen[$0.hash]) })
    let torrent = try #require(await torrents.all.first)
    try await world.until("looked at") { await torrent.state.name != "checking" }
    return torrent
  }

  @Test func whatNobodyTouchedSinceACleanEndIsNotReadAgain() async throws {
    let world = try await PeerWorld()
    _ = try await world.share()
    await world.api.torrents.stop()
    let before = try #require(world.folder.status("film.bin"))
    // Nobody can see from outside that it was changed, so that it shows who reads it.
    try world.folder.write([0], to: "film.bin")
    var times = [before.st_atim, before.st_mtim]
    #expect(unsafe utimensat(AT_FDCWD, world.folder.path + "/film.bin", &times, 0) == 0)
    #expect(try await next(world).have?.held == 6)
    // That run has not ended well.
    #expect(try await next(world).have?.held == 5)
  }

  @Test func whatSomebodyTouchedIsReadAgain() async throws {
    let world = try await PeerWorld()
    _ = try await world.share()
    await world.api.torrents.stop()
    try world.folder.write([0], to: "film.bin")
    #expect(try await next(world).have?.held == 5)
  }

  @Test func aCheckReadsAllAgain() async throws {
    let world = try await PeerWorld()
    let place = try await world.share()
    try world.folder.write([0], to: "film.bin")
    #expect(try await world.ask("POST", place + "/check").status == 202)
    try await world.wait(place, "downloading")
    #expect(try await world.ask("GET", place).number("pieces_here") == 5)
    _ = try await world.pause(place, true)
    #expect(try await world.ask("POST", place + "/check").status == 409)
    #expect(try await world.ask("POST", try await world.addMagnet() + "/check").status == 409)
  }
}
