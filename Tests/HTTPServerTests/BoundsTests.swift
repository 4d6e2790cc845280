import EventLoop
import HTTPServer
import HTTPWire
import Octets
import Synchronization
import Testing

@Suite("Bounds and the end")
struct BoundsTests {
  @Test("a head that doesn't come is answered 408, and a silent client nothing")
  func slowHead() async throws {
    try await withServer({ $0.headTimeout = .milliseconds(200) }, routes: ConnectionTests.routes) { server in
      let slow = try await answerInTime { try await server.talk("GET / HTTP/1.1\r\nHost: a\r\n") }
      #expect(slow.statusLine == "HTTP/1.1 408 Request Timeout")
      let silent = try await server.talk()
      #expect(silent.isEmpty)
    }
  }

  @Test("a head that drips in is cut off all the same")
  func drippingHead() async throws {
    try await withServer({ $0.headTimeout = .milliseconds(200) }, routes: ConnectionTests.routes) { server in
      let answer = try await answerInTime {
        let client = try await server.connect()
        try await client.write(Array("GET / HTTP/1.1\r\nX: ".utf8))
        let drip = Task {
          while !Task.isCancelled {
            try await client.write([0x78])
            await server.loop.sleep(for: .milliseconds(5))
          }
        }
        defer { drip.cancel() }
        return withoutDates(try await client.read(timeout: .seconds(20)))
      }
      #expect(answer.statusLine == "HTTP/1.1 408 Request Timeout")
    }
  }

  /// On a machine so busy that a connection's first octets come after the deadline, it ends in silence, or is gone before they
  /// are written: then once more.
  private func answerInTime(_ attempt: () async throws -> String) async throws -> String {
    for _ in 0..<20 {
      do {
        let answer = try await attempt()
        if !answer.isEmpty { return answer }
      } catch is IOError {
        continue
      }
    }
    return ""
  }

  @Test("content that stops coming is answered 408")
  func slowContent() async throws {
    try await withServer({ $0.contentTimeout = .milliseconds(300) }, routes: ConnectionTests.routes) { server in
      let answer = try await server.talk("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nabc")
      #expect(answer.statusLine == "HTTP/1.1 408 Request Timeout")
    }
  }

  @Test("an idle connection ends")
  func idle() async throws {
    try await withServer({ $0.idleTimeout = .milliseconds(300) }, routes: ConnectionTests.routes) { server in
      let answer = try await server.talk("GET /now/x HTTP/1.1\r\nHost: a\r\n\r\n")
      #expect(answer == ConnectionTests.answer("x"))
    }
  }

  @Test("a client that reads slower than the idle limit still gets everything")
  func slowReader() async throws {
    try await withServer({ configuration in
      configuration.idleTimeout = .milliseconds(60)
      configuration.contentTimeout = .seconds(10)
    }) { router in
      router.get("/big") { _ in .octets([UInt8](repeating: 0x78, count: 12_000_000), type: "text/plain") }
    } test: { server in
      let client = try await server.connect()
      try await client.write(Array("GET /big HTTP/1.1\r\nHost: a\r\n\r\n".utf8))
      await server.loop.sleep(for: .milliseconds(200))
      let count = try await countContent(client)
      #expect(count == 12_000_000)
    }
  }

  @Test("a client that reads no answers gets no further ones made, and all of them once it reads")
  func unreadAnswers() async throws {
    let made = Atomic<Int>(0)
    try await withServer(routes: { router in
      router.get("/big") { _ in
        made.add(1, ordering: .relaxed)
        return .octets([UInt8](repeating: 0x78, count: 100_000), type: "text/plain")
      }
    }) { server in
      let client = try await server.connect()
      let requests = String(repeating: "GET /big HTTP/1.1\r\nHost: a\r\n\r\n", count: 499)
      try await client.write(Array((requests + "GET /big HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").utf8))
      while made.load(ordering: .relaxed) < 2 { await server.loop.sleep(for: .milliseconds(2)) }
      await server.loop.sleep(for: .milliseconds(100))
      #expect(made.load(ordering: .relaxed) < 500)
      let count = try await countContent(client)
      #expect(count > 500 * 100_000)
      #expect(made.load(ordering: .relaxed) == 500)
    }
  }

  @Test("while a handler doesn't read, the client waits; then nothing is missing")
  func unreadContent() async throws {
    let isHeld = Atomic<Bool>(true)
    let size = 40_000_000
    try await withServer(routes: { router in
      router.post("/slow") { request in
        while isHeld.load(ordering: .relaxed) { await request.loop.sleep(for: .milliseconds(2)) }
        var count = 0
        for try await portion in request.body {
          #expect(portion.count <= 131_072)
          count += portion.count
        }
        return .text("\(count)")
      }
    }) { server in
      let client = try await server.connect()
      let head = "POST /slow HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: \(size)\r\n\r\n"
      try await client.write(Array(head.utf8))
      let content = [UInt8](repeating: 0x78, count: size)
      await #expect(throws: IOError.self) { try await client.write(content, timeout: .milliseconds(200)) }
      isHeld.store(false, ordering: .relaxed)
      #expect(try await readAll(client).body == "\(size)")
    }
  }

  @Test("several loops share one port")
  func loops() async throws {
    let router = Router()
    ConnectionTests.routes(router)
    let loops = try (0..<3).map { try EventLoop.start(name: "http-\($0)") }
    defer { for loop in loops { loop.stop() } }
    let server = HTTPServer(router: router)
    let address = try server.listen(on: SocketAddress(ip: .loopbackV4, port: 0), loops: loops)
    let clients = TestServer(loop: loops[0], server: server, address: address)
    for index in 0..<20 {
      let answer = try await clients.get("/later/\(index)")
      #expect(answer.body == "\(index)")
    }
    await server.drain(within: .seconds(10), on: loops[0])
    #expect(server.connectionCount == 0)
  }

  @Test("connections over the bound of an address are turned away, and counted")
  func perAddress() async throws {
    try await withServer({ $0.connectionsPerAddress = 2 }, routes: ConnectionTests.routes) { server in
      let request = Array("GET /now/x HTTP/1.1\r\nHost: a\r\n\r\n".utf8)
      var kept: [TCPConnection] = []
      for _ in 0..<2 {
        let client = try await server.connect()
        try await client.write(request)
        _ = try await read(client, until: "\r\n\r\nx")
        kept.append(client)
      }
      let third = try await server.connect()
      #expect(try await third.read().isEmpty)
      #expect(server.server.turnedAway.current == 1)
      for client in kept { await client.close() }
      while server.server.connectionCount > 0 { await server.loop.sleep(for: .milliseconds(2)) }
      #expect(try await server.get("/now/again").body == "again")
    }
  }

  @Test("draining ends live streams, answers what is under way, and then closes")
  func drain() async throws {
    let isHeld = Atomic<Bool>(true)
    try await withServer(
      { $0.headTimeout = .seconds(3600) },
      routes: { router in
        Self.drainRoutes(router, isHeld: { isHeld.load(ordering: .relaxed) })
      }
    ) { server in
      let live = try await server.connect()
      try await live.write(Array("GET /live HTTP/1.1\r\nHost: a\r\n\r\n".utf8))
      _ = try await read(live, until: "data: 1")
      let held = try await server.connect()
      try await held.write(Array("GET /held HTTP/1.1\r\nHost: a\r\n\r\n".utf8))
      let idle = try await server.connect()
      try await idle.write(Array("GET /idle HTTP/1.1\r\nHost: a\r\n\r\n".utf8))
      _ = try await read(idle, until: "idle")
      // Half a head isn't waited for as long as a head may take.
      let half = try await server.connect()
      try await half.write(Array("GET /idle HTTP/1.1\r\nHo".utf8))
      while server.server.requests.current < 3 { await server.loop.sleep(for: .milliseconds(2)) }

      async let drained: Void = server.server.drain(within: .seconds(20), on: server.loop)
      #expect(try await readAll(live).hasSuffix("0\r\n\r\n"))
      #expect(try await readAll(idle).isEmpty)
      #expect(try await readAll(half).isEmpty)
      isHeld.store(false, ordering: .relaxed)
      let answer = try await readAll(held)
      #expect(answer.contains("connection: close\r\n"))
      #expect(answer.body == "held")
      await drained
      #expect(server.server.connectionCount == 0)
      await #expect(throws: IOError.self) { try await server.connect() }
    }
  }

  private static func drainRoutes(_ router: Router, isHeld: @escaping @Sendable () -> Bool) {
    router.get("/live") { request in
      .events { writer in
        try await writer.send(ServerSentEvent(data: [0x31]))
        while !Task.isCancelled { await request.loop.sleep(for: .milliseconds(5)) }
      }
    }
    router.get("/held") { request in
      while isHeld() { await request.loop.sleep(for: .milliseconds(2)) }
      return .text("held")
    }
    router.get("/idle") { _ in .text("idle") }
  }

  @Test("every answer is told to the access log")
  func accessLog() async throws {
    let seen = Lock<[String]>([])
    try await withServer(
      { configuration in
        configuration.onAccess = { record in
          seen.withLock { $0.append("\(record.head.text(record.head.target)) \(record.status.code)") }
        }
      }, routes: ConnectionTests.routes
    ) { server in
      _ = try await server.get("/now/x")
      _ = try await server.get("/none")
      _ = try await server.talk("GET /bad HTTP/1.1\r\n\r\n")
    }
    #expect(seen.withLock { $0 } == ["/now/x 200", "/none 404", "/bad 400"])
  }
}
