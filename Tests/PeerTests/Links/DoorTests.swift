import EventLoop
import Glibc
import HTTPServer
import Octets
import Testing
import TorrentWire

@testable import Peer

/// Connections of strangers, and the bounds on them.
@Suite(.timeLimit(.minutes(2))) struct DoorTests {
  /// What somebody says first who means the world's only torrent.
  private func greeting(_ world: PeerWorld) async throws -> [UInt8] {
    let torrent = try #require(await world.api.torrents.all.first)
    return Handshake(infoHash: torrent.infoHash, peerID: try #require(Make.id(7))).encoded
  }

  private func call(_ world: PeerWorld) async throws -> TCPConnection {
    try await TCPConnection.connect(to: world.peerAddress, on: world.loop)
  }

  /// Whether the other side has ended it, as an answer to whatever came before.
  private func isOver(_ connection: TCPConnection) async -> Bool {
    while let octets = try? await connection.read(timeout: .seconds(10)) { if octets.isEmpty { return true } }
    return false
  }

  @Test func whoSaysNothingIsSentAway() async throws {
    var limits = PeerLimits()
    limits.greetingTime = .milliseconds(100)
    let world = try await PeerWorld(limits: limits)
    _ = try await world.share()
    let (silent, half) = (try await call(world), try await call(world))
    try await half.write(Array(try await greeting(world).prefix(50)))
    #expect(await isOver(silent))
    #expect(await isOver(half))
    #expect(await world.connections == 0)
  }

  @Test func oneAddressHasSoManyConnections() async throws {
    var limits = PeerLimits()
    limits.connectionsPerAddress = 2
    let world = try await PeerWorld(limits: limits)
    _ = try await world.share()
    let (one, other) = (try await call(world), try await call(world))
    #expect(await isOver(try await call(world)))
    try await one.write(try await greeting(world))
    #expect(try await !one.read().isEmpty)
    // Where one goes, another may come.
    await other.close()
    for _ in 0..<500 where await world.connections > 1 { await world.loop.sleep(for: .milliseconds(10)) }
    let next = try await call(world)
    try await next.write(Array(try await greeting(world).prefix(48)))
    #expect(try await !next.read().isEmpty)
  }

  @Test func soManyMayBeSilentAtATime() async throws {
    var limits = PeerLimits()
    limits.unknown = 2
    let world = try await PeerWorld(limits: limits)
    _ = try await world.share()
    let (one, other) = (try await call(world), try await call(world))
    #expect(await isOver(try await call(world)))
    try await one.write(try await greeting(world))
    #expect(try await !one.read().isEmpty)
    // Who has said what it wants is not counted any more.
    let next = try await call(world)
    try await next.write(Array(try await greeting(world).prefix(48)))
    #expect(try await !next.read().isEmpty)
    await other.close()
  }

  /// The same as another peer.
  private func greeting(_ world: PeerWorld, as number: Int) async throws -> [UInt8] {
    let torrent = try #require(await world.api.torrents.all.first)
    return Handshake(infoHash: torrent.infoHash, peerID: try #require(Make.id(number))).encoded
  }

  @Test(arguments: [true, false]) func whoIsOfNoUseMakesRoomForWhoComes(isIdle: Bool) async throws {
    var limits = PeerLimits()
    limits.connectionsPerTorrent = 1
    limits.idleTime = .zero
    let world = try await PeerWorld(limits: limits)
    let place = try await world.share()
    let (idle, new) = (try await call(world), try await call(world))
    var octets = try await greeting(world, as: 7)
    if !isIdle { PeerMessage.interested.append(to: &octets) }
    try await idle.write(octets)
    try await world.until("connected") {
      let first = try await world.ask("GET", place + "/peers").items.first
      return first?["interested"]?.flag == !isIdle
    }
    try await new.write(try await greeting(world, as: 8))
    #expect(await isOver(isIdle ? idle : new))
    #expect(try await world.ask("GET", place + "/peers").items.count == 1)
    #expect(
      try await world.ask("GET", place + "/decisions").body.contains("others want its place") == isIdle)
  }

  @Test func whoIsOfNoUseMakesRoomForWhoIsToBeCalled() async throws {
    var limits = PeerLimits()
    limits.connectionsPerTorrent = 1
    limits.idleTime = .zero
    let (world, other) = (try await PeerWorld(limits: limits), try await PeerWorld())
    let place = try await world.share()
    _ = try await other.add(try PeerWorld.torrent())
    _ = try await other.ask("PATCH", place, #"{"download_limit":1024}"#)
    try await other.wait(place, "downloading")
    let idle = try await call(world)
    try await idle.write(try await greeting(world, as: 7))
    try await world.until("connected") { try await !world.ask("GET", place + "/peers").items.isEmpty }
    try await world.call(other, for: place)
    #expect(await isOver(idle))
    try await world.until("taken") {
      try await world.ask("GET", place + "/peers").items.first?["address"]?.text == "\(other.peerAddress)"
    }
  }

  @Test func allTorrentsTogetherCallSoMany() async throws {
    let world = try await PeerWorld()
    let place = try await world.addMagnet()
    let called = Lock(0)
    let listener = try TCPListener(SocketAddress(ip: .loopbackV4, port: 0), on: world.loop) { socket in
      called.withLock { $0 += 1 }
      socket.close()
    }
    await world.set(calls: world.around.limits.allCalls)
    let body = #"{"address":"\#(listener.address)"}"#
    #expect(try await world.ask("POST", place + "/peers", body).status == 202)
    await world.loop.sleep(for: .milliseconds(1500))
    #expect(called.withLock { $0 } == 0)
    await world.set(calls: 0)
    for _ in 0..<500 where called.withLock({ $0 == 0 }) { await world.loop.sleep(for: .milliseconds(10)) }
    #expect(called.withLock { $0 } > 0)
    for _ in 0..<500 where await world.calls > 0 { await world.loop.sleep(for: .milliseconds(10)) }
    #expect(await world.calls == 0)
    await listener.drain()
  }

  @Test func trackersAreAskedForMoreWhenAllWhoAreKnownWereCalled() async throws {
    let asked = Lock(0)
    let world = try await PeerWorld { router in
      router.get("/announce") { _ in
        asked.withLock { $0 += 1 }
        let reply = Array("d8:intervali1800e12:min intervali0e5:peers6:".utf8) + [127, 0, 0, 1, 0, 1] + Array("e".utf8)
        return .octets(reply, type: "text/plain")
      }
      router.get("/film.torrent") { _ in .octets(try PeerWorld.torrent(), type: "application/x-bittorrent") }
    }
    await world.set(calls: world.around.limits.allCalls)
    let answer = try await world.ask(
      "POST", "/v1/torrents",
      #"{"url":"http://\#(world.address)/film.torrent","trackers":["http://\#(world.address)/announce"]}"#)
    #expect(answer.status == 201, "\(answer.body)")
    await world.loop.sleep(for: .milliseconds(2500))
    #expect(asked.withLock { $0 } == 1)
    await world.set(calls: 0)
    for _ in 0..<500 where asked.withLock({ $0 < 2 }) { await world.loop.sleep(for: .milliseconds(10)) }
    #expect(asked.withLock { $0 } > 1)
  }

  @Test func whoWasPartedFromIsRemembered() async throws {
    let world = try await PeerWorld()
    let place = try await world.share()
    let stranger = try await call(world)
    var octets = try await greeting(world)
    PeerMessage.extended(id: 0, payload: Array("d1:pi7777ee".utf8)).append(to: &octets)
    // This is no message, and the end of it.
    octets += [0xFF, 0xFF, 0xFF, 0xFF, 5]
    try await stranger.write(octets)
    #expect(await isOver(stranger))
    #expect(try await world.ask("GET", place).number("known_peers") == 1)
  }

  @Test func whoAsksAndReadsNothingIsCutOff() async throws {
    var limits = PeerLimits()
    limits.ahead = 16_384
    limits.words = 32_768
    let world = try await PeerWorld(limits: limits)
    _ = try await world.share()
    let stranger = try await call(world)
    try await stranger.write(try await greeting(world))
    var requests: [UInt8] = []
    for _ in 0..<1000 { PeerMessage.request(Block(piece: 0, offset: 0, length: 16_384)).append(to: &requests) }
    // It reads a little, as far as a buffer goes, and no more. The end that it hears is not one in order, for which
    // the other side would keep what it never reads.
    var end: IOError?
    do throws(IOError) {
      for _ in 0..<2000 { try await stranger.write(requests, timeout: .seconds(20)) }
    } catch {
      end = error
    }
    guard case .system(_, let code) = end else {
      Issue.record("it ended with \(String(describing: end))")
      return
    }
    #expect(code == ECONNRESET || code == EPIPE)
    #expect(await world.connections == 0)
  }
}
