import Octets
import Testing
import TorrentWire

@testable import Tracker

@Suite struct RosterTests {
  /// Against a list that is looked at as a whole, while members come, say so again, and go.
  @Test(arguments: [1, 2, 3]) func whoseTimeIsOverIsFoundAmongMany(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    var swarm = Make.swarm()
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
      if now == 199 { #expect(swarm.count > 3 * Roster<PackedV4>.block) }
    }
    #expect(Dictionary(uniqueKeysWithValues: swarm.members.map { ($0.address, $0.expires) }) == expected)
    #expect(swarm.expire(at: 1000) == expected.count && swarm.isEmpty)
  }

  /// Against a dictionary, while members come and go in numbers: whoever is there is found, and nobody else is.
  @Test(arguments: [1, 2, 3]) func everybodyIsFound(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    var roster = Roster<PackedV4>()
    var expected: [Int: Member] = [:]
    for wave in [2000, 5, 300, 0, 40] {
      while expected.count != wave {
        let number = Int.random(in: 1...2500, using: &generator)
        let place = roster.place(of: PackedV4(Make.address(number).ip), 6881, 7)
        #expect((place != nil) == (expected[number] != nil))
        if let place {
          #expect(roster.member(at: place, isSeeder: false) == expected[number])
          guard expected.count > wave else { continue }
          roster.remove(at: place, 7)
          expected[number] = nil
        } else if expected.count < wave {
          let member = try Make.member(number, left: UInt64(number))
          roster.insert(member, keeps: true, 7)
          expected[number] = member
        }
      }
      let members = roster.members(areSeeders: false)
      #expect(members.count == wave && roster.count == wave)
      for member in members { #expect(expected.values.contains(member)) }
      #expect(roster.places <= wave + wave / 4 + 4 || roster.places <= 2 * wave + 1)
    }
  }

  /// Whatever octets of their addresses they differ in, they spread: nobody stands far from its place.
  @Test(arguments: [0, 16, 32, 48]) func addressesOfOneNetworkSpread(shift: UInt64) throws {
    var roster = Roster<PackedV6>()
    let network: UInt64 = 0x2001_0DB8_0000_0000
    for number in UInt64(0)..<20_000 {
      let address = SocketAddress(ip: IPAddress(v6: network, number << shift), port: 6881)
      roster.insert(try Make.member(1, at: address), keeps: false, 7)
    }
    let distances = (0..<roster.places).filter { !roster[$0].isFree }.map { roster.distance(roster[$0], at: $0, 7) }
    #expect(distances.count == 20_000 && distances.allSatisfy { $0 < 400 })
  }

  @Test func aMemberHasEveryFieldAgain() throws {
    let id = try #require(PeerID((1...20)))
    for address in ["203.0.113.7:6881", "[2001:db8::7]:65535"] {
      for mark in [0, 1, 2047] {
        var member = Member(
          address: try #require(SocketAddress(address)), client: Client(id: id, mark: UInt16(mark)), isSeeder: true,
          progress: Progress(uploaded: 1, downloaded: 2, left: 0, user: 3), stretch: 15, expires: 4_000_000_000)
        for hasCompleted in [false, true] {
          member.hasCompleted = hasCompleted
          var swarm = Make.swarm()
          swarm.update(member, at: 0, hasCompleted: hasCompleted)
          #expect(swarm.member(at: member.address) == member)
        }
      }
    }
    for key in 0..<5000 {
      let client = Client(id: id, key: [UInt8(key & 0xFF), UInt8(key >> 8)])
      #expect(1...2047 ~= client.mark)
    }
  }

  /// In one block or many: who is earlier than all others is found, wherever others push it when they come and go.
  @Test(arguments: [10, 200, 300, 3000]) func aBoundIsNeverLaterThanWhoItIsOf(count: Int) throws {
    var roster = Roster<PackedV4>()
    for number in 0..<count { roster.insert(try Make.member(number, left: 0, seen: 100), keeps: false, 7) }
    var found: [SocketAddress] = []
    #expect(roster.expired(at: 100) { found.append($0) } == 100 && found.isEmpty)
    roster.insert(try Make.member(5000, left: 0, seen: 7), keeps: false, 7)
    for number in 0..<count / 3 {
      roster.remove(at: try #require(roster.place(of: PackedV4(Make.address(number).ip), 6881, 7)), 7)
      roster.insert(try Make.member(10_000 + number, left: 0, seen: 100), keeps: false, 7)
    }
    #expect(roster.expired(at: 7) { found.append($0) } == 7 && found.isEmpty)
    #expect(roster.expired(at: 8) { found.append($0) } == 100 && found == [Make.address(5000)])
    #expect(roster.expired(at: 101) { _ in } == nil)
  }
}
