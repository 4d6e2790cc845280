import DNSWire
import EventLoop
import FoundationEssentials
import Glibc
import Octets
import ServiceKit
import Testing

@testable import Nameserver

/// Zones from a change to the answer, and over a restart.
struct ZoneKeeperTests {
  final class Bench: Sendable {
    let loop: EventLoop
    let server: DNSLoop
    let keeper: ZoneKeeper
    let directory: String
    private let isKept: Bool

    init(directory: String? = nil) async throws {
      self.directory = directory ?? FileManager.default.temporaryDirectory.path + "/zones-\(UUID().uuidString)"
      isKept = directory != nil
      try FileManager.default.createDirectory(atPath: self.directory, withIntermediateDirectories: true)
      loop = try EventLoop.start(name: "test")
      server = DNSLoop(on: loop, limits: ServerLimits(), metrics: ServerMetrics(Metrics()), hash: TestServer.hash)
      keeper = ZoneKeeper(
        on: loop, database: try ZoneDatabase(path: self.directory + "/zones.sqlite"), pool: BlockingPool(threads: 2),
        loops: [server], clock: WorldClock(on: loop), hash: TestServer.hash)
      try await keeper.start()
    }

    func ask(_ name: String) async throws -> [String] {
      let query = Message(id: 1, question: Question(name: try #require(Name(name)), type: .a)).encoded()
      let framed = [UInt8(query.count >> 8), UInt8(query.count & 255)] + query
      let answer = await server.answer(framed)
      return try Message(decoding: Array(answer.dropFirst(2))).answers.map(\.data.text)
    }

    func remove() { try? FileManager.default.removeItem(atPath: directory) }
  }

  @Test func aChangeIsServedAndOutlivesARestart() async throws {
    let bench = try await Bench()
    defer { bench.remove() }
    let zone = try TestServer.zone("example", "www A 192.0.2.1\nalias CNAME www\ntext TXT \"a b\" \"\\\"\"\n")
    let made = try await bench.keeper.create(zone)
    #expect(try await bench.ask("www.example") == ["192.0.2.1"])
    let change = try ZoneChangeTests.change(.replace, "www.example", .a, ["192.0.2.2"])
    let changed = try await bench.keeper.change(zone.name, if: { $0 == made.revision }) { try $0.apply([change]) }
    #expect(try await bench.ask("www.example") == ["192.0.2.2"])
    #expect(Serial.isNewer(changed.zone.soa?.serial ?? 0, than: 1) && changed.revision > made.revision)
    let again = try await Bench(directory: bench.directory)
    let stored = try await again.keeper.zone(zone.name)
    #expect(stored.zone.rrsets == changed.zone.rrsets && stored.revision == changed.revision)
    #expect(try await again.ask("www.example") == ["192.0.2.2"])
    try await again.keeper.delete(zone.name, if: { _ in true })
    #expect(try await again.ask("www.example") == [])
    #expect(await again.keeper.all().isEmpty)
  }

  @Test func aRefusedChangeLeavesEverythingAsItWas() async throws {
    let bench = try await Bench()
    defer { bench.remove() }
    let made = try await bench.keeper.create(try TestServer.zone("example", "www A 192.0.2.1\n"))
    let good = try ZoneChangeTests.change(.replace, "www.example", .a, ["192.0.2.2"])
    let bad = try ZoneChangeTests.change(.replace, "www.example", .cname, ["other.example."])
    await #expect(throws: ZoneViolation.self) {
      try await bench.keeper.change(made.zone.name, if: { _ in true }) { try $0.apply([good, bad]) }
    }
    await #expect(throws: ZoneFailure.self) {
      try await bench.keeper.change(made.zone.name, if: { _ in false }) { try $0.apply([good]) }
    }
    await #expect(throws: ZoneFailure.self) { try await bench.keeper.create(made.zone) }
    #expect(try await bench.ask("www.example") == ["192.0.2.1"])
    #expect(try await bench.keeper.zone(made.zone.name).revision == made.revision)
  }

  /// A reset in the middle of a change: what is stored is what is served, whichever came first.
  @Test func aResetWaitsForTheChangeThatIsBeingMade() async throws {
    let bench = try await Bench()
    defer { bench.remove() }
    let made = try await bench.keeper.create(try TestServer.zone("example", "www A 192.0.2.1\nmail A 192.0.2.3\n"))
    let change = try ZoneChangeTests.change(.replace, "www.example", .a, ["192.0.2.2"])
    let keeper = bench.keeper
    let gate = Gate()
    async let patched = keeper.change(made.zone.name, if: { _ in true }) { zone in
      gate.pass()
      try zone.apply([change])
    }
    while !gate.isReached { await bench.loop.sleep(for: .milliseconds(1)) }
    let zone = try TestServer.zone("example", "new A 192.0.2.4\n")
    async let created = {
      try await keeper.reset()
      return try await keeper.create(zone)
    }()
    // Long enough for the reset to come before the change, if it did not wait.
    await bench.loop.sleep(for: .milliseconds(100))
    gate.open()
    _ = try await patched
    _ = try await created
    let served = await keeper.all().map(\.zone.rrsets)
    let again = try await Bench(directory: bench.directory)
    let stored = await again.keeper.all().map(\.zone.rrsets)
    #expect(served == stored)
    #expect(try await again.ask("new.example") == ["192.0.2.4"])
    #expect(try await again.ask("mail.example") == [])
  }

  @Test func theCaseOfNamesOutlivesARestart() async throws {
    let bench = try await Bench()
    defer { bench.remove() }
    let made = try await bench.keeper.create(try TestServer.zone("example", "www CNAME host.example.\n"))
    let change = try ZoneChangeTests.change(.replace, "WWW.example", .cname, ttl: 3600, ["Host.Example."])
    try await bench.keeper.change(made.zone.name, if: { _ in true }) { try $0.apply([change]) }
    let again = try await Bench(directory: bench.directory)
    let set = try await again.keeper.zone(made.zone.name).zone.rrsets[change.key]
    #expect(set?.name.description == "WWW.example." && set?.records.map(\.data.text) == ["Host.Example."])
  }

  @Test func changesOfOneZoneAtOnceAreAllMade() async throws {
    let bench = try await Bench()
    defer { bench.remove() }
    let made = try await bench.keeper.create(try TestServer.zone("example", ""))
    let keeper = bench.keeper
    try await withThrowingTaskGroup(of: Void.self) { group in
      for number in 1...20 {
        let change = try ZoneChangeTests.change(.replace, "h\(number).example", .a, ["192.0.2.\(number)"])
        group.addTask { try await keeper.change(made.zone.name, if: { _ in true }) { try $0.apply([change]) } }
      }
      try await group.waitForAll()
    }
    let stored = try await keeper.zone(made.zone.name)
    #expect(stored.revision == made.revision + 20 && stored.zone.rrsets.count == 21)
    for number in 1...20 { #expect(try await bench.ask("h\(number).example") == ["192.0.2.\(number)"]) }
  }
}

/// Where a thread waits until a test lets it go on.
final class Gate: Sendable {
  private let state = Lock((isReached: false, isOpen: false))

  var isReached: Bool { state.withLock { $0.isReached } }

  func pass() {
    state.withLock { $0.isReached = true }
    while !state.withLock({ $0.isOpen }) { usleep(1000) }
  }

  func open() { state.withLock { $0.isOpen = true } }
}

extension DNSLoop {
  /// What a connection would be answered.
  func answer(_ octets: [UInt8]) -> [UInt8] {
    var output: [UInt8] = []
    _ = unsafe respond(stream: octets.span.bytes, into: &output)
    return output
  }
}
