import EventLoop
import Octets
import Testing

@testable import HTTPClient

/// Where requests go, and where they don't.
@Suite struct PlaceTests {
  @Test func theResolversAddressIsTheOneConnectedTo() async throws {
    let loop = try EventLoop.start(name: "test")
    let server = try ScriptedServer(on: loop) { _, _ in [answer(body: "here")] }
    let asked = Lock<[String]>([])
    let client = HTTPClient(
      on: loop,
      resolver: { host in
        asked.withLock { $0.append(host) }
        return [.loopbackV4]
      })
    let response = try await client.send(ClientRequest(server.url("/", host: "mail.hamburger.edu")))
    #expect(response.body == Array("here".utf8))
    #expect(server.seen.requests.first?.contains("Host: mail.hamburger.edu:\(server.address.port)\r\n") == true)
    _ = try await client.send(ClientRequest(server.url("/")))
    #expect(asked.withLock { $0 } == ["mail.hamburger.edu"])
    await client.close()
  }

  @Test func aRequestComesFromTheSourceThatItNames() async throws {
    let loop = try EventLoop.start(name: "test")
    let server = try ScriptedServer(on: loop) { _, _ in [answer()] }
    let client = HTTPClient(on: loop)
    let sources = try ["127.0.0.2", "127.0.0.3", "127.0.0.2"].map { try #require(IPAddress($0)) }
    for source in sources {
      var request = ClientRequest(server.url("/"))
      request.sourceAddress = source
      #expect(try await client.send(request).status == 200)
    }
    // One connection for each, and each is kept for its own.
    #expect(server.seen.clients == Array(sources.prefix(2)))
    var request = ClientRequest(server.url("/"))
    // Nobody's here.
    request.sourceAddress = IPAddress("192.0.2.1")
    let foreign = request
    let error = await #expect(throws: HTTPClientError.self) { try await client.send(foreign) }
    #expect(error?.kind == .connection)
    await client.close()
  }

  @Test func aNameWithoutAddressIsNotAskedOfAnyoneElse() async throws {
    struct NoSuchName: Error {}
    let loop = try EventLoop.start(name: "test")
    let empty = HTTPClient(on: loop, resolver: { _ in [] })
    let failing = HTTPClient(on: loop, resolver: { _ in throw NoSuchName() })
    for client in [empty, failing] {
      let error = await #expect(throws: HTTPClientError.self) {
        try await client.send(ClientRequest("http://www.example.com/"))
      }
      #expect(error?.kind == .unresolved)
      #expect(error?.reason.contains("www.example.com") == true)
      await client.close()
    }
  }

  @Test func addressesOutsideThePolicyAreNotConnectedTo() async throws {
    let other = try EventLoop.start(name: "server")
    let server = try ScriptedServer(on: other) { _, _ in [answer()] }
    let network = try #require(IPNetwork("127.9.0.0/16"))
    let loop = try EventLoop.start(name: "test", egress: .only([network]))
    let client = HTTPClient(on: loop, resolver: { _ in [.loopbackV4] })
    for host in ["127.0.0.1", "[::ffff:127.0.0.1]", "www.example.com"] {
      let error = await #expect(throws: HTTPClientError.self) {
        try await client.send(ClientRequest(server.url("/", host: host)))
      }
      #expect(error?.kind == .forbidden)
    }
    // The system's own look-up goes the same way.
    let plain = HTTPClient(on: loop)
    let error = await #expect(throws: HTTPClientError.self) {
      try await plain.send(ClientRequest(server.url("/", host: "localhost")))
    }
    #expect(error?.kind == .forbidden)
    #expect(server.seen.connections == 0)
    await client.close()
    await plain.close()
  }

  @Test(.timeLimit(.minutes(1))) func aResolverThatHangsIsWaitedForUntilTheDeadline() async throws {
    let loop = try EventLoop.start(name: "test")
    let client = HTTPClient(
      on: loop,
      resolver: { _ in
        await loop.sleep(for: .seconds(3600))
        return []
      })
    var request = ClientRequest("http://mail.hamburger.edu/")
    request.deadline = .milliseconds(20)
    let late = await #expect(throws: HTTPClientError.self) { try await client.send(request) }
    #expect(late?.kind == .timedOut)
    #expect(late?.description.contains("mail.hamburger.edu was not looked up") == true)
    request.deadline = .seconds(3600)
    let patient = request
    let task = Task { try await client.send(patient) }
    task.cancel()
    let cancelled = await #expect(throws: HTTPClientError.self) { try await task.value }
    #expect(cancelled?.kind == .cancelled)
    await client.close()
  }

  /// Answers `/1` with the place that the script has for it, and so on; without one, with 200.
  private func leading(_ places: [String: String], on loop: EventLoop) throws -> ScriptedServer {
    try ScriptedServer(on: loop) { _, request in
      let path = request.split(separator: " ").dropFirst().first.map(String.init) ?? ""
      return [places[path].map { answer("302 Found", "Location: \($0)\r\n") } ?? answer(body: path)]
    }
  }

  @Test func aRequestGoesWhereItIsLedToAndNoFurtherThanItSays() async throws {
    let loop = try EventLoop.start(name: "test")
    let server = try leading(
      ["/a/1": "../b?x#y", "/b?x": "/c", "/loop": "loop", "/mail": "mailto:a@b", "/file": "file:///etc/passwd"],
      on: loop)
    let client = HTTPClient(on: loop)
    var request = ClientRequest(server.url("/a/1"))
    #expect(try await client.send(request).status == 302)
    request.redirects = 2
    #expect(try await client.send(request).body == Array("/c".utf8))
    let short = {
      var short = request; short.redirects = 1; return short
    }()
    var error = await #expect(throws: HTTPClientError.self) { try await client.send(short) }
    #expect(error?.reason.contains("more than 1 times") == true)
    for (path, words) in [("/loop", "more than 2 times"), ("/mail", "no web address"), ("/file", "no web address")] {
      request.url = server.url(path)
      let request = request
      error = await #expect(throws: HTTPClientError.self) { try await client.send(request) }
      #expect(error?.kind == .brokenResponse && error?.reason.contains(words) == true, "\(path)")
    }
    // What changes something is not done elsewhere.
    var post = ClientRequest("POST", server.url("/b?x"))
    post.redirects = 5
    #expect(try await client.send(post).status == 302)
    await client.close()
  }

  @Test func eachHopHasToBeAllowedAndTellsNoSecretsToOthers() async throws {
    let network = try #require(IPNetwork("127.0.0.0/8"))
    let loop = try EventLoop.start(name: "test", egress: .only([network]))
    let target = try leading([:], on: loop)
    let server = try leading(
      ["/other": target.url("/x", host: "other.test"), "/out": "http://192.0.2.1/x", "/named": "http://out.test/"],
      on: loop)
    let asked = Lock<[String]>([])
    let client = HTTPClient(
      on: loop,
      resolver: { host in
        asked.withLock { $0.append(host) }
        return [host == "out.test" ? IPAddress(v4: 0xC000_0201) : .loopbackV4]
      })
    var request = ClientRequest("GET", server.url("/other"), headers: [("Authorization", "secret"), ("X-Kept", "1")])
    request.redirects = 5
    #expect(try await client.send(request).status == 200)
    let seen = try #require(target.seen.requests.first)
    #expect(seen.contains("X-Kept: 1\r\n") && !seen.contains("secret") && asked.withLock { $0 } == ["other.test"])
    for path in ["/out", "/named"] {
      request.url = server.url(path)
      let request = request
      let error = await #expect(throws: HTTPClientError.self) { try await client.send(request) }
      #expect(error?.kind == .forbidden, "\(path)")
    }
    await client.close()
  }
}
