import EventLoop
import Glibc
import Octets
import ServiceKit
import Testing

@testable import Mail

/// A session that does what the test says for each line.
struct ScriptedSession: LineSession {
  let script: @Sendable (String) -> [LineAction<String>]
  var lines = CommandLines()
  var actions: [LineAction<String>] = []
  var held = 0
  var isReceiving = false
  var mistakes = 0
  var isEnded = false

  var buffered: Int { lines.count }
  mutating func receive(_ octets: [UInt8]) { lines.append(octets) }
  mutating func giveUpLetter() { held = 0 }

  mutating func next() -> LineAction<String>? {
    while actions.isEmpty {
      guard !isEnded, case .line(let line, _)? = lines.next(limit: 1000) else { return nil }
      let text = String(decoding: line, as: UTF8.self)
      if text == "hold" { held = 60 }
      if text == "letter" { isReceiving = true }
      if text == "mistake" { mistakes += 1 }
      actions = script(text)
    }
    return actions.removeFirst()
  }

  mutating func end(_ reason: LineEnding) {
    guard !isEnded else { return }
    isEnded = true
    held = 0
    actions += [.reply(Array("\(reason)\r\n".utf8)), .close]
  }
}

struct ScriptedService: LineService {
  var idleLimit = Duration.seconds(300)
  var letterLimit = Duration.seconds(3600)
  var sessions = SessionRegistry()
  var room = LetterRoom(limit: MailLimits().arriving)
  var counters = MailCounters()
  var script: @Sendable (String) -> [LineAction<String>]
  var find: @Sendable (String) -> LineAnswer<ScriptedSession> = { _ in .now { _ in } }

  func session(with peer: Peer) -> ScriptedSession { ScriptedSession(script: script) }
  func answer(_ request: String, of peer: Peer) -> LineAnswer<ScriptedSession> { find(request) }
}

/// What a connection does for any line protocol.
@Suite struct LineConnectionTests {
  let loop: EventLoop

  init() throws { loop = try EventLoop.start(name: "lines") }

  func connect(_ service: ScriptedService) async throws -> (client: TCPConnection, listener: TCPListener) {
    let loop = loop
    let listener = try TCPListener(SocketAddress(ip: .loopbackV4, port: 0), on: loop) { service.open($0, on: loop) }
    return (try await TCPConnection.connect(to: listener.address, on: loop), listener)
  }

  /// Waits until it is true; false after long.
  func comes(_ condition: @Sendable () -> Bool) async -> Bool {
    for _ in 0..<4000 where !condition() { await loop.sleep(for: .milliseconds(5)) }
    return condition()
  }

  @Test func whatFollowsAFlushIsDoneAfterTheOutputHasLeft() async throws {
    defer { loop.stop() }
    let client = Lock<Int32>(-1)
    let arrived = Lock<Int?>(nil)
    var service = ScriptedService { _ in [.reply(Array("before\r\n".utf8)), .flush, .ask("now"), .close] }
    service.find = { _ in
      let descriptor = client.withLock { $0 }
      var octets = [UInt8](repeating: 0, count: 64)
      let count = unsafe recv(descriptor, &octets, octets.count, Int32(MSG_PEEK) | Int32(MSG_DONTWAIT))
      arrived.withLock { $0 = count }
      return .now { $0.actions.insert(.reply(Array("after\r\n".utf8)), at: 0) }
    }
    let opened = service
    let listener = try TCPListener(SocketAddress(ip: .loopbackV4, port: 0), on: loop) { [loop] in
      opened.open($0, on: loop)
    }
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(descriptor) }
    client.withLock { $0 = descriptor }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = listener.address.port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    let connected = unsafe withUnsafePointer(to: &address) {
      unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        unsafe Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    #expect(connected == 0)
    #expect(unsafe send(descriptor, "go\r\n", 4, 0) == 4)
    #expect(await comes { arrived.withLock { $0 != nil } })
    #expect(arrived.withLock { $0 } == 8)
  }

  @Test func whoNeverEndsALineIsSilent() async throws {
    defer { loop.stop() }
    var service = ScriptedService { _ in [] }
    service.idleLimit = .milliseconds(300)
    let (client, _) = try await connect(service)
    var heard: [UInt8] = []
    // Far more often than the limit, and it would go on far longer.
    for _ in 0..<1000 where heard.isEmpty {
      try? await client.write([0x41])
      if let octets = try? await client.read(timeout: .milliseconds(20)) { heard = octets }
    }
    #expect(String(decoding: heard, as: UTF8.self) == "silence\r\n")
    await client.close()
  }

  @Test func aLetterThatNeverEndsIsCutOff() async throws {
    defer { loop.stop() }
    var service = ScriptedService { _ in [] }
    (service.idleLimit, service.letterLimit) = (.milliseconds(300), .milliseconds(600))
    let (client, _) = try await connect(service)
    try await client.write(Array("letter\r\n".utf8))
    var heard: [UInt8] = []
    for _ in 0..<1000 where heard.isEmpty {
      try? await client.write(Array("a line\r\n".utf8))
      if let octets = try? await client.read(timeout: .milliseconds(20)) { heard = octets }
    }
    #expect(String(decoding: heard, as: UTF8.self) == "slowness\r\n")
    await client.close()
  }

  @Test func whoNeverReadsIsDropped() async throws {
    defer { loop.stop() }
    // More than all buffers on the way can take.
    let blob = [UInt8](repeating: 0x41, count: 32_000_000)
    let hasBegun = Lock(false)
    var service = ScriptedService { _ in
      hasBegun.withLock { $0 = true }
      return [.reply(blob)]
    }
    service.idleLimit = .milliseconds(200)
    let sessions = service.sessions
    let (client, _) = try await connect(service)
    try await client.write(Array("go\r\n".utf8))
    #expect(await comes { hasBegun.withLock { $0 } })
    #expect(await comes { sessions.count == 0 })
    await client.close()
  }

  @Test func oneTooManyIsTold() async throws {
    defer { loop.stop() }
    var service = ScriptedService { _ in [] }
    service.sessions = SessionRegistry(limits: SessionRegistry.Limits(perDoor: 10, perAddress: 1))
    let (client, listener) = try await connect(service)
    let sessions = service.sessions
    #expect(await comes { sessions.count == 1 })
    let second = try await TCPConnection.connect(to: listener.address, on: loop)
    #expect(String(decoding: try await second.read(), as: UTF8.self) == "crowded\r\n")
    #expect(service.counters.turnedAway.current == 1)
    #expect(try await second.read() == [])
    await second.close()
    await client.close()
  }

  @Test func aFloodAtOneDoorLeavesTheOtherOpen() async throws {
    defer { loop.stop() }
    var service = ScriptedService { _ in [.reply(Array("in\r\n".utf8))] }
    service.sessions = SessionRegistry(limits: SessionRegistry.Limits(perDoor: 1, perAddress: 10))
    let (first, listener) = try await connect(service)
    try await first.write(Array("go\r\n".utf8))
    #expect(String(decoding: try await first.read(), as: UTF8.self) == "in\r\n")
    let turnedAway = try await TCPConnection.connect(to: listener.address, on: loop)
    #expect(String(decoding: try await turnedAway.read(), as: UTF8.self) == "crowded\r\n")
    let (second, _) = try await connect(service)
    try await second.write(Array("go\r\n".utf8))
    #expect(String(decoding: try await second.read(), as: UTF8.self) == "in\r\n")
    for client in [first, turnedAway, second] { await client.close() }
  }

  @Test func mistakesAreCountedWhenTheSessionIsOver() async throws {
    defer { loop.stop() }
    let service = ScriptedService { _ in [] }
    let (client, _) = try await connect(service)
    try await client.write(Array("mistake\r\nmistake\r\nfine\r\n".utf8))
    await client.finish()
    #expect(try await client.read() == Array("hangUp\r\n".utf8))
    await client.close()
    #expect(await comes { service.counters.mistakes.current == 2 })
  }

  @Test func roomIsGivenBackWhenTheAnswerComesThoughTheClientIsGone() async throws {
    defer { loop.stop() }
    let isStored = Lock(false)
    var service = ScriptedService { _ in [.ask("store")] }
    service.room = LetterRoom(limit: 100)
    service.find = { [loop] _ in
      .later {
        while !isStored.withLock({ $0 }) { await loop.sleep(for: .milliseconds(5)) }
        return { _ in }
      }
    }
    let (room, sessions) = (service.room, service.sessions)
    let (client, _) = try await connect(service)
    try await client.write(Array("hold\r\n".utf8))
    #expect(await comes { !room.hasRoom(for: 60) })
    loop.spawn { await client.stream.abort() }
    #expect(await comes { sessions.count == 0 })
    #expect(!room.hasRoom(for: 60))
    isStored.withLock { $0 = true }
    #expect(await comes { room.hasRoom(for: 100) })
  }

  @Test func aLetterWithoutRoomIsGivenUp() async throws {
    defer { loop.stop() }
    let held = Lock<[Int]>([])
    var service = ScriptedService { [.ask($0)] }
    service.room = LetterRoom(limit: 100)
    service.find = { _ in
      .now { session in
        let octets = session.held
        held.withLock { $0.append(octets) }
      }
    }
    let (first, listener) = try await connect(service)
    let second = try await TCPConnection.connect(to: listener.address, on: loop)
    // The room is looked at when a turn's lines are done, so the second one's letter is gone by its next line.
    for (number, line) in [(first, "hold"), (second, "hold"), (second, "look"), (first, "look")].enumerated() {
      try await line.0.write(Array("\(line.1)\r\n".utf8))
      #expect(await comes { held.withLock { $0.count == number + 1 } })
    }
    #expect(held.withLock { $0 } == [60, 60, 0, 60])
    await first.close()
    await second.close()
  }
}

extension LetterRoom {
  /// Whether so many octets could be taken now.
  func hasRoom(for octets: Int) -> Bool {
    lease(octets) != nil
  }
}
