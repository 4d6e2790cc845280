import EventLoop
import HTTPClient
import HTTPServer
import HTTPWire
import Octets
import Testing
import TorrentWire

@testable import Peer

@Suite(.timeLimit(.minutes(2))) struct HTTPTrackerClientTests {
  private let loop: EventLoop
  private let router = Router()

  init() throws {
    loop = try EventLoop.start(name: "test")
  }

  /// A server with the routes so far, and a client.
  private func serve(_ ip: IPAddress = .loopbackV4) throws -> (server: SocketAddress, client: HTTPClient) {
    let server = HTTPServer(router: router, configuration: .init())
    return (try server.listen(on: SocketAddress(ip: ip, port: 0), loops: [loop]), HTTPClient(on: loop))
  }

  private func answer(_ octets: [UInt8]) { router.get("/announce") { _ in .octets(octets, type: "text/plain") } }

  @Test("A tracker is told all, and its answer is read, from the address that is the peer's own")
  func announce() async throws {
    let seen = Lock<[(AnnounceRequest?, IPAddress, String)]>([])
    var told = Make.reply()
    told.minInterval = 900
    told.trackerID = [1, 0, 255]
    told.warning = "mind the gap"
    let octets = told.encoded(.compact)
    router.get("/announce") { request in
      seen.withLock {
        $0.append(
          (
            try? AnnounceRequest(query: request.head.queryOctets), request.peer.ip,
            String(decoding: request.head.queryOctets, as: UTF8.self)
          ))
      }
      return .octets(octets, type: "text/plain")
    }
    let (server, client) = try serve()
    let source = try #require(IPAddress("127.0.30.11"))
    var request = try Make.request(.started)
    request.trackerID = [0x26, 0x3D, 0x25]
    let tracker = HTTPTrackerClient(client, from: source)
    let reply = try await tracker.announce(request, to: try TrackerURL("http://\(server)/announce?passkey=1"))
    #expect(reply == told)
    let (asked, ip, query) = try #require(seen.withLock { $0.first })
    #expect(asked == request && ip == source && query.hasPrefix("passkey=1&info_hash="))
    await client.close()
  }

  @Test("What the tracker says against it is what is thrown, with when to come back")
  func refusal() async throws {
    answer(TrackerFailure("not here", retry: .minutes(5)).encoded)
    let (server, client) = try serve()
    await #expect(throws: TrackerFailure("not here", retry: .minutes(5))) {
      try await HTTPTrackerClient(client).announce(try Make.request(), to: try TrackerURL("http://\(server)/announce"))
    }
    await client.close()
  }

  @Test(
    "An answer that is none is a failure",
    arguments: ["", "hello", "d", "de", "i1e", "d8:intervali-1ee", "d8:intervali1e5:peers5:aaaaae", "<html></html>"])
  func nonsense(text: String) async throws {
    answer(Array(text.utf8))
    let (server, client) = try serve()
    await #expect(throws: TrackerFailure.self) {
      try await HTTPTrackerClient(client).announce(try Make.request(), to: try TrackerURL("http://\(server)/announce"))
    }
    await client.close()
  }

  @Test("A status that is not 200 is told, and so is an answer without end")
  func statuses() async throws {
    answer(Array(repeating: 0x78, count: HTTPTrackerClient.answerLimit + 1))
    let (server, client) = try serve()
    let tracker = HTTPTrackerClient(client)
    await #expect(throws: TrackerFailure("the tracker answered with status 404")) {
      try await tracker.announce(try Make.request(), to: try TrackerURL("http://\(server)/elsewhere/announce"))
    }
    let error = await #expect(throws: TrackerFailure.self) {
      try await tracker.announce(try Make.request(), to: try TrackerURL("http://\(server)/announce"))
    }
    #expect(error?.description.contains("longer than") == true)
    await client.close()
  }

  @Test("A tracker that has moved is asked where it is now, its passkey told as it says")
  func moved() async throws {
    answer(Make.reply().encoded(.compact))
    router.get("/old") { request in
      Response.empty(.found).with("location", "/announce?\(String(decoding: request.head.queryOctets, as: UTF8.self))")
    }
    router.get("/loop") { _ in Response.empty(301).with("location", "/loop") }
    router.get("/udp") { _ in Response.empty(302).with("location", "udp://127.0.0.1:1/announce") }
    let (server, client) = try serve()
    let tracker = HTTPTrackerClient(client)
    #expect(try await tracker.announce(try Make.request(), to: try TrackerURL("http://\(server)/old")) == Make.reply())
    for (path, words) in [("loop", "more than 5 times"), ("udp", "no web address")] {
      let error = await #expect(throws: TrackerFailure.self) {
        try await tracker.announce(try Make.request(), to: try TrackerURL("http://\(server)/\(path)"))
      }
      #expect(error?.description.contains(words) == true, "\(error?.description ?? "")")
    }
    await client.close()
  }

  @Test("Where nobody listens, that is the failure, and it does not show the passkey")
  func nobody() async throws {
    let listener = try TCPListener(SocketAddress(ip: .loopbackV4, port: 0), on: loop) { _ in }
    let url = try TrackerURL("http://\(listener.address)/announce?passkey=secret")
    await listener.drain()
    let client = HTTPClient(on: loop)
    let error = await #expect(throws: TrackerFailure.self) {
      try await HTTPTrackerClient(client).announce(try Make.request(), to: url)
    }
    #expect(error?.description.contains("secret") == false)
    await client.close()
  }

  @Test("A scrape has what was asked for alone, and needs a URL that has one")
  func scrape() async throws {
    let request = try Make.request()
    let other = try #require(InfoHash(Array(repeating: 9, count: 20)))
    let entry = ScrapeEntry(infoHash: request.infoHash, seeders: 1, leechers: 2, downloads: 3)
    let foreign = ScrapeEntry(infoHash: other, seeders: 4, leechers: 5, downloads: 6)
    let octets = ScrapeReply.encode([entry, foreign])
    router.get("/scrape") { _ in .octets(octets, type: "text/plain") }
    let (server, client) = try serve(.loopbackV6)
    let tracker = HTTPTrackerClient(client)
    #expect(
      try await tracker.scrape([request.infoHash], at: try TrackerURL("http://\(server)/announce")) == [entry])
    let error = await #expect(throws: TrackerFailure.self) {
      try await tracker.scrape([request.infoHash], at: try TrackerURL("http://\(server)/a"))
    }
    #expect(error?.description.contains("scrape") == true)
    await client.close()
  }
}

extension RequestHead {
  var queryOctets: ArraySlice<UInt8> { bytes[query.range] }
}
