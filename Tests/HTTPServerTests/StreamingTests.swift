import EventLoop
import Glibc
import HTTPServer
import HTTPWire
import Octets
import Synchronization
import Testing

@Suite("Streams, events and files")
struct StreamingTests {
  @Test("are sent in chunks with trailers, counted where the length is known, and until the end in HTTP/1.0")
  func streams() async throws {
    try await withServer(routes: { router in
      router.get("/chunks") { _ in
        .stream(type: "text/plain") { writer in
          try await writer.write("hello")
          try await writer.write([])
          try await writer.write(", world")
          await writer.setTrailers(["x-sum": "12"])
        }
      }
      router.get("/counted") { _ in .stream(type: "text/plain", length: 5) { try await $0.write("hello") } }
      router.get("/short") { _ in .stream(type: "text/plain", length: 5) { try await $0.write("hell") } }
    }) { server in
      let chunks = try await server.get("/chunks")
      #expect(chunks.contains("transfer-encoding: chunked\r\n"))
      #expect(chunks.body == "5\r\nhello\r\n7\r\n, world\r\n0\r\nx-sum: 12\r\n\r\n")
      let counted = try await server.get("/counted")
      #expect(counted.contains("content-length: 5\r\n"))
      #expect(counted.body == "hello")
      let old = try await server.talk("GET /chunks HTTP/1.0\r\n\r\n")
      #expect(old.body == "hello, world")
      #expect(!old.contains("transfer-encoding"))
      let head = try await server.get("/chunks", method: "HEAD")
      #expect(head.body.isEmpty)
      // Cut short, it must not look whole.
      await #expect(throws: (any Error).self) { try await server.get("/short") }
    }
  }

  @Test("wait for a slow client and lose nothing")
  func backPressure() async throws {
    try await withServer(routes: { router in
      router.get("/much") { _ in
        .stream(type: "text/plain", length: 8_000_000) { writer in
          for _ in 0..<80 { try await writer.write([UInt8](repeating: 0x78, count: 100_000)) }
        }
      }
    }) { server in
      let client = try await server.connect()
      try await client.write(Array("GET /much HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".utf8))
      let count = try await countContent(client)
      #expect(count == 8_000_000)
    }
  }

  @Test("may read the request while they answer")
  func duplex() async throws {
    try await withServer(routes: { router in
      router.post("/upper") { request in
        await nothing()
        return .stream(type: "text/plain") { writer in
          for try await portion in request.body { try await writer.write(portion.map { $0 & ~0x20 }) }
        }
      }
    }) { server in
      let client = try await server.connect()
      try await client.write(
        Array("POST /upper HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nConnection: close\r\n\r\nab".utf8))
      #expect(try await read(client, until: "AB").hasSuffix("2\r\nAB\r\n"))
      try await client.write(Array("cd".utf8))
      #expect(try await readAll(client) == "2\r\nCD\r\n0\r\n\r\n")
    }
  }

  @Test("of events have ids, heartbeats, and an end when the client goes")
  func events() async throws {
    let isOver = Atomic<Bool>(false)
    try await withServer({ $0.heartbeat = .milliseconds(20) }) { router in
      router.get("/events") { request in
        .events { writer in
          try await writer.send(
            ServerSentEvent(id: "2", event: "mail", data: Array("after \(request.header("last-event-id") ?? "")".utf8)))
          while !Task.isCancelled { await request.loop.sleep(for: .milliseconds(5)) }
          isOver.store(true, ordering: .relaxed)
        }
      }
    } test: { server in
      let client = try await server.connect()
      try await client.write(Array("GET /events HTTP/1.1\r\nHost: a\r\nLast-Event-ID: 1\r\n\r\n".utf8))
      let text = try await read(client, until: ": \n\n")
      #expect(text.contains("content-type: text/event-stream\r\n"))
      #expect(text.contains("id: 2\nevent: mail\ndata: after 1\n\n"))
      await client.close()
      while !isOver.load(ordering: .relaxed) { await server.loop.sleep(for: .milliseconds(2)) }
    }
  }

  @Test("of files are whole, a part, or not sent at all")
  func files() async throws {
    let path = "/tmp/http-file-test-\(getpid())"
    let content = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 % 26 + 97) }
    let file = unsafe open(path, O_CREAT | O_WRONLY | O_TRUNC, 0o600)
    #expect(file >= 0)
    #expect(unsafe write(file, content, content.count) == content.count)
    // An hour old, so that its date is a strong validator.
    let times = [timespec(tv_sec: time(nil) - 3600, tv_nsec: 0), timespec(tv_sec: time(nil) - 3600, tv_nsec: 0)]
    unsafe futimens(file, times)
    close(file)
    defer { unsafe unlink(path) }
    let pool = BlockingPool(threads: 1)
    defer { pool.stop() }
    try await withServer(routes: { router in
      router.get("/file") { try await .file(path, type: "text/plain", for: $0, pool: pool) }
      router.get("/none") { try await .file(path + "x", type: "text/plain", for: $0, pool: pool) }
      router.get("/folder") { try await .file("/tmp", type: "text/plain", for: $0, pool: pool) }
    }) { server in
      let whole = try await server.get("/file")
      #expect(whole.statusLine == "HTTP/1.1 200 OK")
      #expect(Array(whole.body.utf8) == content)
      let tag = try #require(whole.components(at: "etag: ").last?.components(at: "\r\n").first)
      let date = try #require(whole.components(at: "last-modified: ").last?.components(at: "\r\n").first)

      let part = try await server.get("/file", fields: "Range: bytes=26-30\r\nIf-Range: \(tag)\r\n")
      #expect(part.statusLine == "HTTP/1.1 206 Partial Content")
      #expect(part.contains("content-range: bytes 26-30/300000\r\n"))
      #expect(part.body == "abcde")
      let end = try await server.get("/file", fields: "Range: bytes=-2\r\nIf-Range: \(date)\r\n")
      #expect(end.body.utf8.elementsEqual(content.suffix(2)))
      let other = try await server.get("/file", fields: "Range: bytes=-2\r\nIf-Range: W/\(tag)\r\n")
      #expect(other.statusLine == "HTTP/1.1 200 OK")
      let several = try await server.get("/file", fields: "Range: bytes=0-1,4-5\r\n")
      #expect(several.statusLine == "HTTP/1.1 200 OK")
      let beyond = try await server.get("/file", fields: "Range: bytes=-0\r\n")
      #expect(beyond.statusLine == "HTTP/1.1 416 Range Not Satisfiable")
      #expect(beyond.contains("content-range: bytes */300000\r\n"))

      let unchanged = try await server.get("/file", fields: "If-None-Match: \(tag)\r\n")
      #expect(unchanged.statusLine == "HTTP/1.1 304 Not Modified")
      #expect(unchanged.body.isEmpty && unchanged.contains("etag: \(tag)"))
      let since = try await server.get("/file", fields: "If-Modified-Since: \(date)\r\n")
      #expect(since.statusLine == "HTTP/1.1 304 Not Modified")
      let changed = try await server.get("/file", fields: "If-Match: \"other\"\r\n")
      #expect(changed.statusLine == "HTTP/1.1 412 Precondition Failed")
      let head = try await server.get("/file", method: "HEAD")
      #expect(head.contains("content-length: 300000\r\n") && head.body.isEmpty)
      for target in ["/none", "/folder"] {
        #expect(try await server.get(target).statusLine == "HTTP/1.1 404 Not Found")
      }
    }
  }

  @Test(
    "of files below a root never leave it",
    arguments: [
      ("/files/inside", 200), ("/files/folder/inside", 200), ("/files/link-inside", 200), ("/files/link-outside", 404),
      ("/files/link-root", 404), ("/files/link-folder/outside", 404), ("/files/../outside", 404),
      ("/files/..%2foutside", 404), ("/files/%2e%2e/outside", 404), ("/files/folder/..%2f..%2foutside", 404),
      ("/files//etc/passwd", 404), ("/files/%2fetc%2fpasswd", 404), ("/files/folder", 404), ("/files/", 404),
      ("/files/inside%00", 400),
    ])
  func root(target: String, status: Int) async throws {
    let base = "/tmp/http-root-test-\(getpid())"
    let root = base + "/root"
    for folder in [base, root, root + "/folder"] { unsafe mkdir(folder, 0o700) }
    for path in [root + "/inside", root + "/folder/inside", base + "/outside"] {
      let file = unsafe open(path, O_CREAT | O_WRONLY | O_TRUNC, 0o600)
      #expect(unsafe write(file, "text", 4) == 4)
      close(file)
    }
    let links = [
      "link-inside": "folder/inside", "link-outside": "../outside", "link-root": "/etc/passwd", "link-folder": "..",
    ]
    for (name, place) in links { unsafe symlink(place, root + "/" + name) }
    defer {
      for name in links.keys { unsafe unlink(root + "/" + name) }
      for path in [root + "/inside", root + "/folder/inside", base + "/outside"] { unsafe unlink(path) }
      for folder in [root + "/folder", root, base] { unsafe rmdir(folder) }
    }
    let pool = BlockingPool(threads: 1)
    defer { pool.stop() }
    try await withServer(routes: { router in
      router.get("/files/{path...}") {
        try await .file($0.parameter("path"), beneath: root, type: "text/plain", for: $0, pool: pool)
      }
    }) { server in
      let answer = try await server.get(target)
      #expect(answer.hasPrefix("HTTP/1.1 \(status) "))
      if status == 200 { #expect(answer.body == "text") }
    }
  }
}
