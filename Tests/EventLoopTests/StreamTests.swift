import EventLoop
import Glibc
import Octets
import Testing

/// Sends everything back, and finishes when the peer has.
actor Echo: StreamOwner {
  nonisolated let loop: EventLoop
  nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe loop.asUnownedSerialExecutor() }
  let stream: TCPStream
  private let onEnd: @Sendable (IOError?) -> Void

  init(_ socket: ConnectedSocket, on loop: EventLoop, onEnd: @escaping @Sendable (IOError?) -> Void = { _ in }) {
    self.loop = loop
    self.onEnd = onEnd
    stream = TCPStream(socket, on: loop)
  }

  func sayAndClose(count: Int) {
    try? startReceiving()
    stream.write([UInt8](repeating: 7, count: count))
    stream.closeGracefully()
  }

  func received(_ octets: RawSpan) {
    stream.write(octets)
    if stream.isCongested { stream.pauseReading() }
  }
  func drained() { stream.resumeReading() }
  func peerFinished() { stream.closeGracefully() }
  func ended(_ error: IOError?) { onEnd(error) }
}

let anyPort = SocketAddress(ip: .loopbackV4, port: 0)

func echoListener(on loop: EventLoop, onEnd: @escaping @Sendable (IOError?) -> Void = { _ in }) throws -> TCPListener {
  try TCPListener(anyPort, on: loop) { socket in
    let echo = Echo(socket, on: loop, onEnd: onEnd)
    loop.spawn { try? await echo.startReceiving() }
  }
}

@Test(
  "Bytes come back whole and in order, far past every buffer, and the end is orderly", arguments: [1, 1000, 3_000_000])
func echoes(count: Int) async throws {
  try await withLoop { loop in
    let listener = try echoListener(on: loop)
    let connection = try await TCPConnection.connect(to: listener.address, on: loop)
    let sent = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31) }
    async let writing: Void = {
      try await connection.write(sent)
      await connection.finish()
    }()
    var received: [UInt8] = []
    while case let part = try await connection.read(), !part.isEmpty { received += part }
    try await writing
    // Not compared within the expectation: a difference of megabytes would be described for minutes.
    let isSame = received == sent
    #expect(isSame, "\(received.count) of \(sent.count) octets came back")
    await connection.close()
    await listener.drain()
  }
}

@Test("Half a close ends one direction only")
func halfClose() async throws {
  try await withLoop { loop in
    let listener = try echoListener(on: loop)
    let connection = try await TCPConnection.connect(to: listener.address, on: loop)
    try await connection.write(Array("last words".utf8))
    await connection.finish()
    var received: [UInt8] = []
    while case let part = try await connection.read(), !part.isEmpty { received += part }
    #expect(received == Array("last words".utf8))
    await connection.close()
    await listener.drain()
  }
}

@Test("A file is sent in its place between octets, whether it is in memory or not", arguments: [false, true])
func sendsFiles(isCold: Bool) async throws {
  /// Says a head, a slice of a file and a tail, and ends.
  actor FileSender: StreamOwner {
    nonisolated let loop: EventLoop
    nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe loop.asUnownedSerialExecutor() }
    let stream: TCPStream
    init(_ socket: ConnectedSocket, on loop: EventLoop) {
      self.loop = loop
      stream = TCPStream(socket, on: loop)
    }
    func send(_ path: String) throws {
      try startReceiving()
      stream.write("head")
      stream.sendFile(unsafe open(path, O_RDONLY), offset: 10, count: 1_500_000)
      stream.write("tail")
      stream.closeGracefully()
    }
    func received(_ octets: RawSpan) {}
    func peerFinished() {}
    func ended(_ error: IOError?) {}
  }
  let content = (0..<2_000_000).map { UInt8(truncatingIfNeeded: $0 / 7) }
  let path = try scratchFile(content, isCold: isCold)
  defer { unsafe unlink(path) }
  try await withLoop { loop in
    let listener = try TCPListener(anyPort, on: loop) { socket in
      let sender = FileSender(socket, on: loop)
      loop.spawn { try? await sender.send(path) }
    }
    let connection = try await TCPConnection.connect(to: listener.address, on: loop)
    var received: [UInt8] = []
    while case let part = try await connection.read(), !part.isEmpty { received += part }
    let isSame = received == Array("head".utf8) + content[10..<1_500_010] + Array("tail".utf8)
    #expect(isSame)
    await connection.close()
    await listener.drain()
  }
}

@Test("A refused connection, a silent peer and a forbidden address are three different errors")
func connectErrors() async throws {
  try await withLoop { loop in
    let listener = try echoListener(on: loop)
    let silent = try await TCPConnection.connect(to: listener.address, on: loop)
    await #expect(throws: IOError.timedOut) { _ = try await silent.read(timeout: .milliseconds(20)) }
    await silent.close()
    await listener.drain()
    await #expect(throws: IOError.system(call: "connect", errno: ECONNREFUSED)) {
      _ = try await TCPConnection.connect(to: listener.address, on: loop)
    }
  }
  let elsewhere = EgressPolicy.only([try #require(IPNetwork("127.9.0.0/16"))])
  try await withLoop(egress: elsewhere) { loop async throws -> Void in
    await #expect(throws: IOError.egressForbidden) { _ = try await TCPConnection.connect(to: anyPort, on: loop) }
  }
}

@Test("A reset is told once, as an error")
func resetIsAnError() async throws {
  try await withLoop { loop in
    let ends = Lock<[IOError?]>([])
    let listener = try echoListener(on: loop) { error in ends.withLock { $0.append(error) } }
    let connection = try await TCPConnection.connect(to: listener.address, on: loop)
    try await connection.write([1])
    _ = try await connection.read()
    let stream = await connection.stream
    await onLoop(loop) { stream.abort() }
    while ends.withLock({ $0.isEmpty }) { await loop.sleep(for: .milliseconds(1)) }
    #expect(ends.withLock { $0 } == [.system(call: "recv", errno: ECONNRESET)])
    await listener.drain()
  }
}

@Test("A port has one owner: a second program is refused, a sibling of the first may share")
func portsAreNotSharedInSilence() async throws {
  try await withLoop { loop in
    let first = try TCPListener(anyPort, on: loop, sharesPort: true) { $0.close() }
    #expect(throws: IOError.self) { _ = try TCPListener(first.address, on: loop, sharesPort: true) { $0.close() } }
    let sibling = try TCPListener(first.address, on: loop, sharesPort: true, isSibling: true) { $0.close() }
    await sibling.drain()
    await first.drain()
  }
}

@Test("What came before a hang-up is read to the end by a reader that was slow")
func slowReaderLosesNothing() async throws {
  try await withLoop { loop in
    let listener = try echoListener(on: loop)
    for _ in 0..<20 {
      let connection = try await TCPConnection.connect(to: listener.address, on: loop)
      let sent = [UInt8](repeating: 7, count: 1_000_000)
      try await connection.write(sent)
      await connection.finish()
      // Long enough for both directions to be over while reading is paused, on most runs.
      await loop.sleep(for: .milliseconds(20))
      var count = 0
      while case let part = try await connection.read(), !part.isEmpty { count += part.count }
      #expect(count == sent.count)
      await connection.close()
    }
    await listener.drain()
  }
}

@Test("A stream that closes gracefully is read to its end, though the reader begins later than the linger time")
func closingLosesNothing() async throws {
  try await withLoop { loop in
    let listener = try TCPListener(anyPort, on: loop) { socket in
      let echo = Echo(socket, on: loop)
      loop.spawn { await echo.sayAndClose(count: 30_000_000) }
    }
    let connection = try await TCPConnection.connect(to: listener.address, on: loop)
    // The connection reads ahead by a quarter of a megabyte and then waits for us: most is still at the sender.
    await loop.sleep(for: .milliseconds(2500))
    var count = 0
    while case let part = try await connection.read(), !part.isEmpty { count += part.count }
    #expect(count == 30_000_000)
    await connection.close()
    await listener.drain()
  }
}
