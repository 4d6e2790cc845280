import Octets
import Testing

@testable import Resolver

struct ServerTableTests {
  private static let one = SocketAddress(ip: IPAddress(v4: 0x7F00_0001), port: 53)
  private static let two = SocketAddress(ip: IPAddress(v4: 0x7F00_0002), port: 53)

  private static func choices(
    _ table: inout ServerTable, tries: [SocketAddress: Int] = [:], zone: [UInt8] = [0], now: Duration = .zero
  ) -> Set<SocketAddress> {
    var generator = SeededGenerator(seed: 5)
    return Set(
      (0..<50).compactMap { _ in
        table.choose(among: [one, two], tries: tries, most: 3, zone: zone, now: now, using: &generator)
      })
  }

  @Test func serversNotKnownAreChosenAtRandom() {
    var table = ServerTable(limit: 1 << 16)
    #expect(Self.choices(&table) == [Self.one, Self.two])
  }

  @Test func theFasterOfTwoIsPreferred() {
    var table = ServerTable(limit: 1 << 16)
    table.answered(Self.one, after: .milliseconds(5), now: .zero)
    table.answered(Self.two, after: .milliseconds(200), now: .zero)
    #expect(Self.choices(&table) == [Self.one])
    // The one asked least is asked next.
    #expect(Self.choices(&table, tries: [Self.one: 1]) == [Self.two])
    #expect(Self.choices(&table, tries: [Self.one: 3, Self.two: 3]).isEmpty)
  }

  @Test func silenceCostsAServerItsTurnUntilItIsForgotten() {
    var table = ServerTable(limit: 1 << 16)
    table.timedOut(Self.one, now: .zero)
    #expect(Self.choices(&table) == [Self.two])
    #expect(table.patience(Self.one, now: .zero) > table.patience(Self.two, now: .zero))
    #expect(Self.choices(&table, now: ServerTable.memory) == [Self.one, Self.two])
  }

  @Test func aLameServerIsTheLastResortForItsZoneAlone() {
    var table = ServerTable(limit: 1 << 16)
    table.lame(Self.one, for: [1, 0x61, 0], now: .zero)
    #expect(Self.choices(&table, zone: [1, 0x61, 0]) == [Self.two])
    #expect(Self.choices(&table, zone: [1, 0x62, 0]) == [Self.one, Self.two])
    table.forgive()
    #expect(Self.choices(&table, zone: [1, 0x61, 0]) == [Self.one, Self.two])
  }

  @Test func patienceGrowsWithEachTimeoutAndStaysBounded() {
    var table = ServerTable(limit: 1 << 16)
    var last = Duration.zero
    for _ in 0..<12 {
      let patience = table.patience(Self.one, now: .zero)
      #expect(patience >= last && patience <= ServerTable.mostPatience)
      last = patience
      table.timedOut(Self.one, now: .zero)
    }
    table.answered(Self.one, after: .milliseconds(1), now: .zero)
    #expect(table.patience(Self.one, now: .zero) == ServerTable.leastPatience)
  }
}
