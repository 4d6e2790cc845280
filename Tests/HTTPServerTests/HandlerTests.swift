import EventLoop
import HTTPServer
import HTTPWire
import Octets
import Synchronization
import Testing

@Suite("Handlers, and clients that go")
struct HandlerTests {
  /// What a handler told, once it has ended.
  private static func wait(_ server: TestServer, for told: Lock<[String]>) async -> [String] {
    while told.withLock({ $0.isEmpty }) { await server.loop.sleep(for: .milliseconds(2)) }
    return told.withLock { $0 }
  }

  @Test("are cancelled when their client goes, and that is no news but a line in the access log")
  func cancelled() async throws {
    let told = Lock<[String]>([])
    let errors = Lock<[String]>([])
    let access = Lock<[String]>([])
    try await withServer({ configuration in
      configuration.onError = { error in errors.withLock { $0.append("\(error)") } }
      configuration.onAccess = { record in
        access.withLock { $0.append("\(record.head.text(record.head.path)) \(record.status.code)") }
      }
    }) { router in
      router.get("/long") { request in
        while !Task.isCancelled { await request.loop.sleep(for: .milliseconds(2)) }
        told.withLock { $0.append("cancelled") }
        throw CancellationError()
      }
    } test: { server in
      let client = try await server.connect()
      try await client.write(Array("GET /long HTTP/1.1\r\nHost: a\r\n\r\n".utf8))
      while server.server.requests.current < 1 { await server.loop.sleep(for: .milliseconds(2)) }
      await client.close()
      #expect(await Self.wait(server, for: told) == ["cancelled"])
      while access.withLock({ $0.isEmpty }) { await server.loop.sleep(for: .milliseconds(2)) }
      #expect(access.withLock { $0 } == ["/long 499"])
      #expect(errors.withLock { $0 }.isEmpty)
    }
  }

  @Test("that read content hear when its client has gone")
  func lostContent() async throws {
    let told = Lock<[String]>([])
    let errors = Lock<[String]>([])
    try await withServer({ $0.onError = { error in errors.withLock { $0.append("\(error)") } } }) { router in
      router.post("/") { request in
        do {
          return .octets(try await request.collect(), type: "text/plain")
        } catch {
          told.withLock { $0.append("\(error), cancelled: \(Task.isCancelled)") }
          throw error
        }
      }
    } test: { server in
      let client = try await server.connect()
      try await client.write(Array("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello".utf8))
      while server.server.requests.current < 1 { await server.loop.sleep(for: .milliseconds(2)) }
      await client.close()
      #expect(await Self.wait(server, for: told) == ["closed, cancelled: true"])
      #expect(errors.withLock { $0 }.isEmpty)
    }
  }

  @Test(
    "may give up reading by themselves, and those the server can't wait for are answered 503", .timeLimit(.minutes(1)))
  func ownDeadlineAndDrain() async throws {
    let told = Lock<[String]>([])
    try await withServer { router in
      router.post("/") { request in
        let body = request.body
        let reading = Task(executorPreference: request.loop) { try await body.collect(upTo: 100) }
        await request.loop.sleep(for: .milliseconds(5))
        reading.cancel()
        let result = await reading.result
        told.withLock { $0.append(result.isCancelled ? "cancelled" : "\(result)") }
        while true { try await Task.sleep(for: .seconds(3600)) }
      }
    } test: { server in
      let client = try await server.connect()
      try await client.write(Array("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello".utf8))
      #expect(await Self.wait(server, for: told) == ["cancelled"])
      await server.server.drain(within: .milliseconds(20), on: server.loop)
      let answer = try await readAll(client)
      #expect(answer.hasPrefix("HTTP/1.1 503 "))
      #expect(answer.contains("retry-after: 1\r\n"))
    }
  }

  @Test("that read the same content twice at once are told so, and nobody waits for ever")
  func concurrentRead() async throws {
    try await withServer(routes: { router in
      router.post("/") { request in
        let body = request.body
        async let first = body.collect(upTo: 100)
        let refused: String
        do {
          // By now the first one waits.
          await request.loop.sleep(for: .milliseconds(20))
          refused = "\(try await body.next() ?? [])"
        } catch {
          refused = "\(error)"
        }
        return .text("\(refused); \(String(decoding: try await first, as: UTF8.self))")
      }
    }) { server in
      let client = try await server.connect()
      let head = "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\nConnection: close\r\n\r\n"
      try await client.write(Array(head.utf8))
      _ = try await read(client, until: "100 Continue\r\n\r\n")
      await server.loop.sleep(for: .milliseconds(100))
      try await client.write(Array("hello".utf8))
      #expect(
        try await readAll(client).body == "two tasks read the content of one request at the same time; hello")
    }
  }

  @Test("may write to one stream from several tasks: all wait for the client, none is forgotten, no portion is torn")
  func concurrentWrite() async throws {
    try await withServer(routes: { router in
      router.get("/") { _ in
        .stream(type: "text/plain", length: 2_000_000) { writer in
          try await withThrowingTaskGroup(of: Void.self) { group in
            for letter in UInt8(0x61)...0x64 {
              group.addTask {
                for _ in 0..<5 { try await writer.write([UInt8](repeating: letter, count: 100_000)) }
              }
            }
            try await group.waitForAll()
          }
        }
      }
    }) { server in
      let client = try await server.connect()
      try await client.write(Array("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".utf8))
      await server.loop.sleep(for: .milliseconds(50))
      let body = Array(try await readAll(client).body.utf8)
      #expect(body.count == 2_000_000)
      let torn = stride(from: 0, to: body.count, by: 100_000).filter { start in
        body[start..<min(start + 100_000, body.count)].contains { $0 != body[start] }
      }
      #expect(torn.isEmpty)
    }
  }

  @Test("that find the pool full are answered 503 with Retry-After, and that is no error of theirs")
  func overloadedPool() async throws {
    let errors = Lock<[String]>([])
    let pool = BlockingPool(threads: 1, queueLimit: 0)
    defer { pool.stop() }
    try await withServer({ $0.onError = { error in errors.withLock { $0.append("\(error)") } } }) { router in
      router.get("/") { _ in .text("\(try await pool.run { 1 })") }
    } test: { server in
      let answer = try await server.get("/")
      #expect(answer.statusLine == "HTTP/1.1 503 Service Unavailable")
      #expect(answer.contains("retry-after: 1\r\n"))
      #expect(errors.withLock { $0 }.isEmpty)
    }
  }

  @Test("are all called when requests were pipelined by a client that has finished")
  func pipelineThenFinish() async throws {
    try await withServer(routes: ConnectionTests.routes) { server in
      let requests = ["/later/1", "/now/2", "/now/3", "/later/4", "/now/5", "/now/6"]
        .map { "GET \($0) HTTP/1.1\r\nHost: a\r\n\r\n" }.joined()
      let answer = try await server.talk(requests, finishing: true)
      #expect(answer == (1...6).map { ConnectionTests.answer("\($0)") }.joined())
    }
  }

  @Test("of a stream asked for by HEAD in HTTP/1.0 leave the connection as they said")
  func oldHead() async throws {
    try await withServer(routes: { router in
      router.get("/") { _ in .stream(type: "text/plain") { try await $0.write("hello") } }
    }) { server in
      let closed = try await server.talk("HEAD / HTTP/1.0\r\n\r\n")
      #expect(closed.contains("connection: close\r\n") && closed.body.isEmpty)
      let kept = try await server.talk(
        "HEAD / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
      let answers = kept.components(at: "\r\n\r\n")
      #expect(answers[0].contains("connection: keep-alive"))
      #expect(answers[1].contains("connection: close"))
      #expect(answers[2] == "hello")
    }
  }
}

extension Result {
  /// Whether it is the failure of a task that was cancelled.
  fileprivate var isCancelled: Bool {
    if case .failure(let error) = self { error is CancellationError } else { false }
  }
}
