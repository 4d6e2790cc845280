import EventLoop
import HTTPClient
import HTTPServer
import Octets
import SQL
import Testing
import TorrentWire

@testable import Peer

/// Files that are put there, jobs, bounds and live events.
@Suite(.timeLimit(.minutes(2))) struct ServiceTests {
  private func put(_ world: PeerWorld, _ name: String, _ text: String = "x") async throws -> PeerWorld.Answer {
    try await world.ask("PUT", "/v1/files/\(name)", octets: Array(text.utf8), type: "application/octet-stream")
  }

  @Test func aFileIsPutOnce() async throws {
    let world = try await PeerWorld()
    let stored = try await put(world, "a%20song.mp3", "la la")
    #expect(stored.status == 201 && stored.text("path") == "a song.mp3" && stored.number("length") == 5)
    #expect(stored.header("location") == "/v1/files/a%20song.mp3")
    #expect(world.folder.read("a song.mp3") == Array("la la".utf8))
    #expect(try await put(world, "a%20song.mp3", "other").status == 409)
    #expect(world.folder.read("a song.mp3") == Array("la la".utf8))
    // However much more of it is on its way.
    let large = [UInt8](repeating: 0, count: 20 << 20)
    let again = try await world.ask("PUT", "/v1/files/a%20song.mp3", octets: large, type: "application/octet-stream")
    #expect(again.status == 409)
    world.folder.makeFolder("album")
    #expect(try await put(world, "album").status == 409)
    // No draft is left, once a thread came to it.
    try await world.until("without drafts") { try Folder(world.folder.path).names().count == 2 }
  }

  @Test func twoThatPutOneNameDoNotMixTheirOctets() async throws {
    let world = try await PeerWorld()
    let statuses = try await withThrowingTaskGroup(of: Int.self) { group in
      for octet in UInt8(1)...8 {
        group.addTask {
          let octets = [UInt8](repeating: octet, count: 100_000)
          return try await world.ask("PUT", "/v1/files/x", octets: octets, type: nil).status
        }
      }
      return try await group.reduce(into: []) { $0.append($1) }.sorted()
    }
    #expect(statuses == [201] + Array(repeating: 409, count: 7))
    #expect(Set(world.folder.read("x") ?? []).count == 1 && world.folder.read("x")?.count == 100_000)
    #expect(try Folder(world.folder.path).names().count == 1)
  }

  @Test func whatIsNoNameOfAFileIsRefused() async throws {
    let world = try await PeerWorld()
    for name in ["a%0Ab", "%7F", String(repeating: "x", count: 256), String(repeating: "%C3%A9", count: 128)] {
      let answer = try await put(world, name)
      #expect(answer.status == 422 && answer.field == "name", "\(name): \(answer.body)")
    }
    // These are no paths of a name to begin with.
    for name in ["%2E%2E", "%2E", "..", "a%2Fb", "..%2Felsewhere%2Fx", "a/b", ""] {
      #expect(try await put(world, name).status == 404, "\(name)")
    }
    #expect(try await put(world, "a%00b").status == 400)
    #expect(try Folder(world.folder.path).names().isEmpty && !world.folder.strays.contains("x"))
    // Composed or not: as it was said.
    #expect(try await put(world, "e%CC%81").status == 201)
    #expect(world.folder.read("e\u{301}") == [0x78])
  }

  @Test func aTorrentIsMadeByAJob() async throws {
    let world = try await PeerWorld()
    try world.folder.write(PeerWorld.content, to: "film.bin")
    let body = #"""
      {"path":"film.bin","piece_length":16384,"private":true,"web_seeds":["http://127.0.0.1:1/film.bin"],"paused":true,
      "trackers":["udp://127.0.0.1:1"],"upload_limit":0,"download_limit":4096}
      """#
    let accepted = try await world.ask("POST", "/v1/torrents", body)
    #expect(accepted.status == 202 && accepted.header("location") == "/v1/jobs/1" && accepted.number("id") == 1)
    let job = try await world.job(accepted)
    let place = try #require(job.text("result"))
    #expect(job.number("progress") == 1 && job.text("error") == nil)
    let torrent = try await world.ask("GET", place)
    #expect(
      torrent.flag("private") == true && torrent.text("state") == "paused" && torrent.number("download_limit") == 4096)
    #expect(torrent.number("upload_limit") == 0 && torrent.text("magnet")?.contains("&ws=") == true)
    #expect(try world.around.store.load()[0].uploadLimit == nil)
    let metainfo = try Metainfo(decoding: try await world.ask("GET", place + "/metainfo").octets[...])
    #expect(metainfo.info.isPrivate && metainfo.tiers == [["udp://127.0.0.1:1"]] && metainfo.webSeeds.count == 1)
    // Once more it is here already, which is what was wanted.
    #expect(try await world.job(try await world.ask("POST", "/v1/torrents", body)).text("result") == place)
    // At the same place there is another.
    let other = try await world.job(try await world.ask("POST", "/v1/torrents", #"{"path":"film.bin"}"#))
    #expect(other.text("error")?.contains("film.bin") == true && other.text("result") == nil, "\(other.body)")
    world.api.jobs.reset()
    #expect(try await world.ask("GET", "/v1/jobs/1").status == 404)
  }

  @Test func onlySoManyJobsAreUnderWay() async throws {
    let world = try await PeerWorld()
    try world.folder.write([1], to: "film.bin")
    let jobs = world.api.jobs
    let running = (0..<8).compactMap { _ in jobs.begin() }
    #expect(running.count == 8)
    let refused = try await world.ask("POST", "/v1/torrents", #"{"path":"film.bin"}"#)
    #expect(refused.status == 503 && refused.header("retry-after") == "10")
    running[0].progress(0.12345)
    #expect(try await world.ask("GET", "/v1/jobs/1").body.contains(#""progress":0.123"#))
    running[0].finish(.failure("no"))
    #expect(try await world.ask("GET", "/v1/jobs/1").text("error") == "no")
    #expect(try await world.ask("POST", "/v1/torrents", #"{"path":"film.bin"}"#).status == 202)
    for job in running { job.finish(.success("/")) }
    for _ in 0..<200 { jobs.begin()?.finish(.success("/")) }
    #expect(jobs[1] == nil && jobs[209] != nil)
    let last = try #require(jobs.begin())
    jobs.reset()
    #expect(last.isCancelled && jobs[last.id] == nil)
    #expect(jobs.begin()?.id == last.id + 1)
  }

  @Test func boundsHoldForAll() async throws {
    let world = try await PeerWorld()
    let before = try await world.ask("GET", "/v1/limits")
    #expect(before.number("upload_limit") == 0 && before.number("download_limit") == 0 && !before.tag.isEmpty)
    for (body, field) in [
      (#"{"upload_limit":1}"#, "upload_limit"), (#"{"upload_limit":-5}"#, "upload_limit"),
      (#"{"download_limit":100000000001}"#, "download_limit"), (#"{"download_limit":1.5}"#, "download_limit"),
      (#"{"upload_limit":null}"#, "upload_limit"), (#"{"limit":1024}"#, "limit"),
    ] {
      let answer = try await world.ask("PATCH", "/v1/limits", body)
      #expect(answer.status == 422 && answer.field == field, "\(answer.body)")
    }
    #expect(try await world.ask("PATCH", "/v1/limits", #"{"upload_limit":2048}"#, ifMatch: "\"x\"").status == 412)
    let after = try await world.ask("PATCH", "/v1/limits", #"{"upload_limit":2048}"#, ifMatch: before.tag)
    #expect(after.number("upload_limit") == 2048 && after.number("download_limit") == 0 && after.tag != before.tag)
    #expect(await world.onLoop { world.around.upload.rate } == 2048)
    #expect(try world.around.store.loadLimits()?.upload == 2048)
    #expect(try await world.ask("PATCH", "/v1/limits", #"{"upload_limit":0}"#).tag == before.tag)
    #expect(try world.around.store.loadLimits()?.upload == nil)
  }

  @Test func whatIsNotWrittenDownDoesNotHold() async throws {
    let world = try await PeerWorld()
    let place = try await world.share()
    let tag = try await world.ask("GET", place).tag
    world.around.store.database.close()
    #expect(try await world.ask("PATCH", place, #"{"paused":true,"upload_limit":2048}"#).status == 503)
    #expect(try await world.ask("PATCH", place + "/files/0", #"{"wanted":false}"#).status == 503)
    #expect(try await world.ask("PATCH", "/v1/limits", #"{"upload_limit":2048}"#).status == 503)
    #expect(try await world.ask("DELETE", place + "?data=true").status == 503)
    #expect(await world.onLoop { world.around.upload.rate } == nil && world.folder.exists("film.bin"))
    try await world.wait(place, "seeding")
    #expect(try await world.ask("GET", place).tag == tag)
    let answer = try await world.ask("POST", "/v1/torrents", #"{"magnet":"\#(PeerWorld.magnet)"}"#)
    #expect(answer.status == 503)
    #expect(try await world.ask("GET", "/v1/torrents").items.count == 1)
  }

  @Test func eventsTellWhatHappens() async throws {
    let world = try await PeerWorld()
    let stream = try await world.around.client.stream(
      ClientRequest("GET", "http://\(world.address)/v1/events", headers: [("Authorization", PeerWorld.admin)]))
    #expect(stream.status == 200 && stream.head.header("content-type")?.hasPrefix("text/event-stream") == true)
    let place = try await world.share()
    #expect(try await world.ask("DELETE", place).status == 204)
    var text = ""
    while !text.contains("torrent.removed"), let part = try await stream.next() {
      text += String(decoding: part, as: UTF8.self)
    }
    let names = text.split(separator: "\n").filter { $0.hasPrefix("event:") }.map { $0.dropFirst(7) }
    #expect(
      names == ["torrent.added", "torrent.state", "torrent.state", "torrent.state", "torrent.removed"], "\(text)")
    #expect(text.contains(#""state":"seeding""#) && text.contains(#""info_hash":"\#(place.suffix(40))""#))
  }

  @Test func aTorrentThatFailsSaysWhatToDo() async throws {
    let world = try await PeerWorld()
    try world.folder.write(PeerWorld.content + [1], to: "film.bin")
    let place = try await world.add(try PeerWorld.torrent())
    try await world.wait(place, "failed")
    #expect(try await world.ask("GET", place).text("error")?.contains("move it away") == true)
    #expect(try await world.ask("PATCH", place, #"{"paused":true}"#).text("state") == "paused")
    try Folder(world.folder.path).removeFile("film.bin")
    #expect(try await world.ask("PATCH", place, #"{"paused":false}"#).status == 200)
    try await world.wait(place, "downloading")
  }
}
