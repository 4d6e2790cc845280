import EventLoop
import HTTPServer
import Octets
import Testing
import TorrentWire

@testable import Peer

/// Files, pieces, peers, trackers and decisions of a torrent.
@Suite(.timeLimit(.minutes(2))) struct ContentTests {
  @Test func aFileIsReadInParts() async throws {
    let world = try await PeerWorld()
    let place = try await world.share()
    let content = place + "/files/0/content"
    let whole = try await world.ask("GET", content)
    #expect(whole.status == 200 && whole.octets == PeerWorld.content && !whole.tag.isEmpty)
    let part = try await world.ask("GET", content, nil, [("Range", "bytes=6-9")])
    #expect(part.status == 206 && part.body == " mil" && part.header("content-range") == "bytes 6-9/90000")
    #expect(try await world.ask("GET", content, nil, [("Range", "bytes=90000-")]).status == 416)
    #expect(try await world.ask("GET", content, nil, [("If-None-Match", whole.tag)]).status == 304)
    for file in ["1", "-1", "x", "00000000000000000000", "99999999999999999999"] {
      #expect(try await world.ask("GET", "\(place)/files/\(file)/content").status == 404, "\(file)")
      #expect(try await world.ask("GET", "\(place)/files/\(file)").status == 404, "\(file)")
      #expect(try await world.ask("PATCH", "\(place)/files/\(file)", #"{"wanted":true}"#).status == 404, "\(file)")
    }
  }

  @Test func aFileThatIsNotWholeIsNotGiven() async throws {
    let world = try await PeerWorld()
    try world.folder.write(Array(PeerWorld.content.prefix(40_000)), to: "film.bin")
    let place = try await world.add(try PeerWorld.torrent())
    try await world.wait(place, "downloading")
    let answer = try await world.ask("GET", place + "/files/0/content")
    #expect(answer.status == 409 && answer.body.contains("32768 of 90000"), "\(answer.body)")
    #expect(try await world.ask("GET", place + "/pieces").text("states") == "##....")
    let file = try await world.ask("GET", place + "/files/0")
    #expect(file.number("here") == 32768 && file.flag("wanted") == true && file.text("path") == "film.bin")
  }

  @Test func aFileIsLeftOutAndWantedAgain() async throws {
    let world = try await PeerWorld()
    let place = try await world.add(PeerWorld.manyFiles(3))
    try await world.wait(place, "downloading")
    let file = place + "/files/1"
    let before = try await world.ask("GET", file)
    let torrentTag = try await world.ask("GET", place).tag
    #expect(try await world.ask("PATCH", file, #"{"wanted":false}"#, ifMatch: "\"x\"").status == 412)
    let out = try await world.ask("PATCH", file, #"{"wanted":false}"#, ifMatch: before.tag)
    #expect(out.status == 200 && out.flag("wanted") == false && out.tag != before.tag)
    #expect(try await world.ask("GET", place).tag != torrentTag)
    #expect(try await world.ask("GET", place + "/files").items.map { $0["wanted"]?.flag } == [true, false, true])
    let again = try await world.ask("PATCH", file, #"{"wanted":true}"#)
    #expect(again.tag == before.tag)
    // What was taken back is as if it never was.
    #expect(try await world.ask("GET", place).tag == torrentTag)
    for (body, field) in [("{}", "wanted"), (#"{"wanted":1}"#, "wanted"), (#"{"priority":1}"#, "priority")] {
      let answer = try await world.ask("PATCH", file, body)
      #expect(answer.status == 422 && answer.field == field, "\(answer.body)")
    }
    // With all of them left out, nothing is missing.
    for number in 0..<3 {
      #expect(try await world.ask("PATCH", "\(place)/files/\(number)", #"{"wanted":false}"#).status == 200)
    }
    let shown = try await world.ask("GET", place)
    #expect(shown.text("state") == "seeding" && shown.number("left") == 0 && shown.number("progress") == 1)
    #expect(try await world.ask("GET", place + "/pieces").text("states") == "-")
    #expect(try await world.ask("PATCH", place, #"{"paused":true}"#).status == 200)
    #expect(try await world.ask("GET", place + "/pieces").text("states") == "-")
  }

  @Test func manyFilesComeInPages() async throws {
    let world = try await PeerWorld()
    let body = PeerWorld.manyFiles(2500)
    let answer = try await world.ask("POST", "/v1/torrents", octets: body, type: "application/x-bittorrent")
    let place = try #require(answer.header("location"))
    #expect(try await world.ask("GET", place + "/files").items.count == 100)
    var (seen, cursor): ([Int], String) = ([], "")
    repeat {
      let page = try await world.ask("GET", "\(place)/files?limit=1000\(cursor)")
      seen += page.items.compactMap { $0["file"]?.number }
      cursor = page.text("next").map { "&cursor=\($0)" } ?? ""
    } while !cursor.isEmpty
    #expect(seen == Array(0..<2500))
    let behind = try await world.ask("GET", "\(place)/files?cursor=999999999999999")
    #expect(behind.status == 200 && behind.items.isEmpty && behind.text("next") == nil)
    for query in ["cursor=x", "cursor=-1", "cursor=9999999999999999", "limit=0"] {
      #expect(try await world.ask("GET", "\(place)/files?\(query)").status == 400, "\(query)")
    }
  }

  @Test func manyPiecesComeInPages() async throws {
    let world = try await PeerWorld()
    let count = PeerAPI.pieceLimit + 10
    let torrent = MetainfoBuilder(
      name: "long", files: [(path: [], length: Int64(count))], pieceLength: 1,
      hashes: Array(repeating: 0, count: 20 * count)
    ).encoded()
    let place = try await world.add(torrent)
    let first = try await world.ask("GET", place + "/pieces")
    #expect(first.text("states")?.utf8.count == PeerAPI.pieceLimit && first.number("first") == 0)
    let next = try #require(first.text("next"))
    let rest = try await world.ask("GET", "\(place)/pieces?cursor=\(next)")
    #expect(rest.number("first") == PeerAPI.pieceLimit && rest.text("states")?.utf8.count == 10)
    #expect(rest.text("next") == nil && rest.json["availability"]?.list?.count == 10)
    #expect(try await world.ask("GET", "\(place)/pieces?limit=3&cursor=0").text("states")?.utf8.count == 3)
    #expect(try await world.ask("GET", "\(place)/pieces?cursor=999999999999999").text("states") == "")
    #expect(try await world.ask("GET", "\(place)/pieces?limit=65537").field == "limit")
  }

  @Test func aMagnetLinkAloneHasNothingToShow() async throws {
    let world = try await PeerWorld()
    let place = try await world.addMagnet()
    for path in ["/metainfo", "/pieces", "/files", "/files/0", "/files/0/content"] {
      #expect(try await world.ask("GET", place + path).status == 409, "\(path)")
    }
    #expect(try await world.ask("PATCH", place + "/files/0", #"{"wanted":true}"#).status == 409)
    for path in ["/peers", "/trackers", "/decisions"] {
      let answer = try await world.ask("GET", place + path)
      #expect(answer.status == 200 && answer.items.isEmpty, "\(path)")
    }
    #expect(try await world.ask("GET", place).flag("private") == false)
  }

  @Test func aPeerIsCalledAndWhatWasDecidedIsTold() async throws {
    let (seeder, leecher) = (try await PeerWorld(), try await PeerWorld())
    let place = try await seeder.share()
    _ = try await leecher.ask("POST", "/v1/torrents", #"{"magnet":"magnet:?xt=urn:btih:\#(place.suffix(40))"}"#)
    let called = try await leecher.ask("POST", place + "/peers", #"{"address":"\#(seeder.peerAddress)"}"#)
    #expect(called.status == 202)
    try await leecher.wait(place, "seeding")
    #expect(leecher.folder.read("film.bin") == PeerWorld.content)
    #expect(try await leecher.ask("GET", place).number("downloaded") == 90_000)
    #expect(try await seeder.ask("GET", "/v1/totals").number("uploaded") == 90_000)

    var (events, ids, cursor): ([String], [Int], String) = ([], [], "")
    repeat {
      let page = try await leecher.ask("GET", "\(place)/decisions?limit=2\(cursor)")
      events += page.items.compactMap { $0["event"]?.text }
      ids += page.items.compactMap { $0["id"]?.number }
      cursor = page.text("next").map { "&cursor=\($0)" } ?? ""
    } while !cursor.isEmpty
    #expect(ids == Array(1...ids.count) && events.count { $0 == "piece.finished" } == 6)
    for event in ["peer.connected", "torrent.info", "piece.begun", "torrent.completed"] {
      #expect(events.contains(event))
    }
    #expect(try await leecher.ask("GET", place + "/decisions?cursor=999999").items.isEmpty)
    for query in ["cursor=x", "limit=0", "since=1"] {
      #expect(try await leecher.ask("GET", "\(place)/decisions?\(query)").status == 400)
    }
    #expect(try await leecher.ask("GET", place + "/metainfo").octets == (try PeerWorld.torrent()))
  }

  @Test func anAddressThatCantBeCalledIsRefused() async throws {
    let world = try await PeerWorld()
    let place = try await world.addMagnet()
    for address in [
      "192.0.2.1:6881", "10.0.0.1:6881", "[2001:db8::1]:6881", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:65536",
      "localhost:6881", "",
      "127.1:6881", "0.0.0.0:6881",
    ] {
      let answer = try await world.ask("POST", place + "/peers", #"{"address":"\#(address)"}"#)
      #expect(answer.status == 422 && answer.field == "address", "\(address)")
    }
    #expect(try await world.ask("POST", place + "/peers", "{}").field == "address")
    #expect(try await world.ask("POST", place + "/peers", #"{"address":"127.0.0.9:1"}"#).status == 202)
    #expect(try await world.ask("GET", place).number("known_peers") == 1)
  }

  @Test func trackersAreAskedWhenSomebodySaysSo() async throws {
    let asked = Lock(0)
    let world = try await PeerWorld { router in
      router.get("/announce") { _ in
        asked.withLock { $0 += 1 }
        return .octets(
          Array("d14:failure reason\(600):\(String(repeating: "x", count: 600))e".utf8), type: "text/plain")
      }
    }
    _ = try await world.ask(
      "POST", "/v1/torrents", #"{"magnet":"\#(PeerWorld.magnet)","trackers":["http://\#(world.address)/announce"]}"#)
    let place = PeerWorld.magnetPlace
    func failed() async throws -> JSONValue? {
      for _ in 0..<500 {
        if let item = try await world.ask("GET", place + "/trackers").items.first, item["state"]?.text == "failed" {
          return item
        }
        await world.loop.sleep(for: .milliseconds(10))
      }
      return nil
    }
    let tracker = try #require(try await failed())
    #expect(1...500 ~= (tracker["message"]?.text?.count ?? 0) && tracker["tier"]?.number == 0)
    #expect(try await world.ask("POST", place + "/announce").status == 202)
    #expect(try await world.ask("PATCH", place, #"{"paused":true}"#).status == 200)
    #expect(try await world.ask("POST", place + "/announce").status == 409)
    #expect(try await world.ask("GET", place + "/trackers").items.count == 1)
    #expect(asked.withLock { $0 } >= 1)
    let without = try await world.share()
    #expect(try await world.ask("POST", without + "/announce").status == 409)
  }
}
