import EventLoop
import HTTPServer
import HTTPWire
import Octets
import Testing

@Suite("Routes")
struct RouterTests {
  static func routes(_ router: Router) {
    router.get("/") { _ in .text("root") }
    router.get("/v1/zones") { _ in .text("zones") }
    router.post("/v1/zones") { _ in
      await nothing()
      return .empty(.created).with("location", "/v1/zones/1")
    }
    router.get("/v1/zones/{id}") { .text("zone \($0.parameter("id"))") }
    router.get("/v1/zones/mine") { _ in .text("mine") }
    router.get("/v1/zones/{id}/records/{name}") { .text("\($0.parameter("id")) \($0.parameter("name"))") }
    router.get("/v1/zones/mine/export") { _ in .text("export") }
    router.delete("/v1/zones/{id}") { _ in
      await nothing()
      return .empty()
    }
    router.get("/files/{path...}") { .text("file \($0.parameter("path")) \($0.route ?? "")") }
    router.get("/query") { .text("\($0.query("a") ?? "none")|\($0.header("x-a") ?? "none")") }
  }

  @Test(
    "lead to their handlers, literal segments first",
    arguments: [
      ("/", "root"), ("/v1/zones", "zones"), ("/v1/zones/7", "zone 7"), ("/v1/zones/mine", "mine"),
      ("/v1/zones/mine/export", "export"), ("/v1/zones/mine/records/x", "mine x"),
      ("/v1/zones/a%20b/records/%C3%A9", "a b é"), ("/files/a/b/c", "file a/b/c /files/{path...}"),
      ("/files/../v1/zones", "zones"), ("/files/%2e%2e/%2e%2e/v1/zones/9", "zone 9"), ("/query?a=1+2", "1 2|none"),
      ("http://other/v1/zones", "zones"),
    ])
  func matches(target: String, body: String) async throws {
    try await withServer(routes: Self.routes) { server in
      let answer = try await server.get(target)
      #expect(answer.statusLine == "HTTP/1.1 200 OK")
      #expect(answer.body == body)
    }
  }

  @Test("that don't exist are 404", arguments: ["/x", "/v1", "/v1/zones/", "/v1/zones/1/records", "/v1//zones", "//"])
  func notFound(target: String) async throws {
    try await withServer(routes: Self.routes) { server in
      let answer = try await server.get(target)
      #expect(answer.statusLine == "HTTP/1.1 404 Not Found")
      #expect(answer.contains("content-type: application/problem+json\r\n"))
    }
  }

  @Test("say what they allow: 405 and OPTIONS")
  func allow() async throws {
    try await withServer(routes: Self.routes) { server in
      for method in ["PUT", "PATCH", "TRACE", "QUERY"] {
        let answer = try await server.get("/v1/zones/1", method: method)
        #expect(answer.statusLine == "HTTP/1.1 405 Method Not Allowed")
        #expect(answer.contains("allow: DELETE, GET, HEAD, OPTIONS\r\n"))
      }
      let options = try await server.get("/v1/zones", method: "OPTIONS")
      #expect(options.statusLine == "HTTP/1.1 204 No Content")
      #expect(options.contains("allow: GET, HEAD, OPTIONS, POST\r\n"))
      #expect(!options.contains("content-length"))
      #expect(try await server.get("*", method: "OPTIONS").statusLine == "HTTP/1.1 204 No Content")
    }
  }

  @Test("of GET answer HEAD without content")
  func head() async throws {
    try await withServer(routes: Self.routes) { server in
      let answer = try await server.get("/v1/zones", method: "HEAD")
      #expect(answer.contains("content-length: 5\r\n"))
      #expect(answer.body.isEmpty)
    }
  }

  @Test("are listed")
  func list() {
    let router = Router()
    Self.routes(router)
    let names = router.routes.map { "\($0.method.rawValue) \($0.pattern)" }
    #expect(names.count == 10)
    #expect(names.contains("DELETE /v1/zones/{id}"))
    #expect(names.first == "GET /")
  }

  @Test("have hooks around them that may answer, refuse and add")
  func hooks() async throws {
    try await withServer(
      routes: { router in
        Self.routes(router)
        router.before { request in
          request.attributes[String.self] = request.header("x-who")
          if request.header("x-who") == "stranger" { throw HTTPProblem(403, "Who are you?") }
          return request.header("x-who") == "cache" ? .text("cached") : nil
        }
        router.get("/who") { .text($0.attributes[String.self] ?? "nobody") }
        router.after { request, response in response.fields.set("x-path", request.path) }
      }
    ) { server in
      let alice = try await server.get("/who", fields: "X-Who: alice\r\n")
      #expect(alice.body == "alice")
      #expect(alice.contains("x-path: /who\r\n"))
      #expect(try await server.get("/who", fields: "X-Who: cache\r\n").body == "cached")
      let stranger = try await server.get("/none", fields: "X-Who: stranger\r\n")
      #expect(stranger.statusLine == "HTTP/1.1 403 Forbidden")
      #expect(stranger.contains("x-path: /none\r\n"))
    }
  }
}
