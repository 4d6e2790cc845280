import HTTPClient
import HTTPServer
import HTTPWire
import Octets
import ServiceKit
import Testing
import TorrentWire

@testable import Peer

/// `/v1/torrents`: what is taken, and what is refused and why.
@Suite(.timeLimit(.minutes(2))) struct TorrentTests {
  static let unknown = "/v1/torrents/" + String(repeating: "0", count: 40)

  @Test func aTorrentMayWaitUntilFilesAreChosen() async throws {
    let world = try await PeerWorld()
    let file = try PeerWorld.torrent()
    let type = "application/x-bittorrent"
    let odd = try await world.ask("POST", "/v1/torrents?paused=maybe", octets: file, type: type)
    #expect(odd.status == 400 && odd.text("field") == "paused")
    let answer = try await world.ask("POST", "/v1/torrents?paused=true", octets: file, type: type)
    #expect(answer.status == 201 && answer.text("state") == "paused")
    let place = try #require(answer.header("location"))
    let change = try await world.ask("PATCH", place + "/files/0", #"{"wanted":false}"#)
    #expect(change.status == 200)
    #expect(!world.folder.exists("film.bin"))
    let magnet = #"{"magnet":"magnet:?xt=urn:btih:\#(String(repeating: "a", count: 40))"}"#
    #expect(try await world.ask("POST", "/v1/torrents?paused=true", magnet).text("state") == "paused")
  }

  @Test func aTorrentIsAddedShownAndRemoved() async throws {
    let world = try await PeerWorld()
    try world.folder.write(PeerWorld.content, to: "film.bin")
    let file = try PeerWorld.torrent()
    let answer = try await world.ask("POST", "/v1/torrents", octets: file, type: "application/x-bittorrent")
    #expect(answer.status == 201 && !answer.tag.isEmpty)
    let place = try #require(answer.header("location"))
    try await world.wait(place, "seeding")
    let shown = try await world.ask("GET", place)
    #expect(shown.tag == answer.tag && place.hasSuffix(shown.text("info_hash") ?? "?"))
    #expect(shown.text("name") == "film.bin" && shown.number("length") == 90_000 && shown.number("left") == 0)
    #expect(shown.number("pieces") == 6 && shown.number("pieces_here") == 6 && shown.number("progress") == 1)
    #expect(
      try await world.ask("GET", place.uppercased().replacing("/V1/TORRENTS", with: "/v1/torrents")).status == 200)
    #expect(try await world.ask("GET", "/v1/torrents").items.count == 1)
    let metainfo = try await world.ask("GET", place + "/metainfo")
    #expect(metainfo.octets == file && metainfo.header("content-type") == "application/x-bittorrent")
    #expect(try await world.ask("GET", "/v1/totals").number("torrents") == 1)

    let again = try await world.ask("POST", "/v1/torrents", octets: file, type: "application/x-bittorrent")
    #expect(again.status == 409)
    let other = try PeerWorld.torrent("film.bin", Array("something else".utf8))
    let same = try await world.ask("POST", "/v1/torrents", octets: other, type: "application/x-bittorrent")
    #expect(same.status == 409 && same.body.contains("film.bin"))

    #expect(try await world.ask("DELETE", place + "?data=maybe").field == "data")
    #expect(try await world.ask("DELETE", place + "?data=maybe").status == 400)
    #expect(try await world.ask("DELETE", place, ifMatch: "\"other\"").status == 412)
    #expect(try await world.ask("DELETE", place, ifMatch: shown.tag).status == 204)
    #expect(world.folder.exists("film.bin"))
    #expect(try await world.ask("DELETE", place).status == 404)
    let added = try await world.ask("POST", "/v1/torrents", octets: file, type: "application/x-bittorrent; x=y")
    #expect(added.status == 201)
    // What it has not looked at yet may be another's, and would stay.
    try await world.wait(place, "seeding")
    #expect(try await world.ask("DELETE", place + "?data=true").status == 204)
    #expect(!world.folder.exists("film.bin"))
  }

  @Test func whatIsNotThereIs404() async throws {
    let world = try await PeerWorld()
    let paths = [
      ("GET", ""), ("PATCH", ""), ("DELETE", ""), ("GET", "/metainfo"), ("GET", "/pieces"), ("GET", "/decisions"),
      ("GET", "/files"), ("GET", "/files/0"), ("PATCH", "/files/0"), ("GET", "/files/0/content"), ("GET", "/peers"),
      ("POST", "/peers"), ("GET", "/trackers"), ("POST", "/announce"), ("POST", "/check"),
    ]
    for place in [Self.unknown, "/v1/torrents/xyz", "/v1/torrents/" + String(repeating: "g", count: 40)] {
      for (method, path) in paths {
        let answer = try await world.ask(method, place + path, method == "GET" ? nil : "{}")
        #expect(answer.status == 404, "\(method) \(place)\(path)")
        #expect(answer.header("content-type") == "application/problem+json")
      }
    }
    for job in ["0", "1", "x", "9999999999999999999999", "-1", "+1"] {
      #expect(try await world.ask("GET", "/v1/jobs/\(job)").status == 404)
    }
  }

  @Test func aBodyThatIsNoneIsRefusedAndItsFieldNamed() async throws {
    let world = try await PeerWorld()
    let magnet = PeerWorld.magnet
    let many = (0...100).map { #""udp://127.0.0.1:\#($0 + 1)""# }.joined(separator: ",")
    for (body, status, field) in [
      (#"{"magnet":"\#(magnet)","path":"a"}"#, 422, "magnet"), ("{}", 422, "magnet"),
      (#"{"magnet":"\#(magnet)","url":"http://127.0.0.1/x"}"#, 422, "magnet"),
      (#"{"magnet":"\#(magnet)","piece_length":16384}"#, 422, "path"),
      (#"{"magnet":"http://example.org"}"#, 422, "magnet"), (#"{"magnet":"magnet:?xt=urn:btih:123"}"#, 422, "magnet"),
      (#"{"magnet":5}"#, 422, "magnet"), (#"{"magnet":null}"#, 422, "magnet"),
      (#"{"magnet":"\#(magnet)","pieceLength":16384}"#, 422, "piece_length"),
      (#"{"magnet":"\#(magnet)","surprise":1}"#, 422, "surprise"),
      (#"{"magnet":"\#(magnet)","trackers":["http://127.0.0.1/announce","gopher://x"]}"#, 422, "trackers[1]"),
      (#"{"magnet":"\#(magnet)","trackers":["udp://127.0.0.1/x"]}"#, 422, "trackers[0]"),
      (#"{"magnet":"\#(magnet)","trackers":["http://a\u0000b/"]}"#, 422, "trackers[0]"),
      (#"{"magnet":"\#(magnet)","trackers":[1]}"#, 422, "trackers[0]"),
      (#"{"magnet":"\#(magnet)","trackers":[\#(many)]}"#, 422, "trackers"),
      (#"{"magnet":"\#(magnet)","upload_limit":1}"#, 422, "upload_limit"),
      (#"{"magnet":"\#(magnet)","download_limit":-1}"#, 422, "download_limit"),
      (#"{"magnet":"\#(magnet)","download_limit":1e30}"#, 422, "download_limit"),
      (#"{"magnet":"\#(magnet)","paused":"yes"}"#, 422, "paused"),
      (#"{"magnet":"\#(magnet)","magnet":"\#(magnet)"}"#, 422, "magnet"),
      (#"{"url":"ftp://127.0.0.1/x"}"#, 422, "url"), (#"{"url":"http://127.0.0.1/a b"}"#, 422, "url"),
      (#"{"url":"http://192.0.2.1/x"}"#, 422, "url"), (#"{"url":"http://127.0.0.1:1/x"}"#, 422, "url"),
      (#"{"url":"http://\#(world.address)/v1/totals"}"#, 422, "url"),
      (#"{"path":"a","web_seeds":["http://x","ftp://x"]}"#, 422, "web_seeds[1]"),
      (#"{"path":"a","web_seeds":["http://x/\u0001"]}"#, 422, "web_seeds[0]"),
      (#"{"path":"a","piece_length":5}"#, 422, "piece_length"),
      (#"{"path":"a","piece_length":0}"#, 422, "piece_length"),
      (#"{"path":"a","piece_length":33554432}"#, 422, "piece_length"),
      (#"{"path":"a","piece_length":-9223372036854775808}"#, 422, "piece_length"),
      (#"{"path":"absent"}"#, 422, "path"), (#"{"path":""}"#, 422, "path"), (#"{"path":".."}"#, 422, "path"),
      (#"{"path":"../elsewhere"}"#, 422, "path"), (#"{"path":"/etc/passwd"}"#, 422, "path"),
      (#"{"path":"a//b"}"#, 422, "path"), (#"{"path":"."}"#, 422, "path"), (#"{"path":"a\u0000"}"#, 422, "path"),
      (#"{"path":"\u0007"}"#, 422, "path"),
      ("[]", 400, nil), ("\"x\"", 400, nil), ("{", 400, nil), ("", 400, nil), (#"{"magnet":"x",}"#, 400, nil),
      (String(repeating: "[", count: 60_000), 400, nil), (String(repeating: " ", count: 70_000), 413, nil),
    ] as [(String, Int, String?)] {
      let answer = try await world.ask("POST", "/v1/torrents", body)
      #expect(answer.status == status || field == nil && answer.status == 422, "\(body.prefix(100)): \(answer.body)")
      if field != nil { #expect(answer.field == field, "\(body.prefix(100)): \(answer.body)") }
      #expect(answer.number("status") == answer.status)
    }
    #expect(try await world.ask("GET", "/v1/torrents").items.isEmpty)
  }

  @Test func aBodyOfAnotherTypeOrOfTooManyOctetsIsRefused() async throws {
    let world = try await PeerWorld()
    for type in [nil, "text/plain", "application/jsonx"] {
      #expect(try await world.ask("POST", "/v1/torrents", octets: [0x7B, 0x7D], type: type).status == 415)
    }
    let place = try await world.addMagnet()
    for path in [place, "/v1/limits"] {
      #expect(try await world.ask("PATCH", path, octets: [0x7B, 0x7D], type: "text/plain").status == 415)
    }
    let large = [UInt8](repeating: 0x30, count: PeerLimits.metainfo + 1)
    #expect(try await world.ask("POST", "/v1/torrents", octets: large, type: "application/x-bittorrent").status == 413)
    for octets in [Array("le".utf8), [], Array(repeating: 0x6C, count: 1_000_000), Array("d4:infodee".utf8)] {
      let answer = try await world.ask("POST", "/v1/torrents", octets: octets, type: "application/x-bittorrent")
      #expect(answer.status == 422, "\(answer.body)")
    }
  }

  @Test func namesOfStrangersStayNames() async throws {
    let world = try await PeerWorld()
    for name in ["..", ".", "a/b", "", "a\u{0}b", "a\nb", String(repeating: "x", count: 256)] {
      let answer = try await world.ask(
        "POST", "/v1/torrents", octets: try PeerWorld.torrent(name), type: "application/x-bittorrent")
      #expect(answer.status == 422, "\(name)")
    }
    // Composed or not, it is one place.
    let place = try await world.add(try PeerWorld.torrent("\u{E9}", [1]))
    let decomposed = try await world.ask(
      "POST", "/v1/torrents", octets: try PeerWorld.torrent("e\u{301}", [2]), type: "application/x-bittorrent")
    #expect(decomposed.status == 409)
    #expect(try await world.ask("GET", place).text("name")?.unicodeScalars.count == 1)
    // A magnet link's name is shown and nothing else.
    let magnet = "\(PeerWorld.magnet)&dn=%00..%2F%1B%5B31m" + String(repeating: "x", count: 5000)
    let answer = try await world.ask("POST", "/v1/torrents", #"{"magnet":"\#(magnet)"}"#)
    #expect(answer.status == 201 && answer.text("name")?.unicodeScalars.count == 255)
  }

  @Test func whatIsAddedIsAsItWasAskedFor() async throws {
    let world = try await PeerWorld()
    let body = #"""
      {"magnet":"\#(PeerWorld.magnet)&tr=http%3A%2F%2F127.0.0.1%3A1%2Fannounce","trackers":["udp://127.0.0.1:1"],"paused":true,
      "upload_limit":2048,"download_limit":0}
      """#
    let answer = try await world.ask("POST", "/v1/torrents", body)
    #expect(answer.status == 201 && answer.text("state") == "paused")
    #expect(answer.number("upload_limit") == 2048 && answer.number("download_limit") == 0)
    let trackers = try await world.ask("GET", PeerWorld.magnetPlace + "/trackers").items
    #expect(trackers.map { $0["url"]?.text } == ["http://127.0.0.1:1/announce", "udp://127.0.0.1:1"])
    #expect(trackers.map { $0["tier"]?.number } == [0, 1])
    #expect(trackers.allSatisfy { $0["state"]?.text == "waiting" })
    // A bound of 0 is none, at the torrent itself too.
    let hash = try #require(InfoHash(hex: String(PeerWorld.magnetPlace.suffix(40))))
    let torrent = try #require(await world.api.torrents[hash])
    #expect(await torrent.record.downloadLimit == nil)
    #expect(try world.around.store.load().map(\.downloadLimit) == [nil])
  }

  @Test func aTorrentIsFetchedByItsURL() async throws {
    let file = try PeerWorld.torrent()
    let large = [UInt8](repeating: 0, count: PeerLimits.metainfo + 1)
    let world = try await PeerWorld { router in
      router.get("/film.torrent") { _ in .octets(file, type: "application/x-bittorrent") }
      for (path, status, place) in [
        ("/moved", 301, "a/again"), ("/a/again", 307, "../there#x"), ("/there", 302, "/film.torrent"),
        ("/loop", 302, "loop"),
        ("/mail", 302, "mailto:a@b"), ("/outside", 308, "//192.0.2.1/film.torrent"),
      ] {
        router.get(path) { _ in Response.empty(Status(status)).with("location", place) }
      }
      router.get("/large.torrent") { _ in .octets(large, type: "application/x-bittorrent") }
    }
    let url = "http://\(world.address)"
    for (path, words) in [("/loop", "5 times"), ("/mail", "no web address"), ("/outside", "could not be fetched")] {
      let answer = try await world.ask("POST", "/v1/torrents", #"{"url":"\#(url)\#(path)"}"#)
      #expect(answer.field == "url" && answer.body.contains(words), "\(answer.body)")
    }
    #expect(try await world.ask("POST", "/v1/torrents", #"{"url":"\#(url)/moved?x=1"}"#).status == 201)
    #expect(try await world.ask("DELETE", try await world.ask("GET", "/v1/torrents").place(0)).status == 204)
    #expect(try await world.ask("POST", "/v1/torrents", #"{"url":"\#(url)/large.torrent"}"#).field == "url")
    #expect(try await world.ask("POST", "/v1/torrents", #"{"url":"\#(url)/film.torrent"}"#).status == 201)
  }

  @Test func aMagnetLinkWithNobodyToAskSaysSo() async throws {
    let world = try await PeerWorld()
    // A peer outside of the networks that it may reach is none.
    let body = #"{"magnet":"\#(PeerWorld.magnet)&x.pe=192.0.2.1:6881"}"#
    let answer = try await world.ask("POST", "/v1/torrents", body)
    #expect(
      answer.text("state") == "fetching_info" && answer.text("waiting")?.hasPrefix("no tracker, no peer known") == true)
    let place = PeerWorld.magnetPlace
    #expect(try await world.ask("POST", place + "/trackers", #"{"trackers":["udp://127.0.0.1:1"]}"#).status == 200)
    #expect(try await world.ask("GET", place).text("waiting") == nil)
    #expect(try await world.ask("PUT", place + "/trackers", #"{"tiers":[]}"#).status == 200)
    #expect(try await world.ask("GET", place).text("waiting") != nil)
    #expect(try await world.ask("POST", place + "/peers", #"{"address":"127.0.0.1:1"}"#).status == 202)
    #expect(try await world.ask("GET", place).text("waiting") == nil)
    #expect(try await world.pause(place, true).text("waiting") == nil)
  }

  @Test func pausingTwiceIsPausingOnce() async throws {
    let world = try await PeerWorld()
    let place = try await world.share()
    let before = try await world.ask("GET", place)
    #expect(try await world.ask("PATCH", place, #"{"paused":true}"#, ifMatch: "\"0\"").status == 412)
    let paused = try await world.ask("PATCH", place, #"{"paused":true}"#, ifMatch: before.tag)
    #expect(paused.status == 200 && paused.text("state") == "paused" && paused.tag != before.tag)
    let again = try await world.ask("PATCH", place, #"{"paused":true}"#)
    #expect(again.status == 200 && again.tag == paused.tag)
    #expect(try await world.ask("PATCH", place, #"{"paused":false}"#, ifMatch: before.tag).status == 412)
    for _ in 1...2 {
      let resumed = try await world.ask("PATCH", place, #"{"paused":false}"#)
      #expect(resumed.text("state") == "seeding" && resumed.tag == before.tag)
    }
    #expect(try await world.ask("PATCH", place, "{}").tag == before.tag)
    // The last one holds.
    async let one = world.ask("PATCH", place, #"{"paused":true}"#)
    async let other = world.ask("PATCH", place, #"{"paused":false}"#)
    _ = try await (one, other)
    let torrent = try await world.ask("GET", place).text("state")
    #expect(torrent == (try world.around.store.load()[0].isPaused ? "paused" : "seeding"))
    for (body, field) in [
      (#"{"upload_limit":1023}"#, "upload_limit"), (#"{"download_limit":100000000001}"#, "download_limit"),
      (#"{"paused":null}"#, "paused"), (#"{"state":"paused"}"#, "state"), (#"{"uploadLimit":2048}"#, "upload_limit"),
    ] {
      let refused = try await world.ask("PATCH", place, body)
      #expect(refused.status == 422 && refused.field == field, "\(refused.body)")
    }
    let bounded = try await world.ask("PATCH", place, #"{"upload_limit":4096}"#)
    #expect(bounded.number("upload_limit") == 4096)
    #expect(try await world.ask("PATCH", place, #"{"upload_limit":0}"#).number("upload_limit") == 0)
    #expect(try world.around.store.load()[0].uploadLimit == nil)
  }

  @Test func aTorrentAddedAnewIsNotTakenForTheOldOne() async throws {
    let world = try await PeerWorld()
    let place = try await world.addMagnet()
    let old = try await world.ask("GET", place).tag
    #expect(try await world.ask("DELETE", place).status == 204)
    _ = await world.around.clock.advance(to: 10)
    _ = try await world.addMagnet()
    #expect(try await world.ask("PATCH", place, #"{"paused":true}"#, ifMatch: old).status == 412)
  }

  @Test func addingAndRemovingAtOnceLeavesNothingHalf() async throws {
    let world = try await PeerWorld()
    let file = try PeerWorld.torrent()
    let place = try await world.add(file)
    for _ in 1...20 {
      async let removed = world.ask("DELETE", place)
      async let added = world.ask("POST", "/v1/torrents", octets: file, type: "application/x-bittorrent")
      let (first, second) = try await (removed.status, added.status)
      #expect([204, 404].contains(first) && [201, 409].contains(second), "\(first) \(second)")
      // What is said to be here is written down, and the other way round.
      let isHere = try await world.ask("GET", place).status == 200
      #expect(try world.around.store.load().isEmpty == !isHere)
      if !isHere { _ = try await world.add(file) }
    }
  }

  @Test func aListComesInPages() async throws {
    let world = try await PeerWorld()
    for number in 1...5 {
      let hash = String(repeating: "\(number)", count: 40)
      let body = #"{"magnet":"magnet:?xt=urn:btih:\#(hash)","paused":true}"#
      #expect(try await world.ask("POST", "/v1/torrents", body).status == 201)
    }
    var (seen, cursor): ([String], String) = ([], "")
    repeat {
      let page = try await world.ask("GET", "/v1/torrents?limit=2\(cursor)")
      seen += page.items.compactMap { $0["info_hash"]?.text }
      cursor = page.text("next").map { "&cursor=\($0)" } ?? ""
    } while !cursor.isEmpty
    #expect(seen == (1...5).map { String(repeating: "\($0)", count: 40) })
    for (query, field) in [
      ("limit=0", "limit"), ("limit=1001", "limit"), ("limit=x", "limit"), ("cursor=1", "cursor"), ("page=2", "page"),
      ("limit=1&limit=2", "limit"),
    ] {
      let answer = try await world.ask("GET", "/v1/torrents?\(query)")
      #expect(answer.status == 400 && answer.field == field, "\(query)")
    }
  }

  @Test func aPeerTakesNoMoreThanItsBound() async throws {
    var limits = PeerLimits()
    limits.torrents = 1
    let world = try await PeerWorld(limits: limits)
    _ = try await world.addMagnet()
    let answer = try await world.ask(
      "POST", "/v1/torrents", octets: try PeerWorld.torrent(), type: "application/x-bittorrent")
    #expect(answer.status == 409 && answer.body.contains("remove one"))
  }

  @Test func onlyTheAdministratorIsAnswered() async throws {
    let world = try await PeerWorld()
    let client = world.around.client
    for route in world.router.routes {
      let hash = String(repeating: "0", count: 40)
      let path = route.pattern.replacing("{info_hash}", with: hash).filter { $0 != "{" && $0 != "}" }
      let answer = try await client.send(ClientRequest(route.method.rawValue, "http://\(world.address)\(path)"))
      #expect(route.method == .options || answer.status == 401, "\(route.method) \(route.pattern)")
    }
  }

  @Test func methodsAreTold() async throws {
    let world = try await PeerWorld()
    let place = try await world.share()
    let options = try await world.ask("OPTIONS", place)
    #expect(options.status == 204 && options.header("allow")?.contains("PATCH") == true)
    let wrong = try await world.ask("PUT", place, "{}")
    #expect(wrong.status == 405 && wrong.header("allow")?.contains("DELETE") == true)
    for path in [
      "/v1/torrents", place, place + "/files", place + "/metainfo", place + "/files/0/content", "/v1/limits",
    ] {
      let head = try await world.ask("HEAD", path)
      #expect(head.status == 200 && head.octets.isEmpty, "\(path)")
      #expect(try await world.ask("DELETE", "/v1/totals").status == 405)
    }
  }
}

extension PeerWorld.Answer {
  /// Where the torrent stands that a list shows at this place.
  fileprivate func place(_ number: Int) -> String { "/v1/torrents/\(items[number]["info_hash"]?.text ?? "")" }
}
