import EventLoop
import Octets
import Testing

@testable import HTTPClient

@Suite struct StreamTests {
  let loop: EventLoop

  init() throws {
    loop = try EventLoop.start(name: "test")
  }

  @Test func aSlowConsumerHoldsThePeerBackAndGetsEveryOctet() async throws {
    let size = 16 << 20
    let server = try ScriptedServer(on: loop) { _, _ in
      [
        .say("HTTP/1.1 200 OK\r\nContent-Length: \(size)\r\n\r\n"),
        .send((0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) }),
      ]
    }
    let client = HTTPClient(on: loop)
    let stream = try await client.stream(ClientRequest(server.url("/")))
    #expect(stream.status == 200)
    var received = 0
    var isRight = true
    while let piece = try await stream.next() {
      #expect(piece.count < 256 << 10)
      for octet in piece {
        isRight = isRight && octet == UInt8(truncatingIfNeeded: received &* 31 >> 3)
        received += 1
      }
    }
    #expect(received == size)
    #expect(isRight)
    #expect(try await stream.next() == nil)
    await client.close()
  }

  @Test(.timeLimit(.minutes(1))) func aPausedStreamWakesNobody() async throws {
    let size = 4 << 20
    let server = try ScriptedServer(on: loop) { _, _ in
      [.say("HTTP/1.1 200 OK\r\nContent-Length: \(size)\r\n\r\n"), .send([UInt8](repeating: 7, count: size))]
    }
    let client = HTTPClient(on: loop)
    let stream = try await client.stream(ClientRequest(server.url("/")))
    // Nobody takes a piece: the peer is held back, and nothing that happens on the socket wakes anybody.
    while await client.watched > 0, !Task.isCancelled { await loop.sleep(for: .milliseconds(1)) }
    let turns = loop.turns
    await loop.sleep(for: .milliseconds(50))
    #expect(loop.turns - turns < 10, "a loop that spins takes thousands")
    var received = 0
    while let piece = try await stream.next() { received += piece.count }
    #expect(received == size)
    await client.close()
  }

  @Test func chunksArriveWithoutTheirFraming() async throws {
    let server = try ScriptedServer(on: loop) { _, _ in
      [
        .say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"), .say("5\r\nhello\r\n"),
        .say("6\r\n world\r\n0\r\nX-Trailer: 1\r\n\r\n"),
      ]
    }
    let client = HTTPClient(on: loop)
    let stream = try await client.stream(ClientRequest(server.url("/")))
    var body: [UInt8] = []
    while let piece = try await stream.next() { body += piece }
    #expect(body == Array("hello world".utf8))
    #expect(stream.head.header("x-trailer") == nil)
    await client.close()
  }

  @Test func theHeadComesBeforeTheBodyDoes() async throws {
    let server = try ScriptedServer(on: loop) { _, _ in [.say("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")] }
    let client = HTTPClient(on: loop)
    let stream = try await client.stream(ClientRequest(server.url("/")))
    #expect(stream.status == 200)
    await client.close()
    let error = await #expect(throws: HTTPClientError.self) { try await stream.next() }
    #expect(error?.kind == .closed)
  }

  @Test func aStreamThatBreaksOffSaysSoAfterWhatCame() async throws {
    let server = try ScriptedServer(on: loop) { _, _ in
      [.say("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"), .close]
    }
    let client = HTTPClient(on: loop)
    let stream = try await client.stream(ClientRequest(server.url("/")))
    #expect(try await stream.next() == Array("half".utf8))
    let error = await #expect(throws: HTTPClientError.self) { try await stream.next() }
    #expect(error?.kind == .brokenResponse)
    await client.close()
  }

  @Test func lettingGoOfAStreamFreesItsConnection() async throws {
    let server = try ScriptedServer(on: loop) { number, _ in
      number == 0 ? [.say("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")] : [answer(body: "next")]
    }
    var limits = HTTPClient.Limits()
    limits.connections = 1
    let client = HTTPClient(on: loop, limits: limits)
    do { _ = try await client.stream(ClientRequest(server.url("/"))) }
    #expect(try await client.send(ClientRequest(server.url("/"))).body == Array("next".utf8))
    await client.close()
  }
}
