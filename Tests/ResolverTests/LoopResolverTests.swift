import DNSWire
import EventLoop
import Octets
import Testing

@testable import Resolver

/// A server on a real socket that says what a closure tells it to, over UDP; TCP gets the answers to what was truncated.
actor WireServer: DatagramOwner {
  nonisolated let loop: EventLoop
  nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe loop.asUnownedSerialExecutor() }
  private let reply: @Sendable (Message) -> [Message]
  private var socket: UDPSocket?
  private(set) var asked = 0

  init(on loop: EventLoop, _ reply: @escaping @Sendable (Message) -> [Message]) {
    self.loop = loop
    self.reply = reply
  }

  func listen() throws -> SocketAddress {
    let socket = try UDPSocket(SocketAddress(ip: .loopbackV4, port: 0), on: loop)
    try socket.start(self)
    self.socket = socket
    return socket.address
  }

  func received(_ batch: DatagramBatch, on socket: UDPSocket) {
    for index in 0..<batch.count {
      guard let query = batch.withOctets(index, { try? Message(decoding: $0) }) else { continue }
      asked += 1
      for message in reply(query) { unsafe batch.reply(index, message.encoded().span.bytes) }
    }
  }
}

struct LoopResolverTests {
  /// A resolver that forwards all to one wire server.
  private static func house(
    allowed: String = "127.0.0.0/8", _ reply: @escaping @Sendable (Message) -> [Message]
  ) async throws -> (LoopResolver, SocketAddress, WireServer, EventLoop) {
    let loop = try EventLoop.start(name: "resolver-test")
    let server = WireServer(on: loop, reply)
    let upstream = try await server.listen()
    let setup = LoopResolver.Setup(
      allowed: [try #require(IPNetwork(allowed))], forwarders: [Forwarder(zone: .root, servers: [upstream])],
      clock: { 1000 })
    let resolver = LoopResolver(on: loop, setup)
    let address = try await resolver.listen(SocketAddress(ip: .loopbackV4, port: 0))
    return (resolver, address, server, loop)
  }

  /// Asks over one TCP connection, all queries in one write; answers in whatever order they come.
  private static func ask(_ queries: [Message], _ address: SocketAddress, _ loop: EventLoop) async throws -> [Message] {
    let connection = try await TCPConnection.connect(to: address, on: loop)
    var output: [UInt8] = []
    for query in queries {
      let octets = query.encoded()
      output += [UInt8(octets.count >> 8), UInt8(octets.count & 0xFF)] + octets
    }
    try await connection.write(output)
    var answers: [Message] = []
    var input: [UInt8] = []
    while answers.count < queries.count {
      let octets = try await connection.read(timeout: .seconds(20))
      guard !octets.isEmpty else { break }
      input += octets
      while input.count >= 2, input.count >= 2 + Int(input[0]) << 8 + Int(input[1]) {
        let length = Int(input[0]) << 8 + Int(input[1])
        answers.append(try Message(decoding: Array(input[2..<2 + length])))
        input.removeFirst(2 + length)
      }
    }
    await connection.close()
    return answers
  }

  private static func query(_ name: String, id: UInt16 = 1) throws -> Message {
    Message(id: id, question: Question(name: try #require(Name(name)), type: .a), recursionDesired: true)
  }

  private static func positive(_ query: Message) -> Message {
    var message = Message(respondingTo: query)
    if let name = query.questions.first?.name {
      message.answers = [ResourceRecord(name: name, ttl: 60, data: .address(IPAddress(v4: 0x7F00_0001)))]
    }
    return message
  }

  @Test func aQuestionIsAnsweredOverTheWireAndThenFromTheCache() async throws {
    let (resolver, address, server, loop) = try await Self.house { [Self.positive($0)] }
    for id in UInt16(1)...3 {
      let answers = try await Self.ask([Self.query("a.test", id: id)], address, loop)
      #expect(answers.first?.answers.count == 1 && answers.first?.header.id == id)
    }
    #expect(await server.asked == 1)
    #expect(await resolver.counters.packetHits == 2)
    loop.stop()
  }

  @Test func equalQuestionsShareOneWalk() async throws {
    let (resolver, address, server, loop) = try await Self.house { [Self.positive($0)] }
    let answers = try await Self.ask((1...20).map { try Self.query("a.test", id: $0) }, address, loop)
    #expect(Set(answers.map(\.header.id)) == Set(1...20))
    #expect(await server.asked == 1)
    #expect(await resolver.counters.coalesced + resolver.counters.packetHits == 19)
    loop.stop()
  }

  @Test func forgedResponsesAreNotHeard() async throws {
    let (resolver, address, server, loop) = try await Self.house { query in
      var wrongID = Self.positive(query)
      wrongID.header.id ^= 0x5555
      var wrongName = Self.positive(query)
      wrongName.questions = [Question(name: .root, type: .a)]
      var good = Self.positive(query)
      good.answers[0].ttl = 7
      return [wrongID, wrongName, good]
    }
    let answers = try await Self.ask([Self.query("a.test")], address, loop)
    #expect(answers.first?.answers.map(\.ttl) == [7])
    #expect(await resolver.counters.foreignResponses == 2)
    #expect(await server.asked == 1)
    loop.stop()
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
    let answers = try await Self.ask((1...5).map { try Self.query("a.test", id: $0) }, address, loop)
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
    let answers = try await Self.ask([Self.query("big.test")], address, loop)
    #expect(answers.first?.answers.count == 200)
    #expect(await outer.counters.udpQueries == 1)
    #expect(await outer.counters.tcpQueries == 1)
    loop.stop()
  }

  @Test func strangersAreRefused() async throws {
    let (resolver, address, server, loop) = try await Self.house(allowed: "10.0.0.0/8") { [Self.positive($0)] }
    let answers = try await Self.ask([Self.query("a.test")], address, loop)
    #expect(answers.first?.header.responseCode == .refused)
    #expect(await server.asked == 0)
    #expect(await resolver.counters.refused == 1)
    loop.stop()
  }

  @Test func idsDifferFromQueryToQuery() async throws {
    let seen = Lock<[UInt16]>([])
    let (resolver, address, server, loop) = try await Self.house { query in
      seen.withLock { $0.append(query.header.id) }
      return [Self.positive(query)]
    }
    _ = try await Self.ask((1...50).map { try Self.query("n\($0).test", id: $0) }, address, loop)
    #expect(Set(seen.withLock { $0 }).count > 40)
    #expect(await server.asked == 50)
    #expect(await resolver.counters.walks == 50)
    loop.stop()
  }

  @Test func drainingAnswersWhatIsUnderWay() async throws {
    let (resolver, address, server, loop) = try await Self.house { [Self.positive($0)] }
    _ = try await Self.ask([Self.query("a.test")], address, loop)
    await resolver.drain()
    #expect(await server.asked == 1)
    #expect(await resolver.sessions.isEmpty)
    await #expect(throws: IOError.self) { try await Self.ask([Self.query("a.test")], address, loop) }
    loop.stop()
  }
}

extension LoopResolver {
  /// Puts records into the cache.
  fileprivate func keep(_ records: [ResourceRecord]) {
    knowledge.cache.insert(records, .answer, now: setup.clock())
  }
}
