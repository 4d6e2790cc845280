import Octets
import Testing
import TorrentWire

@testable import Peer

/// What lies in the download folder is listed and deleted.
@Suite(.timeLimit(.minutes(1))) struct StoredFileTests {
  private func put(_ world: PeerWorld, _ name: String, _ octets: [UInt8] = [1]) async throws {
    #expect(try await world.ask("PUT", "/v1/files/\(name)", octets: octets, type: nil).status == 201)
  }

  @Test func filesAreListedInPagesAndNothingElseIs() async throws {
    let world = try await PeerWorld()
    for name in ["b", "a%20%26", "%C3%A9", "c", ".upload-x"] { try await put(world, name, [1, 2, 3]) }
    world.folder.makeFolder("folder")
    world.folder.link("link", to: "/etc/passwd")
    try world.folder.write([1], to: ".upload-5")
    var (seen, cursor): ([String], String) = ([], "")
    repeat {
      let page = try await world.ask("GET", "/v1/files?limit=2\(cursor)")
      seen += page.items.compactMap { $0["path"]?.text }
      #expect(page.items.allSatisfy { $0["length"]?.number == 3 && $0["info_hash"] == nil })
      cursor = page.text("next").map { "&cursor=\(PercentEncoding.encode($0))" } ?? ""
    } while !cursor.isEmpty
    #expect(seen == [".upload-x", "a &", "b", "c", "\u{E9}"])
    for query in ["limit=0", "limit=1001", "page=1", "cursor="] {
      #expect(try await world.ask("GET", "/v1/files?\(query)").status == 400)
    }
    #expect(try await world.ask("GET", "/v1/files?cursor=zzz").items.map { $0["path"]?.text } == ["\u{E9}"])
    #expect(try await world.ask("GET", "/v1/files/a%20%26").number("length") == 3)
  }

  @Test func aFileGoesUnlessATorrentHasIt() async throws {
    let world = try await PeerWorld()
    let place = try await world.share()
    try await put(world, "other")
    let shown = try await world.ask("GET", "/v1/files/film.bin")
    #expect(shown.number("length") == 90_000 && shown.text("info_hash") == String(place.suffix(40)))
    #expect(try await world.ask("GET", "/v1/files").items.map { $0["path"]?.text } == ["film.bin", "other"])
    let refused = try await world.ask("DELETE", "/v1/files/film.bin")
    #expect(refused.status == 409 && refused.body.contains(String(place.suffix(40))), "\(refused.body)")
    // Paused or not.
    _ = try await world.pause(place, true)
    #expect(try await world.ask("DELETE", "/v1/files/film.bin").status == 409)
    #expect(world.folder.exists("film.bin"))
    #expect(try await world.ask("DELETE", "/v1/files/other").status == 204)
    #expect(!world.folder.exists("other"))
    #expect(try await world.ask("DELETE", place).status == 204)
    #expect(try await world.ask("DELETE", "/v1/files/film.bin").status == 204)
    #expect(!world.folder.exists("film.bin"))
  }

  /// Whoever looks at the owners and deletes then would take the file from a torrent that came in between.
  @Test func noTorrentTakesAFileThatIsBeingDeleted() async throws {
    let world = try await PeerWorld()
    try await put(world, "film.bin", PeerWorld.content)
    try await world.api.torrents.beginDeleting("film.bin")
    let making = try await world.ask("POST", "/v1/torrents", #"{"path":"film.bin"}"#)
    #expect(making.status == 409 && making.body.contains("is being deleted"), "\(making.body)")
    let added = try await world.ask(
      "POST", "/v1/torrents", octets: try PeerWorld.torrent(), type: "application/x-bittorrent")
    #expect(added.status == 409 && added.body.contains("is being deleted"), "\(added.body)")
    #expect(try await world.ask("DELETE", "/v1/files/film.bin").status == 409)
    await world.api.torrents.deleted("film.bin")
    _ = try await world.share()
  }

  @Test func whatATorrentIsBeingMadeOfStays() async throws {
    let world = try await PeerWorld()
    try await put(world, "film.bin")
    for _ in 0..<2 { try await world.api.torrents.beginMaking("film.bin") }
    await world.api.torrents.made("film.bin")
    let refused = try await world.ask("DELETE", "/v1/files/film.bin")
    #expect(refused.status == 409 && refused.body.contains("is being made"), "\(refused.body)")
    await world.api.torrents.made("film.bin")
    // A job lets go of it, whatever comes of it.
    let wrong = try await world.ask("POST", "/v1/torrents", #"{"path":"film.bin","piece_length":3}"#)
    #expect(wrong.status == 422)
    let job = try await world.ask("POST", "/v1/torrents", #"{"path":"film.bin"}"#)
    let place = try #require(try await world.job(job).text("result"))
    #expect(try await world.ask("DELETE", place).status == 204)
    #expect(try await world.ask("DELETE", "/v1/files/film.bin").status == 204)
    #expect(!world.folder.exists("film.bin"))
  }

  @Test func whatIsNoFileOfTheFolderStays() async throws {
    let world = try await PeerWorld()
    world.folder.makeFolder("folder")
    world.folder.link("link", to: "/etc/passwd")
    try world.folder.write([1], to: ".upload-5")
    for name in [
      "absent", "folder", "link", ".upload-5", "a%2Fb", "%2E%2E", "a%0Ab", String(repeating: "x", count: 256),
    ] {
      for method in ["GET", "DELETE"] {
        #expect(try await world.ask(method, "/v1/files/\(name)").status == 404, "\(method) \(name)")
      }
    }
    #expect(world.folder.exists("folder") && world.folder.exists("link") && world.folder.exists(".upload-5"))
  }
}
