import Octets
import Testing
import TorrentWire

@testable import Tracker

@Suite struct RosterTests {
  /// Against a list that is looked at as a whole, while members come, say so again, and go.
  @Test(arguments: [1, 2, 3]) func whoseTimeIsOverIsFoundAmongMany(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    var swarm = Swarm()
    var expected: [SocketAddress: Int64] = [:]
    for now in Int64(0)..<400 {
      // In the first half it grows to several blocks; then hardly anybody comes.
      for _ in 0..<(now < 200 ? 25 : 3) {
        let number = Int.random(in: 1...3000, using: &generator)
        let expires = now + Int64.random(in: 1...150, using: &generator)
        // Seeders and leechers stand apart.
        let member = try Make.member(number, left: UInt64.random(in: 0...1, using: &generator), seen: expires)
        swarm.update(member, hasCompleted: false)
        expected[member.address] = expires
      }
      let stopped = Make.address(Int.random(in: 1...3000, using: &generator))
      #expect((swarm.remove(stopped) != nil) == (expected.removeValue(forKey: stopped) != nil))
      let gone = expected.filter { $0.value < now }
      #expect(swarm.expire(at: now) == gone.count)
      for address in gone.keys { expected[address] = nil }
      #expect(swarm.count == expected.count)
      if now == 199 { #expect(swarm.count > 3 * Roster.block) }
    }
    #expect(Dictionary(uniqueKeysWithValues: swarm.members.map { ($0.address, $0.expires) }) == expected)
    #expect(swarm.expire(at: 1000) == expected.count && swarm.isEmpty)
  }

  @Test func aBoundIsNeverLaterThanWhoItIsOf() throws {
    var roster = Roster()
    for number in 0..<(3 * Roster.block) { roster.append(try Make.member(number, seen: 100)) }
    var found: [Int64] = []
    #expect(roster.expired(at: 100) { found.append($0.expires) } == 100 && found.isEmpty)
    // Who is earlier than all others comes to another block when somebody goes.
    roster.append(try Make.member(5000, seen: 7))
    _ = roster.remove(at: Roster.block)
    #expect(roster.expired(at: 7) { found.append($0.expires) } == 7 && found.isEmpty)
    #expect(roster.expired(at: 8) { found.append($0.expires) } == 100 && found == [7])
    while roster.count > 1 { _ = roster.remove(at: 0) }
    #expect(roster.expired(at: 101) { found.append($0.expires) } == .max && found == [7, 100])
  }
}
