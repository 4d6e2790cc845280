import EventLoop
import HTTPServer
import HTTPWire
import Octets
import Testing

@Suite("Connections")
struct ConnectionTests {
  static func routes(_ router: Router) {
    router.get("/now/{name}") { request in .text(request.parameter("name")) }
    router.get("/later/{name}") { request in
      await request.loop.sleep(for: .milliseconds(5))
      return .text(request.parameter("name"))
    }
    router.post("/echo") { request in
      let body = try await request.collect(upTo: 100_000)
      return .octets(body, type: "text/plain")
    }
    router.post("/count") { request in
      var count = 0
      for try await portion in request.body { count += portion.count }
      let trailers = await request.body.trailers().map { "\($0.name)=\($0.value)" }.joined()
      return .text("\(count)\(trailers)")
    }
    router.post("/early") { _ in
      await nothing()
      return .text("no need", status: .forbidden)
    }
    router.get("/fails") { _ in throw Oops() }
    router.get("/refuses") { _ in throw HTTPProblem(409, "It's \"taken\".") }
  }
  struct Oops: Error {}

  static func answer(_ text: String, last: Bool = false) -> String {
    "HTTP/1.1 200 OK\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: \(text.utf8.count)\r\n"
      + (last ? "connection: close\r\n" : "") + "\r\n" + text
  }

  static let pipeline =
    "GET /now/1 HTTP/1.1\r\nHost: a\r\n\r\nGET /later/2 HTTP/1.1\r\nHost: a\r\n\r\n"
    + "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhelloGET /now/3 HTTP/1.1\r\nHost: a\r\n\r\n"
    + "GET /later/4 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
  static let pipelined =
    answer("1") + answer("2") + "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 5\r\n\r\nhello"
    + answer("3") + answer("4", last: true)

  @Test("answer pipelined requests in order, whatever their handlers take")
  func pipelines() async throws {
    try await withServer(routes: Self.routes) { server in
      let answer = try await server.talk(Self.pipeline)
      #expect(answer == Self.pipelined)
    }
  }

  @Test("answer the same wherever the requests are cut")
  func everySplit() async throws {
    try await withServer(routes: Self.routes) { server in
      let bytes = Array(Self.pipeline.utf8)
      for cut in stride(from: 1, to: bytes.count, by: 3) {
        let client = try await server.connect()
        try await client.write(Array(bytes[..<cut]))
        // A turn of the loop between the pieces, so that they arrive apart.
        await server.loop.sleep(for: .milliseconds(1))
        try await client.write(Array(bytes[cut...]))
        #expect(try await readAll(client) == Self.pipelined, "cut at \(cut)")
      }
    }
  }

  @Test("still answer a client that has finished sending")
  func halfClose() async throws {
    try await withServer(routes: Self.routes) { server in
      let answer = try await server.talk("GET /later/x HTTP/1.1\r\nHost: a\r\n\r\n", finishing: true)
      #expect(answer == Self.answer("x"))
    }
  }

  @Test("say 100 when the content is wanted, not before")
  func continues() async throws {
    try await withServer(routes: Self.routes) { server in
      let client = try await server.connect()
      try await client.write(
        Array(
          "POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\nConnection: close\r\n\r\n"
            .utf8
        ))
      #expect(try await read(client, until: "\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n")
      try await client.write(Array("abc".utf8))
      #expect(try await readAll(client).body == "abc")
    }
  }

  @Test("close when content that is held back isn't wanted")
  func notContinued() async throws {
    try await withServer(routes: Self.routes) { server in
      let answer = try await server.talk(
        "POST /early HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
      #expect(answer.statusLine == "HTTP/1.1 403 Forbidden")
      #expect(answer.contains("connection: close\r\n"))
    }
  }

  @Test("read chunks and trailers")
  func chunks() async throws {
    try await withServer(routes: Self.routes) { server in
      let answer = try await server.get(
        "/count", method: "POST", fields: "Transfer-Encoding: chunked\r\n",
        body: "5\r\nhello\r\n3;x=y\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n")
      #expect(answer.body == "8X-Sum=1")
    }
  }

  @Test("stream content far larger than any buffer")
  func largeContent() async throws {
    try await withServer(routes: Self.routes) { server in
      let size = 5_000_000
      let answer = try await server.get(
        "/count", method: "POST", fields: "Content-Length: \(size)\r\n", body: String(repeating: "x", count: size))
      #expect(answer.body == "\(size)")
    }
  }

  @Test("keep the next request whole when content is left unread")
  func unreadContent() async throws {
    try await withServer(routes: Self.routes) { server in
      let answer = try await server.talk(
        "POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: 30\r\n\r\nGET /now/evil HTTP/1.1\r\n\r\n++++",
        "GET /now/good HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
      #expect(answer.hasSuffix(Self.answer("good", last: true)))
      #expect(!answer.contains("evil"))
    }
  }

  @Test("refuse content over a handler's limit with 413")
  func tooLarge() async throws {
    try await withServer(routes: Self.routes) { server in
      let body = String(repeating: "x", count: 150_000)
      let answer = try await server.get("/echo", method: "POST", fields: "Content-Length: 150000\r\n", body: body)
      #expect(answer.statusLine == "HTTP/1.1 413 Content Too Large")
    }
  }

  @Test(
    "refuse what is ambiguous, and close",
    arguments: [
      ("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n", 400),
      ("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
      ("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\nhello\r\n", 400),
      ("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999\r\n\r\n", 413),
      ("GET / HTTP/1.1\r\n\r\n", 400), ("GET / HTTP/3.0\r\n\r\n", 505),
      ("GET /\(String(repeating: "x", count: 9000)) HTTP/1.1\r\n", 414),
      ("GET / HTTP/1.1\r\nX: \(String(repeating: "x", count: 9000))\r\n", 431),
      ("POST / HTTP/1.1\r\nHost: a\r\nExpect: x\r\n\r\n", 417), ("\u{16}\u{3}\u{1}\r\n", 400),
    ])
  func refusals(text: String, status: Int) async throws {
    try await withServer(routes: Self.routes) { server in
      let answer = try await server.talk(text + "GET /now/evil HTTP/1.1\r\nHost: a\r\n\r\n")
      #expect(answer.hasPrefix("HTTP/1.1 \(status) "))
      #expect(answer.contains("connection: close\r\n"))
      #expect(answer.contains("content-type: application/problem+json\r\n"))
      #expect(!answer.contains("evil"))
    }
  }

  @Test("turn errors into problems, and keep the unknown ones to themselves")
  func errors() async throws {
    try await withServer(routes: Self.routes) { server in
      let failed = try await server.get("/fails")
      #expect(failed.statusLine == "HTTP/1.1 500 Internal Server Error")
      #expect(!failed.contains("Oops"))
      let refused = try await server.get("/refuses")
      #expect(refused.contains("content-type: application/problem+json\r\n"))
      #expect(
        refused.body == #"{"type":"about:blank","title":"Conflict","status":409,"detail":"It's \"taken\"."}"# + "\n")
    }
  }

  @Test("of HTTP/1.0 close unless they ask to stay")
  func oldVersion() async throws {
    try await withServer(routes: Self.routes) { server in
      #expect(try await server.talk("GET /now/x HTTP/1.0\r\n\r\n") == Self.answer("x", last: true))
      let kept = try await server.talk(
        "GET /now/x HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "GET /now/y HTTP/1.0\r\n\r\n")
      #expect(kept.contains("connection: keep-alive\r\n\r\nx"))
      #expect(kept.hasSuffix(Self.answer("y", last: true)))
    }
  }
}

/// A point to wait at, which makes a closure asynchronous.
func nothing() async {}
