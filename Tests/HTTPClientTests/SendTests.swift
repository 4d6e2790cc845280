import EventLoop
import Octets
import Testing

@testable import HTTPClient

@Suite struct SendTests {
  let loop: EventLoop

  init() throws {
    loop = try EventLoop.start(name: "test")
  }

  @Test func aResponseHasStatusFieldsAndBody() async throws {
    let server = try ScriptedServer(on: loop) { _, _ in
      [answer("203 Fine", "X-One:  a b \r\nx-two:\r\n", body: "hello")]
    }
    let client = HTTPClient(on: loop)
    let response = try await client.send(ClientRequest(server.url("/a?b=c")))
    #expect(response.status == 203)
    #expect(response.header("x-ONE") == "a b")
    #expect(response.header("X-Two") == "")
    #expect(response.header("absent") == nil)
    #expect(response.body == Array("hello".utf8))
    #expect(server.seen.requests.first?.hasPrefix("GET /a?b=c HTTP/1.1\r\n") == true)
    await client.close()
  }

  @Test func oneConnectionServesOneRequestAfterTheOther() async throws {
    let server = try ScriptedServer(on: loop) { number, _ in [answer(body: "\(number)")] }
    let client = HTTPClient(on: loop)
    for number in 0..<5 {
      #expect(try await client.send(ClientRequest(server.url("/"))).body == Array("\(number)".utf8))
    }
    #expect(server.seen.connections == 1)
    await client.close()
  }

  @Test func manyRequestsRunBesideEachOther() async throws {
    let server = try ScriptedServer(on: loop) { _, _ in [answer(body: "ok")] }
    let client = HTTPClient(on: loop)
    try await withThrowingTaskGroup(of: Int.self) { group in
      for _ in 0..<200 { group.addTask { try await client.send(ClientRequest(server.url("/"))).status } }
      for try await status in group { #expect(status == 200) }
    }
    #expect(server.seen.requests.count == 200)
    #expect(server.seen.connections <= HTTPClient.Limits().connectionsPerHost)
    await client.close()
  }

  @Test func theRequestIsSentAsGiven() async throws {
    let server = try ScriptedServer(on: loop) { _, _ in [answer("201 Created")] }
    let client = HTTPClient(on: loop)
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    let request = ClientRequest(
      "PATCH", server.url("/z"), headers: [("X-API-Key", "k"), ("X-Empty", "")], body: Array("{}".utf8),
      traceparent: trace)
    #expect(try await client.send(request).status == 201)
    let seen = try #require(server.seen.requests.first)
    #expect(seen.hasPrefix("PATCH /z HTTP/1.1\r\n"))
    #expect(seen.contains("\r\nX-API-Key: k\r\n"))
    #expect(seen.contains("\r\nX-Empty:\r\n"))
    #expect(seen.contains("\r\ntraceparent: \(trace)\r\n"))
    #expect(seen.contains("\r\nContent-Length: 2\r\n"))
    #expect(!seen.contains("Expect"))
    #expect(!seen.contains("Content-Type"))
    #expect(seen.hasSuffix("\r\n\r\n{}"))
    await client.close()
  }

  @Test func anEmptyBodySaysThatItIsEmpty() async throws {
    let server = try ScriptedServer(on: loop) { _, _ in [answer()] }
    let client = HTTPClient(on: loop)
    _ = try await client.send(ClientRequest("POST", server.url("/"), body: []))
    #expect(server.seen.requests.first?.contains("\r\nContent-Length: 0\r\n") == true)
    await client.close()
  }

  @Test func headHasNoBody() async throws {
    let server = try ScriptedServer(on: loop) { _, _ in [.say("HTTP/1.1 200 OK\r\nContent-Length: 77\r\n\r\n")] }
    let client = HTTPClient(on: loop)
    let response = try await client.send(ClientRequest("HEAD", server.url("/")))
    #expect(response.header("content-length") == "77")
    #expect(response.body.isEmpty)
    await client.close()
  }

  @Test func anInterimResponseIsNotTheResponse() async throws {
    let server = try ScriptedServer(on: loop) { _, _ in
      [.say("HTTP/1.1 103 Early Hints\r\nX-Early: 1\r\n\r\n"), answer("204 No Content", "X-Late: 1\r\n")]
    }
    let client = HTTPClient(on: loop)
    let response = try await client.send(ClientRequest(server.url("/")))
    #expect(response.status == 204)
    #expect(response.header("x-early") == nil)
    #expect(response.header("x-late") == "1")
    await client.close()
  }

  @Test func aRedirectIsAResponseLikeAnyOther() async throws {
    let server = try ScriptedServer(on: loop) { _, _ in [answer("302 Found", "Location: /elsewhere\r\n")] }
    let client = HTTPClient(on: loop)
    let response = try await client.send(ClientRequest(server.url("/")))
    #expect(response.status == 302)
    #expect(server.seen.requests.count == 1)
    await client.close()
  }

  @Test func aBodyOverTheLimitIsRefused() async throws {
    let server = try ScriptedServer(on: loop) { _, _ in [answer(body: String(repeating: "x", count: 100))] }
    let client = HTTPClient(on: loop)
    var request = ClientRequest(server.url("/long"))
    request.bodyLimit = 99
    let error = await #expect(throws: HTTPClientError.self) { try await client.send(request) }
    #expect(error?.kind == .tooLarge)
    #expect(error?.description.contains(server.url("/long")) == true)
    request.bodyLimit = 100
    #expect(try await client.send(request).body.count == 100)
    await client.close()
  }

  @Test func aBodyThatBreaksOffIsAnError() async throws {
    let server = try ScriptedServer(on: loop) { _, _ in
      [.say("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"), .close]
    }
    let client = HTTPClient(on: loop)
    let error = await #expect(throws: HTTPClientError.self) { try await client.send(ClientRequest(server.url("/"))) }
    #expect(error?.kind == .brokenResponse)
    #expect(server.seen.requests.count == 1)
    await client.close()
  }

  @Test(arguments: ["PUT", "GET", "DELETE"])
  func whatMayBeRepeatedIsSentAgainWhenTheConnectionFails(method: String) async throws {
    let server = try ScriptedServer(on: loop) { number, _ in number < 2 ? [.close] : [answer(body: "at last")] }
    let client = HTTPClient(on: loop)
    let response = try await client.send(ClientRequest(method, server.url("/")))
    #expect(response.body == Array("at last".utf8))
    #expect(server.seen.requests.count == 3)
    await client.close()
  }

  @Test(arguments: ["POST", "PATCH"])
  func whatMayNotBeRepeatedIsSentOnce(method: String) async throws {
    let server = try ScriptedServer(on: loop) { number, _ in number == 0 ? [answer()] : [.close] }
    let client = HTTPClient(on: loop)
    // A kept connection that dies is where libcurl by itself would send again.
    _ = try await client.send(ClientRequest(server.url("/")))
    let error = await #expect(throws: HTTPClientError.self) {
      try await client.send(ClientRequest(method, server.url("/"), body: [1]))
    }
    #expect(error?.kind == .connection)
    #expect(server.seen.requests.count == 2)
    await client.close()
  }

  @Test func nobodyThereIsAConnectionErrorThatNamesTheURL() async throws {
    let client = HTTPClient(on: loop)
    let error = await #expect(throws: HTTPClientError.self) {
      try await client.send(ClientRequest("http://127.0.0.1:1/x"))
    }
    #expect(error?.kind == .connection)
    #expect(error?.description.hasPrefix("GET http://127.0.0.1:1/x: ") == true)
    await client.close()
  }

  @Test func theDeadlineEndsARequestThatGetsNoAnswer() async throws {
    let server = try ScriptedServer(on: loop) { _, _ in [] }
    let client = HTTPClient(on: loop)
    var request = ClientRequest(server.url("/"))
    request.deadline = .milliseconds(50)
    let error = await #expect(throws: HTTPClientError.self) { try await client.send(request) }
    #expect(error?.kind == .timedOut)
    let late = await #expect(throws: HTTPClientError.self) { try await client.stream(request) }
    #expect(late?.kind == .timedOut)
    await client.close()
  }

  @Test(arguments: [
    "file:///etc/passwd", "ftp://127.0.0.1/", "127.0.0.1:80", "http://", "http://a b/", "http://user:secret@127.0.0.1/",
    "gopher://127.0.0.1:70/", "http://127.0.0.1:99999/", "",
  ])
  func onlyAPlainWebAddressIsAccepted(url: String) async throws {
    let client = HTTPClient(on: loop, resolver: { _ in [] })
    let error = await #expect(throws: HTTPClientError.self) { try await client.send(ClientRequest(url)) }
    #expect(error?.kind == .invalidRequest || error?.kind == .unresolved)
    await client.close()
  }

  @Test(arguments: [("X", "a\r\nY: b"), ("X\r\nY", "b"), ("", "b"), ("X Y", "b"), ("X", "a\u{0}")])
  func aFieldThatWouldBreakTheMessageIsRefused(name: String, value: String) async throws {
    let client = HTTPClient(on: loop)
    let request = ClientRequest("GET", "http://127.0.0.1:1/", headers: [(name, value)])
    let error = await #expect(throws: HTTPClientError.self) { try await client.send(request) }
    #expect(error?.kind == .invalidRequest)
    await client.close()
  }

  @Test func aClosedClientEndsWhatIsUnderWay() async throws {
    let server = try ScriptedServer(on: loop) { _, _ in [] }
    let client = HTTPClient(on: loop)
    let pending = Task { try await client.send(ClientRequest(server.url("/"))) }
    while server.seen.requests.isEmpty { await Task.yield() }
    await client.close()
    let error = await #expect(throws: HTTPClientError.self) { try await pending.value }
    #expect(error?.kind == .closed)
  }

  @Test func aCancelledTaskEndsItsRequest() async throws {
    let server = try ScriptedServer(on: loop) { _, _ in [] }
    let client = HTTPClient(on: loop)
    let task = Task { try await client.send(ClientRequest(server.url("/"))) }
    while server.seen.requests.isEmpty { await Task.yield() }
    task.cancel()
    let error = await #expect(throws: HTTPClientError.self) { try await task.value }
    #expect(error?.kind == .cancelled)
    await client.close()
  }

  @Test func tooManyRequestsAreRefused() async throws {
    let server = try ScriptedServer(on: loop) { _, _ in [] }
    var limits = HTTPClient.Limits()
    limits.requests = 1
    let client = HTTPClient(on: loop, limits: limits)
    let pending = Task { try await client.send(ClientRequest(server.url("/"))) }
    while server.seen.requests.isEmpty { await Task.yield() }
    let error = await #expect(throws: HTTPClientError.self) { try await client.send(ClientRequest(server.url("/"))) }
    #expect(error?.kind == .overloaded)
    await client.close()
    _ = try? await pending.value
  }
}
