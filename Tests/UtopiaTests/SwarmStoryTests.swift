import EventLoop
import HTTPClient
import HTTPServer
import HTTPWire
import Octets
import Testing

@testable import Utopia

/// The tour's chapter of the swarm, with peers that say what they are told to say.
@Suite(.timeLimit(.minutes(1))) struct SwarmStoryTests {
  @Test func aChapterThatFailsLeavesNoLinkSlow() async throws {
    let loop = try EventLoop.start(name: "test")
    defer { loop.stop() }
    let limits = Lock<[String]>([])
    let answer = { @Sendable (text: String) in Response.octets(Array(text.utf8), type: "application/json") }
    let router = Router()
    router.on(.get, "/v1/torrents") { _ in answer(#"{"items":[{"info_hash":"ab","magnet":"magnet:?xt=ab"}]}"#) }
    router.on(.delete, "/v1/torrents/ab") { _ in answer("{}") }
    router.on(.patch, "/v1/limits") { request async throws in
      let octets = try await request.collect(upTo: 1000)
      limits.withLock { $0.append(String(decoding: octets, as: UTF8.self)) }
      return answer("{}")
    }
    // The newcomers take no torrent: they have no such door.
    let hosts = try (1...4).map { number in
      let port = try HTTPServer(router: router).listen(on: SocketAddress(ip: .loopbackV4, port: 0), loops: [loop]).port
      return "  peer\(number): { about: a peer, service: peer, addresses: 127.0.30.1\(number), rest: \(port) }"
    }
    let text = """
      network: 127.0
      ports: { dns: 5300, smtp: 2525, submission: 2587, pop3: 2110 }
      hosts:
      \(hosts.joined(separator: "\n"))
      """
    let world = try World(text, file: "world.yaml", at: .loopback(0))
    let stage = Stage(world: world, token: nil, loop: loop, client: HTTPClient(on: loop))
    await #expect(throws: Trouble.self) { try await SwarmStory(stage: stage).play() }
    #expect(limits.withLock { $0 } == [#"{"upload_limit":2000000}"#, #"{"upload_limit":0}"#])
  }
}
