import DNSWire
import EventLoop
import Octets
import Testing

@testable import Resolver

/// A server on a real socket that says what a closure tells it to, over UDP.
actor WireServer: DatagramOwner {
  nonisolated let loop: EventLoop
  nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe loop.asUnownedSerialExecutor() }
  private let reply: @Sendable (Message) -> [Message]
  private var socket: UDPSocket?
  /// Who asked, in order.
  private(set) var clients: [SocketAddress] = []
  var asked: Int { clients.count }
  /// Answers are kept back until `release`.
  private var isHolding = false
  private var held: [(origin: DatagramOrigin, octets: [UInt8])] = []

  init(on loop: EventLoop, _ reply: @escaping @Sendable (Message) -> [Message]) {
    self.loop = loop
    self.reply = reply
  }

  func listen(_ ip: IPAddress = .loopbackV4) throws -> SocketAddress {
    let socket = try UDPSocket(SocketAddress(ip: ip, port: 0), on: loop)
    try socket.start(self)
    self.socket = socket
    return socket.address
  }

  func hold() { isHolding = true }

  func release() {
    isHolding = false
    for (origin, octets) in held { try? socket?.answer(octets, to: origin) }
    held = []
  }

  func received(_ batch: DatagramBatch, on socket: UDPSocket) {
    for index in 0..<batch.count {
      guard let query = batch.withOctets(index, { try? Message(decoding: $0) }) else { continue }
      clients.append(batch.source(index))
      for message in reply(query) {
        if isHolding {
          held.append((batch.origin(index), message.encoded()))
        } else {
          unsafe batch.reply(index, message.encoded().span.bytes)
        }
      }
    }
  }
}

/// A client that hears only the address it asks.
actor WireClient: DatagramOwner {
  nonisolated let loop: EventLoop
  nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe loop.asUnownedSerialExecutor() }
  private let server: SocketAddress
  private let socket: UDPSocket
  private(set) var answers: [Message] = []
  private var isStarted = false

  init(asking server: SocketAddress, on loop: EventLoop) throws {
    self.loop = loop
    self.server = server
    socket = try UDPSocket(asking: server, on: loop)
  }

  func send(_ query: Message) throws {
    if !isStarted { try socket.start(self) }
    isStarted = true
    try socket.send(query.encoded(), to: server)
  }

  func received(_ batch: DatagramBatch, on socket: UDPSocket) {
    for index in 0..<batch.count {
      if let message = batch.withOctets(index, { try? Message(decoding: $0) }) { answers.append(message) }
    }
  }

  /// Waits until so many answers have come.
  func answers(_ count: Int) async -> [Message] {
    while answers.count < count, !Task.isCancelled { await loop.sleep(for: .milliseconds(2)) }
    return answers
  }
}

/// A resolver that forwards all to one wire server, on a loop of its own.
struct House {
  let loop: EventLoop
  let server: WireServer
  let resolver: LoopResolver
  let address: SocketAddress

  init(
    at address: SocketAddress = SocketAddress(ip: .loopbackV4, port: 0), allowed: String = "127.0.0.0/8",
    serverAt upstream: IPAddress = .loopbackV4,
    change: (inout LoopResolver.Setup) -> Void = { _ in }, _ reply: @escaping @Sendable (Message) -> [Message]
  ) async throws {
    loop = try EventLoop.start(name: "resolver-test")
    server = WireServer(on: loop, reply)
    let upstream = try await server.listen(upstream)
    var setup = LoopResolver.Setup(
      allowed: [try #require(IPNetwork(allowed))], forwarders: [Forwarder(zone: .root, servers: [upstream])],
      clock: { 1000 })
    change(&setup)
    resolver = LoopResolver(on: loop, setup)
    self.address = try await resolver.listen(address)
  }
}

/// Queries and answers as they go over TCP (RFC 1035 §4.2.2).
enum Framed {
  static func encode(_ queries: [Message]) -> [UInt8] {
    queries.flatMap { query in
      let octets = query.encoded()
      return [UInt8(octets.count >> 8), UInt8(octets.count & 0xFF)] + octets
    }
  }

  /// Reads so many messages, or fewer where the stream ends first.
  static func read(_ count: Int, from connection: TCPConnection) async throws -> [Message] {
    var answers: [Message] = []
    var input: [UInt8] = []
    while answers.count < count {
      let octets = try await connection.read(timeout: .seconds(20))
      guard !octets.isEmpty else { break }
      input += octets
      while input.count >= 2, input.count >= 2 + Int(input[0]) << 8 + Int(input[1]) {
        let length = Int(input[0]) << 8 + Int(input[1])
        answers.append(try Message(decoding: Array(input[2..<2 + length])))
        input.removeFirst(2 + length)
      }
    }
    return answers
  }

  /// Asks over one connection, all queries in one write; answers in whatever order they come.
  static func ask(_ queries: [Message], _ address: SocketAddress, _ loop: EventLoop) async throws -> [Message] {
    let connection = try await TCPConnection.connect(to: address, on: loop)
    try await connection.write(encode(queries))
    let answers = try await read(queries.count, from: connection)
    await connection.close()
    return answers
  }
}

extension Message {
  /// A query for addresses.
  static func asking(_ name: String, id: UInt16 = 1) throws -> Message {
    Message(id: id, question: Question(name: try #require(Name(name)), type: .a), recursionDesired: true)
  }

  /// The response with one address.
  static func positive(_ query: Message) -> Message {
    var message = Message(respondingTo: query)
    if let name = query.questions.first?.name {
      message.answers = [ResourceRecord(name: name, ttl: 60, data: .address(IPAddress(v4: 0x7F00_0001)))]
    }
    return message
  }
}
