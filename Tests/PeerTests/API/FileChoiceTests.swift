import EventLoop
import HTTPServer
import Octets
import ServiceKit
import Testing
import TorrentWire

@testable import Peer

/// Which files come is said when a torrent is added.
@Suite(.timeLimit(.minutes(1))) struct FileChoiceTests {
  /// Three files; the border of the first two lies within a piece.
  private func torrent() throws -> KnownTorrent {
    try KnownTorrent([("a", 50_000), ("b", 80_000), ("c", 70_000)], pieceLength: 16_384)
  }

  private func file(_ torrent: KnownTorrent) -> [UInt8] { Metainfo.encode(info: Array(torrent.info.octets), tiers: []) }

  private func seeder(_ torrent: KnownTorrent) async throws -> (PeerWorld, place: String) {
    let seeder = try await PeerWorld()
    try torrent.writeAll(torrent.files(in: seeder.folder))
    let place = try await seeder.add(file(torrent))
    try await seeder.wait(place, "seeding")
    return (seeder, place)
  }

  private func wanted(_ world: PeerWorld, _ place: String) async throws -> [Bool?] {
    try await world.ask("GET", place + "/files").items.map { $0["wanted"]?.flag }
  }

  @Test func nothingOfWhatIsLeftOutCame() async throws {
    let torrent = try torrent()
    let (seeder, place) = try await seeder(torrent)
    let leecher = try await PeerWorld()
    let answer = try await leecher.ask(
      "POST", "/v1/torrents?unwanted_files=1,2", octets: file(torrent), type: "application/x-bittorrent")
    #expect(answer.status == 201, "\(answer.body)")
    try await leecher.call(seeder, for: place)
    try await leecher.wait(place, "seeding")
    // Four pieces reach into the first file.
    let shown = try await leecher.ask("GET", place)
    #expect(shown.number("downloaded") == 4 * 16_384 && shown.number("pieces_here") == 4)
    #expect(leecher.folder.read("torrent/a") == torrent.octets(of: 0))
    #expect(!leecher.folder.exists("torrent/c"))
    #expect(try await wanted(leecher, place) == [true, false, false])
  }

  @Test func aMagnetLinksFilesAreChosenBeforeTheyAreKnown() async throws {
    let torrent = try torrent()
    let (seeder, place) = try await seeder(torrent)
    let leecher = try await PeerWorld()
    let body = #"{"magnet":"magnet:?xt=urn:btih:\#(place.suffix(40))","wanted_files":[2,7]}"#
    #expect(try await leecher.ask("POST", "/v1/torrents", body).status == 201)
    // It outlasts a restart.
    #expect(try leecher.around.store.load()[0].chosen == [2, 7])
    try await leecher.call(seeder, for: place)
    try await leecher.wait(place, "seeding")
    #expect(try await leecher.ask("GET", place).number("downloaded") == 200_000 - 7 * 16_384)
    #expect(leecher.folder.read("torrent/c") == torrent.octets(of: 2))
    #expect(!leecher.folder.exists("torrent/a"))
    let record = try leecher.around.store.load()[0]
    #expect(record.chosen == nil && record.unwanted == [0, 1])
  }

  @Test func whereNoneOfThemIsAFileItSaysSo() async throws {
    let (seeder, place) = try await seeder(try torrent())
    let leecher = try await PeerWorld()
    let body = #"{"magnet":"magnet:?xt=urn:btih:\#(place.suffix(40))","wanted_files":[7]}"#
    #expect(try await leecher.ask("POST", "/v1/torrents", body).status == 201)
    try await leecher.call(seeder, for: place)
    try await leecher.wait(place, "failed")
    #expect(try await leecher.ask("GET", place).text("error")?.contains("has 3 files") == true)
    // Nor is it done at the next start, until a file of it is wanted.
    _ = try await leecher.pause(place, false)
    try await leecher.wait(place, "failed")
    #expect(try await leecher.ask("PATCH", place + "/files/2", #"{"wanted":true}"#).status == 200)
    _ = try await leecher.pause(place, false)
    try await leecher.call(seeder, for: place)
    try await leecher.wait(place, "seeding")
    #expect(leecher.folder.exists("torrent/c") && !leecher.folder.exists("torrent/a"))
  }

  @Test func whatAMagnetLinkLeavesOutAndDoesNotHaveIsForgotten() async throws {
    let torrent = try torrent()
    let (seeder, place) = try await seeder(torrent)
    let leecher = try await PeerWorld()
    let body = #"{"magnet":"magnet:?xt=urn:btih:\#(place.suffix(40))","unwanted_files":[0,99999]}"#
    #expect(try await leecher.ask("POST", "/v1/torrents", body).status == 201)
    try await leecher.call(seeder, for: place)
    try await leecher.wait(place, "seeding")
    #expect(try leecher.around.store.load()[0].unwanted == [0])
  }

  @Test func aTorrentOfAURLIsChosenFromToo() async throws {
    let torrent = try torrent()
    let octets = file(torrent)
    let world = try await PeerWorld { $0.get("/a.torrent") { _ in .octets(octets, type: "application/x-bittorrent") } }
    let body = #"{"url":"http://\#(world.address)/a.torrent","wanted_files":[1],"paused":true}"#
    let place = try #require(try await world.ask("POST", "/v1/torrents?wanted_files=0", body).header("location"))
    #expect(try await wanted(world, place) == [false, true, false])
    #expect(try await world.ask("DELETE", place).status == 204)
    let none = #"{"url":"http://\#(world.address)/a.torrent","paused":true}"#
    #expect(try await world.ask("POST", "/v1/torrents?wanted_files=", none).status == 201)
    #expect(try await wanted(world, place) == [false, false, false])
  }

  @Test func whatIsNoFileIsRefused() async throws {
    let world = try await PeerWorld()
    let octets = file(try torrent())
    for (query, status, field) in [
      ("wanted_files=3", 422, "wanted_files[0]"), ("unwanted_files=0,3", 422, "unwanted_files[1]"),
      ("wanted_files=x", 400, "wanted_files"), ("wanted_files=1,", 400, "wanted_files"),
      ("wanted_files=-1", 400, "wanted_files"), ("unwanted_files=99999999999999999999", 400, "unwanted_files"),
      ("wanted_files=0&unwanted_files=1", 422, "unwanted_files"),
    ] {
      let answer = try await world.ask(
        "POST", "/v1/torrents?\(query)", octets: octets, type: "application/x-bittorrent")
      #expect(answer.status == status && answer.field == field, "\(query): \(answer.body)")
    }
    try world.folder.write([1], to: "film.bin")
    for (body, field) in [
      (#"{"magnet":"\#(PeerWorld.magnet)","wanted_files":[100000]}"#, "wanted_files[0]"),
      (#"{"magnet":"\#(PeerWorld.magnet)","wanted_files":[-1]}"#, "wanted_files[0]"),
      (#"{"magnet":"\#(PeerWorld.magnet)","wanted_files":["a"]}"#, "wanted_files[0]"),
      (#"{"magnet":"\#(PeerWorld.magnet)","wanted_files":[],"unwanted_files":[]}"#, "unwanted_files"),
      (#"{"path":"film.bin","wanted_files":[0]}"#, "path"),
    ] {
      let answer = try await world.ask("POST", "/v1/torrents", body)
      #expect(answer.status == 422 && answer.field == field, "\(body): \(answer.body)")
    }
    #expect(try await world.ask("GET", "/v1/torrents").items.isEmpty)
  }
}
