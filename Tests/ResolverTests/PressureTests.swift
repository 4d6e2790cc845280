import DNSWire
import EventLoop
import Glibc
import Octets
import Testing

@testable import Resolver

/// Shutting down, too much at once, and clients that don't do as most do.
@Suite(.timeLimit(.minutes(1))) struct PressureTests {
  @Test func drainingAnswersDatagramsThatWait() async throws {
    let house = try await House { [.positive($0)] }
    await house.server.hold()
    let client = try WireClient(asking: house.address, on: house.loop)
    try await client.send(.asking("a.test"))
    while await house.server.asked == 0, !Task.isCancelled { await house.loop.sleep(for: .milliseconds(2)) }
    async let drained: Void = house.resolver.drain()
    await house.loop.sleep(for: .milliseconds(50))
    await house.server.release()
    #expect(await client.answers(1).first?.answers.count == 1)
    await drained
    house.loop.stop()
  }

  @Test func drainingAnswersWhatAConnectionSentBefore() async throws {
    let house = try await House { [.positive($0)] }
    await house.server.hold()
    let connection = try await TCPConnection.connect(to: house.address, on: house.loop)
    // More than are resolved at once: the rest waits in the session.
    let queries = try (1...150).map { try Message.asking("n\($0).test", id: $0) }
    try await connection.write(Framed.encode(queries))
    while await house.server.asked < 100, !Task.isCancelled { await house.loop.sleep(for: .milliseconds(2)) }
    async let drained: Void = house.resolver.drain()
    await house.loop.sleep(for: .milliseconds(50))
    await house.server.release()
    #expect(Set(try await Framed.read(150, from: connection).map(\.header.id)) == Set(1...150))
    await drained
    await connection.close()
    house.loop.stop()
  }

  @Test func halfAClosedConnectionGetsAllItsAnswers() async throws {
    let house = try await House { [.positive($0)] }
    await house.server.hold()
    let connection = try await TCPConnection.connect(to: house.address, on: house.loop)
    let queries = try (1...250).map { try Message.asking("n\($0).test", id: $0) }
    try await connection.write(Framed.encode(queries))
    await connection.finish()
    while await house.server.asked < 100, !Task.isCancelled { await house.loop.sleep(for: .milliseconds(2)) }
    await house.server.release()
    #expect(Set(try await Framed.read(251, from: connection).map(\.header.id)) == Set(1...250))
    await connection.close()
    house.loop.stop()
  }

  @Test func octetsOfAQueryThatNeverEndsKeepNoConnection() async throws {
    let house = try await House(change: { $0.limits.idle = .milliseconds(100) }) { [.positive($0)] }
    let connection = try await TCPConnection.connect(to: house.address, on: house.loop)
    try await connection.write([0xFF, 0xFF])
    let writing = Task {
      while !Task.isCancelled {
        try await connection.write([0])
        await house.loop.sleep(for: .milliseconds(10))
      }
    }
    // The end of the stream, or a reset that the octets still on their way called for.
    let last = try? await connection.read(timeout: .seconds(30))
    #expect(last ?? [] == [])
    writing.cancel()
    _ = await writing.result
    #expect(await house.resolver.sessions.isEmpty)
    house.loop.stop()
  }

  @Test func overloadIsNotRemembered() async throws {
    let house = try await House(change: {
      $0.limits.lookUps = 1
      $0.limits.leastTime = .seconds(60)
    }) { [.positive($0)] }
    await house.server.hold()
    let client = try WireClient(asking: house.address, on: house.loop)
    try await client.send(.asking("slow.test", id: 1))
    try await client.send(.asking("b.test", id: 2))
    #expect(await client.answers(1).first?.header.responseCode == .serverFailure)
    await house.server.release()
    _ = await client.answers(2)
    // The world's clock stands still, so whatever was remembered would be said again.
    try await client.send(.asking("b.test", id: 3))
    #expect(await client.answers(3).last?.header.responseCode == .noError)
    let outcome = await house.resolver.resolve(
      Question(name: try #require(Name("c.test")), type: .a), cacheOnly: false, tracing: false)
    #expect(outcome.code == .noError)
    house.loop.stop()
  }

  @Test func whatWasAskedBeforeAFlushDoesNotComeBackIntoTheCache() async throws {
    let house = try await House { [.positive($0)] }
    await house.server.hold()
    let client = try WireClient(asking: house.address, on: house.loop)
    try await client.send(.asking("a.test", id: 1))
    while await house.server.asked == 0, !Task.isCancelled { await house.loop.sleep(for: .milliseconds(2)) }
    await house.resolver.flush()
    // Nor does the same question, asked after it, share the old one's answer.
    try await client.send(.asking("a.test", id: 2))
    while await house.server.asked == 1, !Task.isCancelled { await house.loop.sleep(for: .milliseconds(2)) }
    let name = try #require(Name("a.test"))
    await house.resolver.flush(name)
    await house.server.release()
    #expect(await client.answers(2).allSatisfy { $0.answers.count == 1 })
    #expect(await house.resolver.page(from: 0, limit: 10).items.isEmpty)
    try await client.send(.asking("a.test", id: 3))
    _ = await client.answers(3)
    #expect(await house.server.asked == 3)
    #expect(await house.resolver.page(from: 0, limit: 10).items.map(\.name) == ["a.test."])
    house.loop.stop()
  }

  @Test func whatOldWalksKnowIsNotCopiedForEachEventAndGoesWithTheLast() async throws {
    let house = try await House { [.positive($0)] }
    await house.server.hold()
    let client = try WireClient(asking: house.address, on: house.loop)
    try await client.send(.asking("a.test", id: 1))
    try await client.send(.asking("b.test", id: 2))
    while await house.server.asked < 2, !Task.isCancelled { await house.loop.sleep(for: .milliseconds(2)) }
    #expect(await house.resolver.ownersAfterAFlush() == [1])
    #expect(await house.resolver.knowsThePast)
    await house.server.release()
    _ = await client.answers(2)
    #expect(await !house.resolver.knowsThePast)
    // Nobody is left whom the next one could make old.
    await house.resolver.flush()
    #expect(await !house.resolver.knowsThePast)
    house.loop.stop()
  }

  @Test func questionsNobodyAnswersMakeRoomForOthers() async throws {
    let house = try await House(change: {
      $0.limits.lookUps = 3
      $0.limits.leastTime = .zero
    }) { query in
      query.questions.first?.name.description == "good.test." ? [.positive(query)] : []
    }
    let client = try WireClient(asking: house.address, on: house.loop)
    for id in UInt16(1)...5 { try await client.send(.asking("silent\(id).test", id: id)) }
    #expect(await client.answers(2).map(\.header.id) == [1, 2])
    try await client.send(.asking("good.test", id: 6))
    let answers = await client.answers(4)
    #expect(answers.map(\.header.id) == [1, 2, 3, 6])
    #expect(answers.map(\.header.responseCode) == [.serverFailure, .serverFailure, .serverFailure, .noError])
    #expect(await house.resolver.waiting == 2)
    house.loop.stop()
  }

  @Test(arguments: [("socket", EMFILE), ("bind 192.0.2.1:0", EADDRINUSE)])
  func aShortageOfOursBlamesNoServer(call: String, errno: Int32) throws {
    var isShort = true
    let script = Script {
      isShort ? .broken(Breakage(.system(call: call, errno: errno))) : try umass($0)
    }
    let before = script.knowledge.servers.patience(Script.root, now: .zero)
    let outcome = try script.resolve("gaia.cs.umass.edu")
    #expect(outcome.code == .serverFailure && outcome.isPassing)
    #expect(script.asked.count == 1)
    #expect(script.knowledge.servers.patience(Script.root, now: script.steady) == before)
    isShort = false
    #expect(try script.resolve("gaia.cs.umass.edu").code == .noError)
  }

  @Test func aHostWithoutIPv6AsksTheServersThatItCanReach() throws {
    let far = SocketAddress(ip: try #require(IPAddress("2001:db8::1")), port: 5300)
    var met = 0
    for seed in UInt64(1)...8 {
      let script = Script(roots: [far, Script.root], seed: seed) { ask in
        try ask.server.ip.isV4 ? umass(ask) : .broken(Breakage(.system(call: "connect", errno: EADDRNOTAVAIL)))
      }
      #expect(try script.resolve("gaia.cs.umass.edu").code == .noError)
      met += script.asked.count { $0.server == far }
    }
    #expect(met > 0)
  }

  @Test func aServerThatIsNotThereIsPassedOverAtOnce() async throws {
    let loop = try EventLoop.start(name: "resolver-test")
    let gone = try UDPSocket(SocketAddress(ip: .loopbackV4, port: 0), on: loop)
    let dead = gone.address
    await withCheckedContinuation { continuation in
      loop.submit {
        gone.close()
        continuation.resume()
      }
    }
    loop.stop()
    let house = try await House(change: { $0.forwarders = [Forwarder(zone: .root, servers: [dead])] }) { _ in [] }
    let outcome = await house.resolver.resolve(
      Question(name: try #require(Name("a.test")), type: .a), cacheOnly: false, tracing: true)
    #expect(outcome.code == .serverFailure)
    #expect(outcome.steps.compactMap { $0.kind == .query ? $0.result : nil }.allSatisfy { $0 == .unreachable })
    #expect(await house.resolver.counters.upstreamTimeouts == 0)
    house.loop.stop()
  }

  @Test func aWildcardAnswersFromTheAddressThatWasAsked() async throws {
    let house = try await House(at: SocketAddress(ip: .anyV4, port: 0)) { [.positive($0)] }
    let asked = SocketAddress(ip: try #require(IPAddress("127.0.0.5")), port: house.address.port)
    let client = try WireClient(asking: asked, on: house.loop)
    // First when a server has been asked, then from the cache.
    for count in 1...2 {
      try await client.send(.asking("a.test", id: UInt16(count)))
      #expect(await client.answers(count).last?.answers.count == 1)
    }
    house.loop.stop()
  }
}

/// Random numbers that notice, when one is drawn, how many own the knowledge they are part of: one, or more.
private struct Witness: RandomNumberGenerator {
  final class Part {}

  private var part = Part()
  private let seen: Lock<[Int]>

  init(_ seen: Lock<[Int]>) { self.seen = seen }

  mutating func next() -> UInt64 {
    let owners = isKnownUniquelyReferenced(&part) ? 1 : 2
    seen.withLock { $0.append(owners) }
    return .random(in: 0...UInt64.max)
  }
}

extension LoopResolver {
  fileprivate var knowsThePast: Bool { outdated != nil }

  /// Flushes all, lets the oldest walk, which waits for its first exchange, ask again, and says who owned what it drew on.
  fileprivate func ownersAfterAFlush() -> Set<Int> {
    let seen = Lock<[Int]>([])
    knowledge.generator = Witness(seen)
    flush()
    knowledge.generator = SystemRandomNumberGenerator()
    if let oldest = lookUps.keys.min() { tell(oldest, .patienceOver(exchange: 1)) }
    return Set(seen.withLock { $0 })
  }
}
