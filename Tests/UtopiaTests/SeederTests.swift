import EventLoop
import HTTPClient
import HTTPServer
import HTTPWire
import Octets
import Testing

@testable import Utopia

/// A world's seeder and a peer that says of its job what it is told to say.
@Suite(.timeLimit(.minutes(1))) struct SeederTests {
  /// - Parameter job: what the job's state is, as JSON, when it is asked for the n-th time.
  private func seed(_ job: @escaping @Sendable (Int) -> String) async throws -> (asked: Int, outcome: String) {
    let loop = try EventLoop.start(name: "test")
    defer { loop.stop() }
    let asked = Lock(0)
    let answer = { @Sendable (text: String) in Response.octets(Array(text.utf8), type: "application/json") }
    let router = Router()
    router.on(.get, "/v1/torrents") { _ in answer(#"{"items":[]}"#) }
    router.on(.put, "/v1/files/{name}") { _ in answer("{}") }
    router.on(.post, "/v1/torrents") { _ in answer(#"{"id":1,"done":false}"#) }
    router.on(.get, "/v1/jobs/1") { _ in
      answer(
        job(
          asked.withLock {
            $0 += 1
            return $0
          }))
    }
    let address = try HTTPServer(router: router).listen(on: SocketAddress(ip: .loopbackV4, port: 0), loops: [loop])
    let text = """
      network: 127.0
      ports: { dns: 5300, smtp: 2525, submission: 2587, pop3: 2110 }
      hosts:
        peer1: { about: a peer, service: peer, addresses: 127.0.30.11, rest: \(address.port), shares: { a.bin: 16KiB } }
      """
    let world = try World(text, file: "world.yaml", at: .loopback(0))
    let outcome: String
    do {
      outcome = "\(try await Seeder(world, token: nil, through: HTTPClient(on: loop)).run())"
    } catch {
      outcome = "\(error)"
    }
    return (asked.withLock { $0 }, outcome)
  }

  @Test func aJobIsAskedForNowAndThen() async throws {
    let end = Instant.current + .milliseconds(300)
    let (asked, outcome) = try await seed { _ in Instant.current < end ? #"{"done":false}"# : #"{"done":true}"# }
    #expect(asked <= 8 && outcome.hasPrefix("1 made"), "\(asked): \(outcome)")
  }

  @Test func aJobThatFailedIsTheEndOfIt() async throws {
    let (_, outcome) = try await seed { $0 < 100 ? #"{"done":false,"error":"the disk is full"}"# : #"{"done":true}"# }
    #expect(outcome.contains("a.bin: the disk is full"))
  }
}
