import EventLoop
import HTTPClient
import Octets
import ServiceKit
import Testing
import TorrentWire

@testable import Peer

@Suite(.timeLimit(.minutes(2))) struct UDPTrackerClientTests {
  private let loop: EventLoop

  init() throws {
    loop = try EventLoop.start(name: "test")
  }

  private func client(
    from source: IPAddress? = nil, _ change: (inout UDPTrackerClient.Limits) -> Void = { _ in }
  ) -> UDPTrackerClient {
    client(from: source, resolver: { _ in [] }, change)
  }

  private func client(
    from source: IPAddress? = nil, resolver: @escaping HostResolver,
    _ change: (inout UDPTrackerClient.Limits) -> Void
  ) -> UDPTrackerClient {
    var limits = UDPTrackerClient.Limits()
    change(&limits)
    return UDPTrackerClient(on: loop, from: source, resolver: resolver, chance: Chance(seed: 1), limits: limits)
  }

  @Test("A tracker is connected to, told all, and its answer is read", arguments: [IPAddress.loopbackV4, .loopbackV6])
  func announce(ip: IPAddress) async throws {
    var told = Make.reply()
    if !ip.isV4 { told.peers = [.init(address: SocketAddress(ip: .loopbackV6, port: 6881))] }
    let tracker = try await ScriptedTracker(on: loop, ip: ip, ScriptedTracker.ordinary(told))
    let request = try Make.request(.started)
    let reply = try await client().announce(request, to: try tracker.url("/announce?passkey=1"))
    #expect(reply == told)
    let asked = await tracker.asked
    #expect(asked.map(\.kind) == ["connect", "started"])
    #expect(
      asked.last?.request == .announce(connection: 77, request, path: Array("/announce?passkey=1".utf8)))
    #expect(asked[0].transaction != asked[1].transaction && asked[0].source == asked[1].source)
  }

  @Test("What is asked comes from the source that was given, where that has the tracker's family")
  func sources() async throws {
    let source = try #require(IPAddress("127.0.30.11"))
    let client = client(from: source)
    for ip in [IPAddress.loopbackV4, .loopbackV6] {
      let tracker = try await ScriptedTracker(on: loop, ip: ip, ScriptedTracker.ordinary(Make.reply(peers: 0)))
      _ = try await client.announce(try Make.request(), to: try tracker.url())
      #expect(await tracker.asked.allSatisfy { $0.source.ip == (ip.isV4 ? source : ip) })
    }
  }

  @Test("What is lost is sent again, whichever datagram it was", arguments: 0..<3)
  func losses(lost: Int) async throws {
    let ordinary = ScriptedTracker.ordinary(Make.reply())
    let tracker = try await ScriptedTracker(on: loop) { number, asked in
      number == lost ? [] : ordinary(number, asked)
    }
    let client = client { $0.patience = .milliseconds(20) }
    for _ in 0..<2 {
      #expect(try await client.announce(try Make.request(), to: try tracker.url()) == Make.reply())
    }
    #expect(await tracker.asked.count > 3)
  }

  @Test("Answers to other questions and octets without sense are passed over")
  func noise() async throws {
    let other = Make.reply(60, peers: 0)
    let tracker = try await ScriptedTracker(on: loop) { _, asked in
      let noise: [ScriptedTracker.Answer] = [
        .octets([]), .octets([0, 0, 0]), .octets(Array(repeating: 0xFF, count: 600)), .octets([0, 0, 0, 1]),
        .octets(Array(repeating: 1, count: 4096)),
      ]
      return switch asked.request {
      case .connect: noise + [.foreign(.connect(connection: 1)), .reply(.connect(connection: 77))]
      case .announce(77, _, _):
        noise + [.foreign(.announce(other)), .foreign(.error("no")), .reply(.announce(Make.reply()))]
      case .announce, .scrape: [.reply(.error("a wrong id"))]
      }
    }
    #expect(try await client().announce(try Make.request(), to: try tracker.url()) == Make.reply())
  }

  @Test("What the tracker says against it is what is thrown")
  func refusal() async throws {
    let tracker = try await ScriptedTracker(on: loop) { _, asked in
      asked.request == .connect ? [.reply(.connect(connection: 1))] : [.reply(.error("torrent not allowed"))]
    }
    let error = await #expect(throws: TrackerFailure.self) {
      try await client().announce(try Make.request(), to: try tracker.url())
    }
    #expect(error?.description == "torrent not allowed")
    #expect(await tracker.kinds == ["connect", "announce"])
  }

  @Test("A tracker that answers something else than it was asked is not asked for ever", arguments: [true, false])
  func nonsense(onConnect: Bool) async throws {
    let tracker = try await ScriptedTracker(on: loop) { _, asked in
      asked.request == .connect && !onConnect
        ? [.reply(.connect(connection: 1))] : [.reply(onConnect ? .scrape([]) : .connect(connection: 2))]
    }
    let error = await #expect(throws: TrackerFailure.self) {
      try await client().announce(try Make.request(), to: try tracker.url())
    }
    #expect(error?.description.contains("something else") == true)
  }

  @Test("Where nobody listens, the call ends at once and not at its deadline")
  func nobody() async throws {
    let tracker = try await ScriptedTracker(on: loop) { _, _ in [] }
    let url = try tracker.url()
    await tracker.close()
    let client = client { ($0.deadline, $0.patience) = (.seconds(3600), .seconds(3600)) }
    let error = await #expect(throws: TrackerFailure.self) { try await client.announce(try Make.request(), to: url) }
    #expect(error?.description.contains("refused") == true)
    #expect(await client.openLines == 0)
  }

  @Test("A silent tracker is waited for until the deadline")
  func silence() async throws {
    let tracker = try await ScriptedTracker(on: loop) { _, _ in [] }
    let client = client { ($0.deadline, $0.patience) = (.milliseconds(60), .milliseconds(5)) }
    let error = await #expect(throws: TrackerFailure.self) {
      try await client.announce(try Make.request(), to: try tracker.url())
    }
    #expect(error?.description.contains("does not answer") == true)
    #expect(await Set(tracker.kinds) == ["connect"])
  }

  @Test("A connection id is used again while it is good, and asked for anew when it is not")
  func connectionIDs() async throws {
    for (life, kinds) in [
      (Duration.seconds(3600), ["connect", "announce", "announce", "scrape"]),
      (.zero, ["connect", "announce", "connect", "announce", "connect", "scrape"]),
    ] {
      let tracker = try await ScriptedTracker(on: loop, ScriptedTracker.ordinary(Make.reply()))
      let client = client { $0.connectionLife = life }
      let request = try Make.request()
      for _ in 0..<2 { _ = try await client.announce(request, to: try tracker.url()) }
      _ = try await client.scrape([request.infoHash], at: try tracker.url())
      #expect(await tracker.kinds == kinds)
      if life > .zero { #expect(await Set(tracker.asked.map(\.source)).count == 1) }
    }
  }

  @Test(
    "A tracker that began anew is connected to again, whether it refuses the id of before or is silent",
    arguments: [true, false])
  func forgotten(speaks: Bool) async throws {
    let tracker = try await ScriptedTracker(on: loop) { number, asked in
      switch asked.request {
      case .connect: [.reply(.connect(connection: number == 0 ? 1 : 2))]
      // The id of before is good once.
      case .announce(let id, _, _) where id == 2 || number == 1: [.reply(.announce(Make.reply()))]
      default: speaks ? [.reply(.error("Connection ID mismatch."))] : []
      }
    }
    let client = client { $0.patience = .milliseconds(20) }
    for _ in 0..<2 {
      #expect(try await client.announce(try Make.request(), to: try tracker.url()) == Make.reply())
    }
  }

  @Test("Lines whose ids are no longer good are closed, and idle ones make room")
  func lines() async throws {
    let first = try await ScriptedTracker(on: loop, ScriptedTracker.ordinary(Make.reply()))
    let second = try await ScriptedTracker(on: loop, ScriptedTracker.ordinary(Make.reply()))
    let client = client { $0.lines = 1 }
    for tracker in [first, second, first] {
      _ = try await client.announce(try Make.request(), to: try tracker.url())
      #expect(await client.openLines == 1)
    }
    #expect(await first.kinds == ["connect", "announce", "connect", "announce"])
    let brief = self.client { $0.connectionLife = .milliseconds(1) }
    _ = try await brief.announce(try Make.request(), to: try first.url())
    while await brief.openLines > 0, !Task.isCancelled { await loop.sleep(for: .milliseconds(2)) }
  }

  @Test("Calls beside each other get their own answers, and more trackers than are allowed are refused")
  func calls() async throws {
    let tracker = try await ScriptedTracker(on: loop) { _, asked in
      switch asked.request {
      case .connect: [.reply(.connect(connection: 1))]
      case .announce(_, let request, _): [.reply(.announce(Make.reply(Int(request.port), peers: 0)))]
      case .scrape: []
      }
    }
    let client = client { $0.lines = 1 }
    let url = try tracker.url()
    let request = try Make.request()
    try await withThrowingTaskGroup(of: (Int, Int).self) { group in
      for port in 1...50 {
        group.addTask {
          var request = request
          request.port = UInt16(port)
          return (port, try await client.announce(request, to: url).interval)
        }
      }
      for try await (port, interval) in group { #expect(port == interval) }
    }
    let silent = try await ScriptedTracker(on: loop) { _, _ in [] }
    let silentURL = try silent.url()
    let waiting = Task { try await client.announce(request, to: silentURL) }
    _ = await silent.asked(1)
    await #expect(throws: TrackerFailure.self) { try await client.announce(request, to: url) }
    waiting.cancel()
    await #expect(throws: TrackerFailure("\(silent.address): cancelled")) { try await waiting.value }
  }

  @Test("Of a name's addresses one after the other is tried")
  func names() async throws {
    let tracker = try await ScriptedTracker(on: loop, ScriptedTracker.ordinary(Make.reply()))
    let url = try TrackerURL("udp://tracker.example:\(tracker.address.port)")
    let asked = Lock<[String]>([])
    let other = try #require(IPAddress("127.0.30.99"))
    let resolver: HostResolver = { host in
      asked.withLock { $0.append(host) }
      return [.loopbackV6, other, .loopbackV4]
    }
    let client = client(resolver: resolver) { _ in }
    #expect(try await client.announce(try Make.request(), to: url) == Make.reply())
    #expect(asked.withLock { $0 } == ["tracker.example"])
  }

  @Test("A name that has no address, is not found or is not looked up in time is a failure")
  func unresolved() async throws {
    struct NoSuchName: Error {}
    let url = try TrackerURL("udp://tracker.example:6969")
    let loop = loop
    let hangs: HostResolver = { _ in
      await loop.sleep(for: .seconds(3600))
      return []
    }
    for (resolver, word) in [
      ({ _ in [] }, "no address"), ({ _ in throw NoSuchName() }, "NoSuchName"), (hangs, "in time"),
    ] as [(HostResolver, String)] {
      let client = client(resolver: resolver) { $0.deadline = .milliseconds(50) }
      let error = await #expect(throws: TrackerFailure.self) { try await client.announce(try Make.request(), to: url) }
      #expect(error?.description.contains(word) == true && error?.description.contains("tracker.example") == true)
    }
  }

  @Test("Nothing is sent to where the egress policy does not lead")
  func egress() async throws {
    let tracker = try await ScriptedTracker(on: loop, ScriptedTracker.ordinary(Make.reply()))
    let network = try #require(IPNetwork("127.9.0.0/16"))
    let confined = try EventLoop.start(name: "confined", egress: .only([network]))
    let client = UDPTrackerClient(on: confined, resolver: { _ in [.loopbackV4] }, chance: Chance(seed: 1))
    for host in ["127.0.0.1", "tracker.example"] {
      let url = try TrackerURL("udp://\(host):\(tracker.address.port)")
      await #expect(throws: TrackerFailure.self) { try await client.announce(try Make.request(), to: url) }
    }
    #expect(await tracker.asked.isEmpty)
  }

  @Test("A scrape has the numbers in the order of the hashes, and no more than were asked for")
  func scrape() async throws {
    let hashes = try (0..<100).map { number in try #require(InfoHash(Array(repeating: UInt8(number), count: 20))) }
    let tracker = try await ScriptedTracker(on: loop, ScriptedTracker.ordinary(Make.reply()))
    let entries = try await client().scrape(hashes, at: try tracker.url())
    #expect(entries.map(\.infoHash) == Array(hashes.prefix(74)))
    #expect(entries.map(\.seeders) == Array(0..<74))
    #expect(entries.first == ScrapeEntry(infoHash: hashes[0], seeders: 0, leechers: 20, downloads: 10))
    let generous = try await ScriptedTracker(on: loop) { _, asked in
      asked.request == .connect
        ? [.reply(.connect(connection: 1))]
        : [.reply(.scrape(Array(repeating: .init(seeders: 1, downloads: 2, leechers: 3), count: 9)))]
    }
    #expect(try await client().scrape([hashes[1]], at: try generous.url()).map(\.infoHash) == [hashes[1]])
  }
}
