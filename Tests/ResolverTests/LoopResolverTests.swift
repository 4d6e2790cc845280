import DNSWire
import EventLoop
import Octets
import Testing

@testable import Resolver

struct LoopResolverTests {
  @Test func aQuestionIsAnsweredOverTheWireAndThenFromTheCache() async throws {
    let house = try await House { [Message.positive($0)] }
    for id in UInt16(1)...3 {
      let answers = try await Framed.ask([Message.asking("a.test", id: id)], house.address, house.loop)
      #expect(answers.first?.answers.count == 1 && answers.first?.header.id == id)
    }
    #expect(await house.server.asked == 1)
    #expect(await house.resolver.counters.packetHits == 2)
    house.loop.stop()
  }

  @Test func equalQuestionsShareOneWalk() async throws {
    let house = try await House { [Message.positive($0)] }
    let answers = try await Framed.ask((1...20).map { try Message.asking("a.test", id: $0) }, house.address, house.loop)
    #expect(Set(answers.map(\.header.id)) == Set(1...20))
    #expect(await house.server.asked == 1)
    #expect(await house.resolver.counters.coalesced + house.resolver.counters.packetHits == 19)
    house.loop.stop()
  }

  @Test func forgedResponsesAreNotHeard() async throws {
    let house = try await House { query in
      var wrongID = Message.positive(query)
      wrongID.header.id ^= 0x5555
      var wrongName = Message.positive(query)
      wrongName.questions = [Question(name: .root, type: .a)]
      var good = Message.positive(query)
      good.answers[0].ttl = 7
      return [wrongID, wrongName, good]
    }
    let answers = try await Framed.ask([Message.asking("a.test")], house.address, house.loop)
    #expect(answers.first?.answers.map(\.ttl) == [7])
    #expect(await house.resolver.counters.foreignResponses == 2)
    #expect(await house.server.asked == 1)
    house.loop.stop()
  }

  @Test func whatIsTooMuchForOneLoopIsAnsweredAsAFailure() async throws {
    let loop = try EventLoop.start(name: "resolver-test")
    let server = WireServer(on: loop) { _ in [] }
    let upstream = try await server.listen()
    var setup = LoopResolver.Setup(
      allowed: [try #require(IPNetwork("127.0.0.0/8"))], forwarders: [Forwarder(zone: .root, servers: [upstream])],
      clock: { 1000 })
    setup.limits.waiters = 3
    let resolver = LoopResolver(on: loop, setup)
    let address = try await resolver.listen(SocketAddress(ip: .loopbackV4, port: 0))
    let answers = try await Framed.ask((1...5).map { try Message.asking("a.test", id: $0) }, address, loop)
    // The last two are told at once, the others when the server has been silent for too long.
    #expect(answers.prefix(2).map(\.header.id) == [4, 5])
    #expect(answers.allSatisfy { $0.header.responseCode == .serverFailure } && answers.count == 5)
    #expect(await resolver.waiting == 0)
    loop.stop()
  }

  @Test func aTruncatedAnswerIsFetchedOverTCP() async throws {
    let loop = try EventLoop.start(name: "resolver-test")
    let outer = LoopResolver(
      on: loop,
      LoopResolver.Setup(
        allowed: [try #require(IPNetwork("127.0.0.0/8"))], forwarders: [], clock: { 1000 }))
    // One resolver is the other's server: what it has is larger than a datagram may be.
    let name = try #require(Name("big.test"))
    let records = (0..<200).map {
      ResourceRecord(name: name, ttl: 60, data: .address(IPAddress(v4: 0x0A00_0000 + UInt32($0))))
    }
    await outer.keep(records)
    let upstream = try await outer.listen(SocketAddress(ip: .loopbackV4, port: 0))
    let resolver = LoopResolver(
      on: loop,
      LoopResolver.Setup(
        allowed: [try #require(IPNetwork("127.0.0.0/8"))], forwarders: [Forwarder(zone: .root, servers: [upstream])],
        clock: { 1000 }))
    let address = try await resolver.listen(SocketAddress(ip: .loopbackV4, port: 0))
    let answers = try await Framed.ask([Message.asking("big.test")], address, loop)
    #expect(answers.first?.answers.count == 200)
    #expect(await outer.counters.udpQueries == 1)
    #expect(await outer.counters.tcpQueries == 1)
    loop.stop()
  }

  @Test func strangersAreRefused() async throws {
    let house = try await House(allowed: "10.0.0.0/8") { [Message.positive($0)] }
    let answers = try await Framed.ask([Message.asking("a.test")], house.address, house.loop)
    #expect(answers.first?.header.responseCode == .refused)
    #expect(await house.server.asked == 0)
    #expect(await house.resolver.counters.refused == 1)
    house.loop.stop()
  }

  @Test func idsDifferFromQueryToQuery() async throws {
    let seen = Lock<[UInt16]>([])
    let house = try await House { query in
      seen.withLock { $0.append(query.header.id) }
      return [Message.positive(query)]
    }
    _ = try await Framed.ask((1...50).map { try Message.asking("n\($0).test", id: $0) }, house.address, house.loop)
    #expect(Set(seen.withLock { $0 }).count > 40)
    #expect(await house.server.asked == 50)
    #expect(await house.resolver.counters.walks == 50)
    house.loop.stop()
  }

  @Test func afterDrainingNobodyGetsIn() async throws {
    let house = try await House { [.positive($0)] }
    _ = try await Framed.ask([.asking("a.test")], house.address, house.loop)
    await house.resolver.drain()
    #expect(await house.resolver.sessions.isEmpty)
    await #expect(throws: IOError.self) { try await Framed.ask([.asking("a.test")], house.address, house.loop) }
    // The port is free for whoever comes next.
    let next = try UDPSocket(house.address, on: house.loop)
    house.loop.submit { next.close() }
    house.loop.stop()
  }

  @Test func queriesLeaveFromPortsThatNobodyCanGuess() async throws {
    let house = try await House { [.positive($0)] }
    _ = try await Framed.ask((1...50).map { try .asking("n\($0).test", id: $0) }, house.address, house.loop)
    let ports = await house.server.clients.map { Int($0.port) }
    #expect(Set(ports).count > 40)
    // Neither rising nor falling in step: a port says nothing of the next one.
    let steps = zip(ports, ports.dropFirst()).map { $1 - $0 }
    #expect(Set(steps).count > 40 && steps.contains { $0 < 0 } && steps.contains { $0 > 0 })
    house.loop.stop()
  }

  @Test func aChainOfResolversHandsOnRecursiveQueries() async throws {
    let seen = Lock<[Bool]>([])
    let last = try await House { query in
      seen.withLock { $0.append(query.header.recursionDesired) }
      return [.positive(query)]
    }
    let middle = try await House(change: { $0.forwarders = [Forwarder(zone: .root, servers: [last.address])] }) { _ in
      []
    }
    let first = try await House(change: { $0.forwarders = [Forwarder(zone: .root, servers: [middle.address])] }) { _ in
      []
    }
    let answers = try await Framed.ask([.asking("a.test")], first.address, first.loop)
    #expect(answers.first?.answers.count == 1)
    #expect(seen.withLock { $0 } == [true])
    #expect(await middle.resolver.counters.udpQueries == 1)
    #expect(await last.resolver.counters.udpQueries == 1)
    for house in [first, middle, last] { house.loop.stop() }
  }

  @Test func clientsAndServersSpeakIPv6() async throws {
    let loop = try EventLoop.start(name: "resolver-test")
    let server = WireServer(on: loop) { [.positive($0)] }
    let upstream = try await server.listen(.loopbackV6)
    let house = try await House(
      at: SocketAddress(ip: .loopbackV6, port: 0), allowed: "::1/128",
      change: {
        $0.forwarders = [Forwarder(zone: .root, servers: [upstream])]
        $0.sourceV6 = .loopbackV6
      }
    ) { _ in [] }
    let client = try WireClient(asking: house.address, on: house.loop)
    try await client.send(.asking("a.test"))
    #expect(await client.answers(1).first?.answers.count == 1)
    let answers = try await Framed.ask([.asking("b.test")], house.address, house.loop)
    #expect(answers.first?.answers.count == 1)
    #expect(await server.clients.map(\.ip) == [.loopbackV6, .loopbackV6])
    house.loop.stop()
    loop.stop()
  }
}

extension LoopResolver {
  /// Puts records into the cache.
  fileprivate func keep(_ records: [ResourceRecord]) {
    knowledge.cache.insert(records, .answer, now: setup.clock())
  }
}
