import EventLoop
import HTTPServer
import HTTPWire
import Octets
import ServiceKit
import Testing
import TorrentWire

@testable import Peer

/// Web seeds as HTTP has them (BEP 19, RFC 9110).
@Suite(.timeLimit(.minutes(1))) struct WebServerTests {
  /// A peer and a web server in one: `/film.bin` is the film, and `/to/N` leads N times from one address to the next.
  private func world(_ more: @escaping @Sendable (Router) -> Void = { _ in }) async throws -> PeerWorld {
    try await PeerWorld { router in
      router.get("/film.bin") { request in
        let ends = (request.header("range") ?? "").dropFirst(6).split(separator: "-").compactMap { Int($0) }
        let part = Array(PeerWorld.content[ends[0]...ends[1]])
        return .octets(part, type: "application/octet-stream", status: .partialContent).with(
          "content-range", "bytes \(ends[0])-\(ends[1])/\(PeerWorld.content.count)")
      }
      router.get("/to/{n}") { request in
        let count = Int(request.parameter("n")) ?? 0
        return .empty(302).with("location", count > 1 ? "\(count - 1)" : "/film.bin")
      }
      router.get("/away") { _ in .empty(301).with("location", "http://10.1.2.3/film.bin") }
      router.get("/file") { _ in .empty(301).with("location", "file:///etc/passwd") }
      more(router)
    }
  }

  private func add(_ world: PeerWorld, _ path: String) async throws -> String {
    let metainfo = try Metainfo(decoding: try PeerWorld.torrent()[...])
    return try await world.add(
      Metainfo.encode(info: Array(metainfo.info.octets), tiers: [], webSeeds: ["http://\(world.address)\(path)"]))
  }

  private func onlySeed(_ world: PeerWorld, _ place: String) async throws -> JSONValue {
    try #require(try await world.ask("GET", place + "/web-seeds").items.first)
  }

  private func failure(_ path: String) async throws -> String {
    let world = try await world()
    let place = try await add(world, path)
    try await world.until("it rests") { try await onlySeed(world, place)["state"]?.text == "resting" }
    let seed = try await onlySeed(world, place)
    #expect(seed["failures"]?.number == 1)
    return seed["error"]?.text ?? ""
  }

  @Test func whereItLeadsIsFollowed() async throws {
    let world = try await world()
    let place = try await add(world, "/to/5")
    try await world.wait(place, "seeding")
    #expect(world.folder.read("film.bin") == PeerWorld.content)
    let seed = try await onlySeed(world, place)
    #expect(seed["url"]?.text == "http://\(world.address)/to/5" && seed["state"]?.text == "waiting")
    #expect(seed["downloaded"]?.number ?? 0 >= PeerWorld.content.count)
    let decisions = try await world.ask("GET", place + "/decisions").items
    let begun = decisions.filter { $0["event"]?.text == "piece.begun" }
    #expect(begun.count == 6 && begun.allSatisfy { $0["web_seed"]?.text == seed["url"]?.text && $0["reason"] != nil })
  }

  @Test func butNotForEver() async throws {
    #expect(try await failure("/to/6").contains("more than 5 times"))
  }

  @Test func norOutOfTheNetworksThatMayBeReached() async throws {
    #expect(try await failure("/away").contains("10.1.2.3"))
  }

  @Test func norToWhatIsNotTheWeb() async throws {
    #expect(try await failure("/file").contains("no web address"))
  }

  @Test func whileItIsPausedNoneWasAsked() async throws {
    let world = try await world()
    let place = try await add(world, "/none")
    try await world.until("it rests") { try await onlySeed(world, place)["state"]?.text == "resting" }
    #expect(try await onlySeed(world, place)["error"]?.text?.contains("404") == true)
    _ = try await world.pause(place, true)
    #expect(try await onlySeed(world, place)["state"]?.text == "waiting")
  }
}
