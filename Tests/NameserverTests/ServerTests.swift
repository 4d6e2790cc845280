import DNSWire
import EventLoop
import Octets
import ServiceKit
import Testing

@testable import Nameserver

/// The DNS side on real sockets.
struct ServerTests {
  struct Running {
    let loop: EventLoop
    let server: DNSLoop
    let address: SocketAddress

    init(_ text: String, limits: ServerLimits = ServerLimits(), at ip: IPAddress = .loopbackV4) async throws {
      loop = try EventLoop.start(name: "test")
      server = DNSLoop(on: loop, limits: limits, metrics: ServerMetrics(Metrics()), hash: TestServer.hash)
      address = try await DNSLoop.bind(SocketAddress(ip: ip, port: 0), on: [server])
      try await serve(text, version: 1)
    }

    func serve(_ text: String, version: Int) async throws {
      let tree = try ZoneCompiler.compile(try TestServer.zone("example", text), by: TestServer.hash)
      await server.serve(ZoneCatalog([tree]), version: version)
    }

    func connect() async throws -> TCPConnection {
      try await TCPConnection.connect(to: address, on: loop)
    }

    func stop() async {
      await server.drain()
      loop.stop()
    }
  }

  static func query(_ name: String, id: UInt16 = 1) throws -> [UInt8] {
    Message(id: id, question: Question(name: try #require(Name(name)), type: .a)).encoded()
  }

  static func framed(_ message: [UInt8]) -> [UInt8] {
    [UInt8(message.count >> 8), UInt8(message.count & 255)] + message
  }

  /// Reads this many framed messages.
  static func read(_ count: Int, from connection: TCPConnection) async throws -> [Message] {
    var octets: [UInt8] = []
    var messages: [Message] = []
    while messages.count < count {
      let more = try await connection.read(timeout: .seconds(20))
      try #require(!more.isEmpty, "the connection ended early")
      octets += more
      while octets.count >= 2, octets.count >= 2 + Int(octets[0]) << 8 + Int(octets[1]) {
        let end = 2 + Int(octets[0]) << 8 + Int(octets[1])
        messages.append(try Message(decoding: Array(octets[2..<end])))
        octets.removeFirst(end)
      }
    }
    return messages
  }

  @Test func pipelinedQueriesAreAnsweredInOrderHoweverTheyAreSplit() async throws {
    let running = try await Running("www A 192.0.2.1\n")
    let stream = try (0..<5).flatMap { ServerTests.framed(try ServerTests.query("www.example", id: $0)) }
    for cut in stride(from: 0, through: stream.count, by: 3) {
      let connection = try await running.connect()
      try await connection.write(Array(stream[..<cut]))
      await running.loop.sleep(for: .milliseconds(1))
      try await connection.write(Array(stream[cut...]))
      let answers = try await ServerTests.read(5, from: connection)
      #expect(answers.map(\.header.id) == [0, 1, 2, 3, 4] && answers.allSatisfy { $0.answers.count == 1 })
      await connection.close()
    }
    await running.stop()
  }

  /// A pipelined query of 30 octets may have an answer of 40,000: no more are made than the client takes.
  @Test func answersAreMadeOnlyWhileTheClientTakesThem() async throws {
    let text = (0..<2500).map { "many A 10.0.\($0 / 250).\($0 % 250)\n" }.joined()
    let running = try await Running(text)
    let stream = try (0..<300).flatMap { ServerTests.framed(try ServerTests.query("many.example", id: $0)) }
    let (used, made) = await running.server.burst(stream)
    #expect(made > 0 && made <= ServerLimits().burst + 2 + Message.maximumLength && used < stream.count)

    let connection = try await running.connect()
    try await connection.write(stream)
    await connection.finish()
    // Long enough for all of them to be made, if they were.
    await running.loop.sleep(for: .milliseconds(200))
    let answers = try await ServerTests.read(300, from: connection)
    #expect(answers.map(\.header.id) == Array(0..<300) && answers.allSatisfy { $0.answers.count == 2500 })
    await running.stop()
  }

  @Test func whatWasAskedBeforeTheClientFinishedIsAnswered() async throws {
    let running = try await Running("www A 192.0.2.1\n")
    let connection = try await running.connect()
    try await connection.write(ServerTests.framed(try ServerTests.query("www.example")) + [0])
    await connection.finish()
    #expect(try await ServerTests.read(1, from: connection).count == 1)
    #expect(try await connection.read(timeout: .seconds(20)).isEmpty)
    await running.stop()
  }

  @Test func anIdleConnectionEndsAndTooManyAreTurnedAway() async throws {
    var limits = ServerLimits()
    limits.idleTime = .seconds(4)
    limits.connectionsPerAddress = 2
    let running = try await Running("www A 192.0.2.1\n", limits: limits)
    let first = try await running.connect()
    let second = try await running.connect()
    try await first.write(ServerTests.framed(try ServerTests.query("www.example")))
    _ = try await ServerTests.read(1, from: first)
    let third = try await running.connect()
    #expect((try? await third.read(timeout: .seconds(20)))?.isEmpty != false)
    #expect(try await second.read(timeout: .seconds(20)).isEmpty)
    #expect(try await first.read(timeout: .seconds(20)).isEmpty)
    let fourth = try await running.connect()
    try await fourth.write(ServerTests.framed(try ServerTests.query("www.example")))
    #expect(try await ServerTests.read(1, from: fourth).count == 1)
    await running.stop()
  }

  @Test func datagramsAreAnsweredAndAChangeIsServedAtOnce() async throws {
    let running = try await Running("www A 192.0.2.1\n")
    let client = try await DatagramClient(on: running.loop)
    try await client.send(ServerTests.query("www.example", id: 7), to: running.address)
    #expect(try Message(decoding: await client.next()).answers.map(\.data.text) == ["192.0.2.1"])
    try await running.serve("www A 192.0.2.2\n", version: 3)
    try await running.serve("www A 192.0.2.9\n", version: 2)
    try await client.send(ServerTests.query("www.example", id: 8), to: running.address)
    #expect(try Message(decoding: await client.next()).answers.map(\.data.text) == ["192.0.2.2"])
    await running.stop()
  }
}

extension ServerTests {
  @Test(.timeLimit(.minutes(1)), arguments: ["::1", "::"])
  func clientsOverIPv6AreAnswered(at bind: String) async throws {
    let running = try await Running("www A 192.0.2.1\n", at: try #require(IPAddress(bind)))
    let server = SocketAddress(ip: .loopbackV6, port: running.address.port)
    let client = try await DatagramClient(on: running.loop, at: .loopbackV6)
    try await client.send(ServerTests.query("www.example", id: 7), to: server)
    #expect(try Message(decoding: await client.next()).answers.map(\.data.text) == ["192.0.2.1"])
    let connection = try await TCPConnection.connect(to: server, on: running.loop)
    try await connection.write(ServerTests.framed(ServerTests.query("www.example", id: 8)))
    #expect(try await ServerTests.read(1, from: connection).map(\.header.id) == [8])
    await connection.close()
    await running.stop()
  }
}

extension DNSLoop {
  /// How many octets of these are answered at a time, and how many octets that makes.
  func burst(_ octets: [UInt8]) -> (used: Int, made: Int) {
    var output: [UInt8] = []
    let used = unsafe respond(stream: octets.span.bytes, into: &output)
    return (used, output.count)
  }
}

/// Sends datagrams and keeps those that come.
actor DatagramClient: DatagramOwner {
  nonisolated let loop: EventLoop
  nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe loop.asUnownedSerialExecutor() }
  private let socket: UDPSocket
  private var come: [[UInt8]] = []
  private var waiter: CheckedContinuation<[UInt8], Never>?

  init(on loop: EventLoop, at ip: IPAddress = .loopbackV4) async throws {
    self.loop = loop
    socket = try UDPSocket(SocketAddress(ip: ip, port: 0), on: loop)
    try start()
  }

  private func start() throws { try socket.start(self) }

  func send(_ octets: [UInt8], to address: SocketAddress) throws { try socket.send(octets, to: address) }

  func next() async -> [UInt8] {
    if !come.isEmpty { return come.removeFirst() }
    return await withCheckedContinuation { waiter = $0 }
  }

  func received(_ batch: DatagramBatch, on socket: UDPSocket) {
    for index in 0..<batch.count {
      let octets = batch.withOctets(index) { span in
        (0..<span.byteCount).map { unsafe span.unsafeLoad(fromByteOffset: $0, as: UInt8.self) }
      }
      if let waiter {
        self.waiter = nil
        waiter.resume(returning: octets)
      } else {
        come.append(octets)
      }
    }
  }
}
