import EventLoop
import HTTPServer
import HTTPWire
import Octets
import Synchronization
import Testing

@Suite("Middleware")
struct MiddlewareTests {
  struct User: Sendable { var name: String }

  @Test("may wait, in its place among what doesn't, before synchronous and asynchronous handlers")
  func asynchronous() async throws {
    try await withServer(routes: { router in
      router.before { request in
        request.attributes[[String].self] = ["first"]
        return nil
      }
      router.before { request in
        await request.loop.sleep(for: .milliseconds(2))
        if request.header("x-cached") != nil { return .text("cached") }
        request.attributes[[String].self]?.append("second")
        return nil
      }
      router.before { request in
        if request.header("x-stranger") != nil { throw HTTPProblem(403, "Who are you?") }
        request.attributes[[String].self]?.append("third")
        return nil
      }
      router.after { _, response in response.fields.set("x-after", "yes") }
      router.get("/now") { .text($0.attributes[[String].self]?.joined(separator: " ") ?? "") }
      router.get("/later") { request in
        await nothing()
        return .text(request.attributes[[String].self]?.joined(separator: " ") ?? "")
      }
    }) { server in
      for target in ["/now", "/later"] {
        let answer = try await server.get(target)
        #expect(answer.body == "first second third")
        #expect(answer.contains("x-after: yes\r\n"))
      }
      #expect(try await server.get("/now", fields: "X-Cached: 1\r\n").body == "cached")
      #expect(try await server.get("/none", fields: "X-Stranger: 1\r\n").statusLine == "HTTP/1.1 403 Forbidden")
      #expect(try await server.get("/none").statusLine == "HTTP/1.1 404 Not Found")
      #expect(try await server.get("/now", method: "DELETE").contains("allow: GET, HEAD, OPTIONS\r\n"))
    }
  }

  private static func grouped(_ router: Router) {
    router.get("/open") { _ in .text("open") }
    let user = router.group("/v1").before { request in
      guard let name = request.header("x-user") else { throw HTTPProblem(401, "Who?") }
      request.attributes[User.self] = User(name: name)
      return nil
    }
    user.get("/me") { .text($0.attributes[User.self]?.name ?? "") }
    let admin = user.group("/admin").before { request in
      await nothing()
      return request.attributes[User.self]?.name == "root" ? nil : .text("no", status: .forbidden)
    }.after { request, response in response.fields.set("x-route", request.route ?? "") }
    admin.get("/{what}") { .text("\($0.parameter("what"))") }
    user.get("/other") { _ in .text("other") }
  }

  @Test("of a group runs for its routes alone, and inside that of the group around it")
  func groups() async throws {
    try await withServer(routes: Self.grouped) { server in
      #expect(try await server.get("/open").body == "open")
      #expect(try await server.get("/v1/me").statusLine == "HTTP/1.1 401 Unauthorized")
      #expect(try await server.get("/v1/me", fields: "X-User: eva\r\n").body == "eva")
      #expect(try await server.get("/v1/admin/x").statusLine == "HTTP/1.1 401 Unauthorized")
      let refused = try await server.get("/v1/admin/x", fields: "X-User: eva\r\n")
      #expect(refused.statusLine == "HTTP/1.1 403 Forbidden")
      #expect(refused.contains("x-route: /v1/admin/{what}\r\n"))
      #expect(try await server.get("/v1/admin/x", fields: "X-User: root\r\n").body == "x")
      let other = try await server.get("/v1/other", fields: "X-User: eva\r\n")
      #expect(other.body == "other")
      #expect(!other.contains("x-route"))
      #expect(
        server.server.router.routes.map(\.pattern) == ["/open", "/v1/admin/{what}", "/v1/me", "/v1/other"])
    }
  }

  @Test("that limits a rate answers 429 with the time to wait")
  func rateLimit() async throws {
    let limit = RateLimit(perSecond: 0.001, burst: 3)
    try await withServer(routes: { router in
      router.before(limit.check)
      router.get("/") { _ in .text("yes") }
    }) { server in
      for _ in 0..<3 { #expect(try await server.get("/").body == "yes") }
      let refused = try await server.get("/")
      #expect(refused.statusLine == "HTTP/1.1 429 Too Many Requests")
      let wait = refused.components(at: "retry-after: ").last?.components(at: "\r\n").first.flatMap { Int($0) }
      #expect((900...1000).contains(wait ?? 0))
      #expect(limit.refused.current == 1)
    }
  }

  @Test("isn't needed to bound the handlers at work: one more is 503 with Retry-After, and counted")
  func inFlight() async throws {
    let isHeld = Atomic<Bool>(true)
    try await withServer({ $0.requestsInFlight = 2 }) { router in
      router.get("/held") { request in
        while isHeld.load(ordering: .relaxed) { await request.loop.sleep(for: .milliseconds(2)) }
        return .text("held")
      }
      router.get("/now") { _ in .text("now") }
    } test: { server in
      var waiting: [TCPConnection] = []
      for _ in 0..<2 {
        let client = try await server.connect()
        try await client.write(Array("GET /held HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".utf8))
        waiting.append(client)
      }
      while server.server.requests.current < 2 { await server.loop.sleep(for: .milliseconds(2)) }
      let refused = try await server.get("/held")
      #expect(refused.statusLine == "HTTP/1.1 503 Service Unavailable")
      #expect(refused.contains("retry-after: 1\r\n"))
      #expect(server.server.overloads.current == 1)
      // What takes no time is answered all the same.
      #expect(try await server.get("/now").body == "now")
      isHeld.store(false, ordering: .relaxed)
      for client in waiting { #expect(try await readAll(client).body == "held") }
      #expect(try await server.get("/held").body == "held")
    }
  }
}
