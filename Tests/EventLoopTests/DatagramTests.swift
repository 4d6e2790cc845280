import CLinux
import Glibc
import Octets
import Testing

@testable import EventLoop

/// Answers each datagram with its octets reversed.
actor Mirror: DatagramOwner {
  nonisolated let loop: EventLoop
  nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe loop.asUnownedSerialExecutor() }
  private(set) var seen: [[UInt8]] = []
  /// Datagrams that came together at most.
  private(set) var largest = 0
  private let answers: Bool

  init(_ loop: EventLoop, answers: Bool) {
    self.loop = loop
    self.answers = answers
  }

  func start(_ socket: UDPSocket, gathersFor time: Duration? = nil) throws { try socket.start(self, gathersFor: time) }

  func received(_ batch: DatagramBatch, on socket: UDPSocket) {
    largest = max(largest, batch.count)
    for index in 0..<batch.count {
      let octets = batch.withOctets(index) { unsafe $0.withUnsafeBytes { unsafe Array($0) } }
      seen.append(octets)
      let reversed = Array(octets.reversed())
      if answers { unsafe batch.reply(index, reversed.span.bytes) }
    }
  }
}

@Test(
  "Datagrams are answered to their senders, from the address they were sent to",
  arguments: ["127.0.0.1", "0.0.0.0", "::1", "::"])
func datagrams(bind: String) async throws {
  let ip = try #require(IPAddress(bind))
  try await withLoop { loop in
    let server = try UDPSocket(SocketAddress(ip: ip, port: 0), on: loop)
    let mirror = Mirror(loop, answers: true)
    try await mirror.start(server)
    let client = try UDPSocket(SocketAddress(ip: ip.isV4 ? .loopbackV4 : .loopbackV6, port: 0), on: loop)
    let ear = Mirror(loop, answers: false)
    try await ear.start(client)
    let target = SocketAddress(ip: ip.isV4 ? .loopbackV4 : .loopbackV6, port: server.address.port)
    for value in 0..<40 { try client.send([UInt8(value), 1, 2], to: target) }
    while await ear.seen.count < 40, !Task.isCancelled { await loop.sleep(for: .milliseconds(1)) }
    #expect(Set(await ear.seen) == Set((0..<40).map { [2, 1, UInt8($0)] }))
    loop.submit {
      client.close()
      server.close()
    }
  }
}

/// Answers each datagram with its own octets, but not before the next turn.
actor LateMirror: DatagramOwner {
  nonisolated let loop: EventLoop
  nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe loop.asUnownedSerialExecutor() }
  private(set) var failures: [IOError] = []
  private(set) var heard = 0

  init(_ loop: EventLoop) { self.loop = loop }

  func start(_ socket: UDPSocket) throws { try socket.start(self) }

  func received(_ batch: DatagramBatch, on socket: UDPSocket) {
    for index in 0..<batch.count {
      heard += 1
      let origin = batch.origin(index)
      let octets = batch.withOctets(index) { unsafe $0.withUnsafeBytes { unsafe Array($0) } }
      loop.after(.zero) { try? socket.answer(octets, to: origin) }
    }
  }

  func failed(_ error: IOError, on socket: UDPSocket) { failures.append(error) }
}

@Test(
  "A late answer too comes from the address that was asked", .timeLimit(.minutes(1)),
  arguments: [("0.0.0.0", "127.0.0.5"), ("::", "127.0.0.5"), ("::", "::1")])
func lateAnswers(bind: String, asked: String) async throws {
  let bind = try #require(IPAddress(bind))
  let asked = try #require(IPAddress(asked))
  try await withLoop { loop in
    let server = try UDPSocket(SocketAddress(ip: bind, port: 0), on: loop)
    let mirror = LateMirror(loop)
    try await mirror.start(server)
    let target = SocketAddress(ip: asked, port: server.address.port)
    // It hears nobody but the address it asks.
    let client = try UDPSocket(asking: target, on: loop)
    let ear = Mirror(loop, answers: false)
    try await ear.start(client)
    try client.send([1, 2, 3], to: target)
    while await ear.seen.isEmpty, !Task.isCancelled { await loop.sleep(for: .milliseconds(1)) }
    #expect(await ear.seen == [[1, 2, 3]])
    loop.submit {
      client.close()
      server.close()
    }
  }
}

@Test("Where nobody listens, a socket that asks hears it at once", .timeLimit(.minutes(1)))
func refusedDatagrams() async throws {
  try await withLoop { loop in
    let gone = try UDPSocket(SocketAddress(ip: .loopbackV4, port: 0), on: loop)
    let client = try UDPSocket(asking: gone.address, on: loop)
    await onLoop(loop) { gone.close() }
    let ear = LateMirror(loop)
    try await ear.start(client)
    try client.send([1], to: gone.address)
    while await ear.failures.isEmpty, !Task.isCancelled { await loop.sleep(for: .milliseconds(1)) }
    #expect(await ear.failures == [.system(call: "recvmmsg", errno: ECONNREFUSED)])
    await onLoop(loop) { client.close() }
  }
}

@Test("A socket whose owner has gone closes, rather than waking its loop for ever")
func ownerlessSocket() async throws {
  try await withLoop { loop in
    let server = try UDPSocket(SocketAddress(ip: .loopbackV4, port: 0), on: loop)
    func startAndLetGo() async throws { try await Mirror(loop, answers: true).start(server) }
    try await startAndLetGo()
    let client = try UDPSocket(SocketAddress(ip: .loopbackV4, port: 0), on: loop)
    try client.send([1], to: server.address)
    await loop.sleep(for: .milliseconds(50))
    let turns = loop.turns
    await loop.sleep(for: .milliseconds(200))
    #expect(loop.turns - turns < 50)
    // Its port is free again.
    let next = try UDPSocket(server.address, on: loop)
    await onLoop(loop) {
      next.close()
      client.close()
    }
  }
}

@Test("A socket that stops receiving takes what has come, no more, and can still answer")
func stopsReceiving() async throws {
  try await withLoop { loop in
    let server = try UDPSocket(SocketAddress(ip: .loopbackV4, port: 0), on: loop)
    let mirror = LateMirror(loop)
    try await mirror.start(server)
    let client = try UDPSocket(asking: server.address, on: loop)
    let ear = Mirror(loop, answers: false)
    try await ear.start(client)
    await onLoop(loop) {
      // In one turn, so that the loop itself has had no time to take them.
      for value in 0..<3 { try? client.send([UInt8(value)], to: server.address) }
      server.stopReceiving()
      try? client.send([9], to: server.address)
    }
    while await ear.seen.count < 3, !Task.isCancelled { await loop.sleep(for: .milliseconds(1)) }
    await loop.sleep(for: .milliseconds(50))
    #expect(await mirror.heard == 3)
    #expect(await ear.seen == [[0], [1], [2]])
    await onLoop(loop) {
      client.close()
      server.close()
    }
  }
}

@Test("Datagrams gather while many come a few at a time, and no longer")
func gathering() {
  var gathering = Gathering(time: .milliseconds(1))
  func begins(_ taken: Int..., after milliseconds: Int) -> [Bool] {
    let now = Instant(nanoseconds: 0) + .milliseconds(10_000 + milliseconds)
    return taken.map { gathering.begins(with: $0, at: now) }
  }
  func goesOn(_ taken: Int) -> Bool { gathering.goesOn(with: taken) }
  // One a millisecond, however long, is no reason to let the next one wait; nor is a burst, which leaves in full batches anyway.
  for time in 0..<100 { #expect(begins(1, after: time) == [false]) }
  #expect(begins(128, 32, after: 200) == [false, false])
  #expect(begins(30, 1, after: 300) == [false, false])
  #expect(begins(1, after: 304) == [true])
  // What comes by the way begins no second time.
  #expect(begins(31, after: 304) == [false])
  #expect(goesOn(4) && goesOn(64))
  #expect(!goesOn(3))
  #expect(begins(31, 1, after: 310) == [false, true])
  // More than two batches fill themselves without a wait.
  #expect(!goesOn(65))
}

@Test("What gathers is answered, whether more comes or not, and when the socket stops", .timeLimit(.minutes(1)))
func gathered() async throws {
  try await withLoop { loop in
    let server = try UDPSocket(SocketAddress(ip: .loopbackV4, port: 0), on: loop)
    let mirror = Mirror(loop, answers: true)
    // So long that it ends by nothing but what is said next.
    try await mirror.start(server, gathersFor: .seconds(2))
    let client = try UDPSocket(SocketAddress(ip: .loopbackV4, port: 0), on: loop)
    let ear = Mirror(loop, answers: false)
    try await ear.start(client)
    func send(_ values: Range<Int>) async throws {
      for value in values {
        try client.send([UInt8(value), 1, 2], to: server.address)
        // Each alone in its turn.
        if value < 32 { while await mirror.seen.count <= value, !Task.isCancelled { await loop.sleep(for: .zero) } }
      }
    }
    try await send(0..<32)
    try await send(32..<36)
    while await ear.seen.count < 36, !Task.isCancelled { await loop.sleep(for: .milliseconds(100)) }
    #expect(await mirror.largest == 4)
    // It gathers on, for there were enough; what came is taken before the socket stops.
    try await send(36..<39)
    loop.submit { server.stopReceiving() }
    while await ear.seen.count < 39, !Task.isCancelled { await loop.sleep(for: .milliseconds(1)) }
    #expect(Set(await ear.seen) == Set((0..<39).map { [2, 1, UInt8($0)] }))
    loop.submit {
      client.close()
      server.close()
    }
  }
}
