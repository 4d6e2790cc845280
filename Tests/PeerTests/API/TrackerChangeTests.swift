import EventLoop
import HTTPServer
import HTTPWire
import Octets
import SQL
import Testing
import TorrentWire

@testable import Peer

/// Trackers that a person gives to a torrent, or takes from it.
@Suite(.timeLimit(.minutes(1))) struct TrackerChangeTests {
  private func tracker(_ world: PeerWorld, _ script: ScriptedTracker.Script? = nil) async throws -> ScriptedTracker {
    try await ScriptedTracker(on: world.loop, script ?? ScriptedTracker.ordinary(Make.reply(peers: 0)))
  }

  private func told(_ tracker: ScriptedTracker) async -> [String] { await tracker.kinds.filter { $0 != "connect" } }

  private func urls(_ answer: PeerWorld.Answer) -> [String] { answer.items.compactMap { $0["url"]?.text } }

  /// A torrent that nobody has, and that is announced to one tracker.
  private func begun(_ world: PeerWorld, _ tracker: ScriptedTracker) async throws -> String {
    let place = try await world.add(try PeerWorld.torrent(), trackers: [try tracker.url()])
    try await world.until("begun") { await tracker.kinds.contains("started") }
    try await world.until("working") {
      try await world.ask("GET", place + "/trackers").items.first?["state"]?.text == "working"
    }
    return place
  }

  @Test func whatIsAddedIsAskedAtOnceAndWhatIsTakenAwayHearsTheEnd() async throws {
    let world = try await PeerWorld()
    let (one, other) = (try await tracker(world), try await tracker(world))
    let place = try await begun(world, one) + "/trackers"
    let before = try await world.ask("GET", place)
    let body = #"{"trackers":["\#(try other.url())","\#(try one.url())"]}"#
    let added = try await world.ask("POST", place, body, ifMatch: before.tag)
    #expect(added.status == 200 && added.tag != before.tag)
    #expect(try urls(added) == ["\(one.url())", "\(other.url())"] && added.items[1]["tier"]?.number == 1)
    #expect(try world.around.store.load()[0].tiers == [["\(one.url())"], ["\(other.url())"]])
    try await world.until("asked") { await other.kinds.contains("started") }
    // The first goes on as before.
    #expect(await told(one) == ["started"])
    #expect(try await world.ask("DELETE", "\(place)?url=\(try one.url())", ifMatch: before.tag).status == 412)
    #expect(try await world.ask("DELETE", "\(place)?url=\(try one.url())", ifMatch: added.tag).status == 204)
    try await world.until("told of the end") { await told(one) == ["started", "stopped"] }
    #expect(try await urls(world.ask("GET", place)) == ["\(other.url())"])
    #expect(try await world.ask("DELETE", "\(place)?url=\(try one.url())").status == 404)
    _ = try await world.pause(String(place.dropLast(9)), true)
    try await world.until("told of the end") { await told(other) == ["started", "stopped"] }
    #expect(await told(one) == ["started", "stopped"])
  }

  @Test func othersTakeThePlaceOfOneThatIsSilent() async throws {
    let world = try await PeerWorld()
    let (silent, other) = (try await tracker(world) { _, _ in [] }, try await tracker(world))
    let place = try await world.add(try PeerWorld.torrent(), trackers: [try silent.url()]) + "/trackers"
    try await world.until("asked") { await !silent.asked.isEmpty }
    let before = try await world.ask("GET", String(place.dropLast(9)))
    let changed = try await world.ask("PUT", place, #"{"tiers":[[],["\#(try other.url())","\#(try other.url())"]]}"#)
    #expect(try changed.status == 200 && urls(changed) == ["\(other.url())"] && changed.items[0]["tier"]?.number == 0)
    try await world.until("asked") { await told(other) == ["started"] }
    #expect(try await world.ask("GET", String(place.dropLast(9))).tag != before.tag)
    // Without any, there is nobody to tell.
    #expect(urls(try await world.ask("PUT", place, #"{"tiers":[]}"#)).isEmpty)
    try await world.until("told of the end") { await told(other) == ["started", "stopped"] }
    #expect(try await world.ask("POST", String(place.dropLast(8)) + "announce").status == 409)
    #expect(try await world.ask("POST", place, #"{"trackers":["\#(try other.url())"]}"#).status == 200)
    try await world.until("begun again") { await told(other) == ["started", "stopped", "started"] }
  }

  @Test func oneThatAnswersAfterItWasTakenAwayHearsTheEndToo() async throws {
    let (events, mayAnswer) = (Lock<[AnnounceRequest.Event]>([]), Cancellation())
    let world = try await PeerWorld { router in
      router.get("/announce") { request in
        let event = try AnnounceRequest(query: request.head.queryOctets).event
        events.withLock { $0.append(event) }
        while !mayAnswer.isRaised { await request.loop.sleep(for: .milliseconds(2)) }
        return .octets(Make.reply(peers: 0).encoded(.compact), type: "text/plain")
      }
    }
    let place = try await world.add(try PeerWorld.torrent(), trackers: []) + "/trackers"
    try await world.wait(String(place.dropLast(9)), "downloading")
    let body = #"{"tiers":[["http://\#(world.address)/announce"]]}"#
    #expect(try await world.ask("PUT", place, body).status == 200)
    try await world.until("asked") { events.withLock { $0 } == [.started] }
    #expect(try await world.ask("PUT", place, #"{"tiers":[]}"#).items.isEmpty)
    mayAnswer.raise()
    try await world.until("told of the end") { events.withLock { $0 } == [.started, .stopped] }
  }

  @Test func aPrivateTorrentUsesOneTrackerAtATime() async throws {
    let world = try await PeerWorld()
    let (one, other) = (try await tracker(world), try await tracker(world))
    let info = try Make.info(pieces: 2, isPrivate: true)
    let file = Metainfo.encode(info: Array(info.octets), tiers: [])
    let place = try await world.add(file, trackers: [try one.url()]) + "/trackers"
    try await world.until("begun") { await told(one) == ["started"] }
    #expect(try await world.ask("POST", place, #"{"trackers":["\#(try other.url())"]}"#).status == 200)
    try await world.until("asked again") { await told(one) == ["started", "announce"] }
    #expect(await other.asked.isEmpty)
    #expect(try await world.ask("DELETE", "\(place)?url=\(try one.url())").status == 204)
    try await world.until("asked") { await told(other) == ["started"] }
    try await world.until("told of the end") { await told(one).last == "stopped" }
  }

  @Test func aPrivateTorrentsPeersGoWithTheirTracker() async throws {
    let (seeder, leecher) = (try await PeerWorld(), try await PeerWorld())
    let (one, other) = (try await tracker(leecher), try await tracker(leecher))
    try seeder.folder.write(PeerWorld.content, to: "film.bin")
    let making = try await seeder.ask(
      "POST", "/v1/torrents", #"{"path":"film.bin","private":true,"upload_limit":1024}"#)
    let place = try #require(try await seeder.job(making).text("result"))
    try await seeder.wait(place, "seeding")
    let file = try await seeder.ask("GET", place + "/metainfo").octets
    _ = try await leecher.add(file, trackers: [try one.url()])
    try await leecher.until("begun") { await told(one) == ["started"] }
    try await leecher.until("working") {
      try await leecher.ask("GET", place + "/trackers").items.first?["state"]?.text == "working"
    }
    try await leecher.call(seeder, for: place)
    try await leecher.until("connected") { try await leecher.ask("GET", place).number("peers") == 1 }
    // One more takes nobody away.
    #expect(try await leecher.ask("POST", place + "/trackers", #"{"trackers":["\#(try other.url())"]}"#).status == 200)
    #expect(try await leecher.ask("GET", place).number("peers") == 1)
    #expect(try await leecher.ask("DELETE", "\(place)/trackers?url=\(try one.url())").status == 204)
    let left = try await leecher.ask("GET", place)
    #expect(left.number("peers") == 0 && left.number("known_peers") == 0)
    #expect(try await leecher.ask("GET", place + "/decisions").body.contains("the tracker that told of it is left"))
  }

  @Test func aPrivateTorrentsPeersGoWhereAnotherTrackerAnswers() async throws {
    let (seeder, leecher) = (try await PeerWorld(), try await PeerWorld())
    let (one, other) = (try await tracker(leecher), try await tracker(leecher))
    try seeder.folder.write(PeerWorld.content, to: "film.bin")
    let making = try await seeder.ask(
      "POST", "/v1/torrents", #"{"path":"film.bin","private":true,"upload_limit":1024}"#)
    let place = try #require(try await seeder.job(making).text("result"))
    try await seeder.wait(place, "seeding")
    let file = try await seeder.ask("GET", place + "/metainfo").octets
    _ = try await leecher.add(file, trackers: [try one.url()])
    try await leecher.until("working") {
      try await leecher.ask("GET", place + "/trackers").items.first?["state"]?.text == "working"
    }
    try await leecher.call(seeder, for: place)
    try await leecher.until("connected") { try await leecher.ask("GET", place).number("peers") == 1 }
    // The first stays, but another goes before it.
    let body = #"{"tiers":[["\#(try other.url())"],["\#(try one.url())"]]}"#
    #expect(try await leecher.ask("PUT", place + "/trackers", body).status == 200)
    try await leecher.until("parted") {
      let left = try await leecher.ask("GET", place)
      return left.number("peers") == 0 && left.number("known_peers") == 0
    }
    #expect(await told(other) == ["started"])
    // The same one again takes nobody away.
    try await leecher.call(seeder, for: place)
    try await leecher.until("connected") { try await leecher.ask("GET", place).number("peers") == 1 }
    #expect(try await leecher.ask("POST", place + "/announce").status < 300)
    try await leecher.until("asked again") { await told(other).count == 2 }
    #expect(try await leecher.ask("GET", place).number("peers") == 1)
  }

  @Test func whatIsPausedIsToldWhenItGoesOn() async throws {
    let world = try await PeerWorld()
    let (one, other) = (try await tracker(world), try await tracker(world))
    let place = try await begun(world, one)
    _ = try await world.pause(place, true)
    #expect(try await world.ask("PUT", place + "/trackers", #"{"tiers":[["\#(try other.url())"]]}"#).status == 200)
    #expect(await other.asked.isEmpty)
    _ = try await world.pause(place, false)
    try await world.until("begun") { await told(other) == ["started"] }
    #expect(await told(one) == ["started", "stopped"])
  }

  @Test func whatIsNoListOfTrackersIsRefused() async throws {
    let world = try await PeerWorld()
    let place = try await world.addMagnet() + "/trackers"
    let many = (0...64).map { #"["udp://127.0.0.1:\#($0 + 1)"]"# }.joined(separator: ",")
    for (method, body, field) in [
      ("PUT", "{}", "tiers"), ("PUT", #"{"tiers":["udp://127.0.0.1:1"]}"#, "tiers[0]"),
      ("PUT", #"{"tiers":[["udp://127.0.0.1:1","gopher://x"]]}"#, "tiers[0][1]"),
      ("PUT", #"{"tiers":[\#(many)]}"#, "tiers"),
      ("PUT", #"{"tiers":null}"#, "tiers"), ("POST", #"{"trackers":["x"]}"#, "trackers[0]"),
      ("POST", #"{"tiers":[]}"#, "tiers"), ("POST", #"{"trackers":"x"}"#, "trackers"),
    ] {
      let answer = try await world.ask(method, place, body)
      #expect(answer.status == 422 && answer.field == field, "\(body.prefix(100)): \(answer.body)")
    }
    let full = (1...64).map { #"["udp://127.0.0.1:\#($0)"]"# }.joined(separator: ",")
    #expect(try await world.ask("PUT", place, #"{"tiers":[\#(full)]}"#).items.count == 64)
    #expect(try await world.ask("POST", place, #"{"trackers":["udp://127.0.0.1:65"]}"#).field == "trackers")
    #expect(try await world.ask("POST", place, #"{"trackers":["udp://127.0.0.1:64"]}"#).status == 200)
    for query in ["", "?url=x", "?url=udp://127.0.0.1:99"] {
      #expect(try await world.ask("DELETE", place + query).status == (query.isEmpty ? 400 : 404), "\(query)")
    }
    // What is not written down does not hold.
    let before = try await world.ask("GET", place)
    world.around.store.database.close()
    #expect(try await world.ask("PUT", place, #"{"tiers":[]}"#).status == 503)
    let after = try await world.ask("GET", place)
    #expect(after.tag == before.tag && after.items.count == 64)
  }
}
