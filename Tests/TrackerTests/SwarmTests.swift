import Octets
import Testing
import TorrentWire

@testable import Tracker

/// Peers for tests: number 5 is at 203.0.113.5.
enum Make {
  static func address(_ number: Int, network: UInt32 = 0xCB00_7100) -> SocketAddress {
    SocketAddress(ip: IPAddress(v4: network + UInt32(number)), port: 6881)
  }

  static func id(_ number: Int) throws -> PeerID {
    try #require(PeerID((0..<20).map { UInt8(truncatingIfNeeded: $0 == 19 ? number : number >> 8) }))
  }

  static func hash(_ number: Int) throws -> InfoHash {
    var generator = SeededGenerator(seed: UInt64(number))
    return try #require(InfoHash((0..<20).map { _ in UInt8.random(in: .min ... .max, using: &generator) }))
  }

  static func member(
    _ number: Int, left: UInt64? = 1, at address: SocketAddress? = nil, key: [UInt8]? = nil, seen: Int64 = 0
  ) throws -> Member {
    Member(
      address: address ?? Self.address(number), client: Client(id: try id(number), key: key), isSeeder: left == 0,
      progress: Progress(uploaded: 0, downloaded: 0, left: left), expires: seen)
  }

  static func swarm() -> Swarm { Swarm(salt: 0x5EED) }
}

extension Swarm {
  /// As of a moment when nobody's time is over.
  @discardableResult
  mutating func update(_ member: Member, hasCompleted: Bool) -> Member? {
    update(member, at: member.expires, hasCompleted: hasCompleted)
  }
}

@Suite struct SwarmTests {
  @Test func membersComeChangeAndGo() throws {
    var swarm = Make.swarm()
    for number in 1...5 { #expect(swarm.update(try Make.member(number), hasCompleted: false) == nil) }
    #expect(swarm.count == 5 && swarm.leechers == 5 && swarm.seeders == 0)
    let before = swarm.update(try Make.member(2, left: 0), hasCompleted: true)
    #expect(before?.progress?.left == 1 && swarm.seeders == 1 && swarm.leechers == 4 && swarm.downloads == 1)
    #expect(swarm.remove(Make.address(1))?.address == Make.address(1))
    #expect(swarm.remove(Make.address(1)) == nil && swarm.count == 4)
    // Whoever took another's place is found in it.
    for number in 2...5 { #expect(swarm.member(at: Make.address(number))?.address == Make.address(number)) }
  }

  @Test func aPeerCompletesOnce() throws {
    var swarm = Make.swarm()
    swarm.update(try Make.member(1), hasCompleted: false)
    for _ in 1...3 { swarm.update(try Make.member(1, left: 0), hasCompleted: true) }
    #expect(swarm.downloads == 1)
    // One that lacks something has completed nothing, whatever it says.
    swarm.update(try Make.member(2), hasCompleted: true)
    #expect(swarm.downloads == 1)
    // One that was a seeder from the beginning says nothing of having completed it.
    swarm.update(try Make.member(3, left: 0), hasCompleted: false)
    #expect(swarm.downloads == 1 && swarm.seeders == 2)
  }

  @Test func aClientAtTwoAddressesIsOne() throws {
    var swarm = Make.swarm()
    let v6 = SocketAddress(ip: IPAddress(v6: 0x2001_0DB8_0000_0000, 1), port: 6881)
    swarm.update(try Make.member(1, key: [1]), hasCompleted: false)
    swarm.update(try Make.member(1, at: v6, key: [1]), hasCompleted: false)
    #expect(swarm.count == 2 && swarm.leechers == 1)
    swarm.update(try Make.member(1, left: 0, key: [1]), hasCompleted: true)
    #expect(swarm.leechers == 1 && swarm.seeders == 1)
    swarm.update(try Make.member(1, left: 0, at: v6, key: [1]), hasCompleted: true)
    #expect(swarm.leechers == 0 && swarm.seeders == 1 && swarm.downloads == 1)
    // Eight digits by HTTP are the number that it says by UDP.
    #expect(
      Client(id: try Make.id(1), key: Array("0aBCd123".utf8))
        == Client(id: try Make.id(1), key: [0x0A, 0xBC, 0xD1, 0x23]))
    // Another key is another client, even with the same id.
    swarm.update(try Make.member(1, left: 0, at: Make.address(9), key: [2]), hasCompleted: false)
    #expect(swarm.seeders == 2)
    swarm.remove(v6)
    swarm.remove(Make.address(9))
    #expect(swarm.seeders == 1)
    // Its other address is no peer for it.
    swarm.update(try Make.member(1, left: 0, at: v6, key: [1]), hasCompleted: false)
    var generator = SeededGenerator(seed: 1)
    let asker = try Make.member(1, key: [1])
    #expect(swarm.choose(50, for: asker, families: [true, false], using: &generator).isEmpty)
  }

  @Test func whoIsNotHeardOfIsForgotten() throws {
    var swarm = Make.swarm()
    for number in 1...10 { swarm.update(try Make.member(number, seen: Int64(number)), hasCompleted: false) }
    #expect(swarm.expire(at: 1) == 0)
    #expect(swarm.expire(at: 6) == 5 && swarm.count == 5)
    swarm.update(try Make.member(6, seen: 20), hasCompleted: false)
    #expect(swarm.expire(at: 20) == 4 && swarm.member(at: Make.address(6)) != nil)
    #expect(swarm.expire(at: 21) == 1 && swarm.isEmpty && swarm.leechers == 0)
  }

  @Test func theChoiceIsOfOthersEachOnce() throws {
    var swarm = Make.swarm()
    for number in 1...100 { swarm.update(try Make.member(number, left: UInt64(number % 2)), hasCompleted: false) }
    var generator = SeededGenerator(seed: 7)
    let asker = try #require(swarm.member(at: Make.address(1)))
    for wanted in [0, 1, 50, 99, 200] {
      let chosen = swarm.choose(wanted, for: asker, families: [true], using: &generator)
      #expect(chosen.count == min(wanted, 99) && Set(chosen.map(\.address)).count == chosen.count)
      #expect(!chosen.contains { $0.address == asker.address })
    }
    #expect(swarm.choose(50, for: asker, families: [false], using: &generator).isEmpty)
  }

  @Test func aSeederIsToldOfLeechersFirst() throws {
    var swarm = Make.swarm()
    for number in 1...100 { swarm.update(try Make.member(number, left: number <= 30 ? 1 : 0), hasCompleted: false) }
    var generator = SeededGenerator(seed: 7)
    let asker = try Make.member(100, left: 0)
    let few = swarm.choose(30, for: asker, families: [true], using: &generator)
    func seeders(_ peers: PeerList) -> Int {
      peers.lazy.filter { swarm.member(at: $0.address)?.isSeeder == true }.count
    }
    #expect(few.count == 30 && seeders(few) == 0)
    #expect(seeders(swarm.choose(50, for: asker, families: [true], using: &generator)) == 20)
  }

  /// Everybody's turn comes, and about as often as everybody else's.
  @Test func theChoiceIsFair() throws {
    var swarm = Make.swarm()
    for number in 1...100 { swarm.update(try Make.member(number), hasCompleted: false) }
    var generator = SeededGenerator(seed: 3)
    var times: [SocketAddress: Int] = [:]
    let asker = try Make.member(200)
    for _ in 1...2000 {
      for member in swarm.choose(10, for: asker, families: [true], using: &generator) {
        times[member.address, default: 0] += 1
      }
    }
    // 200 each on average.
    #expect(times.count == 100 && times.values.allSatisfy { 120...280 ~= $0 })
  }

  @Test func nobodyIsToldOfWhomItCanNotReach() throws {
    var swarm = Make.swarm()
    let machine = SocketAddress(ip: .loopbackV4, port: 1)
    let network = SocketAddress(ip: IPAddress(v4: 0x0A00_0001), port: 1)
    for address in [machine, network, Make.address(1)] {
      swarm.update(try Make.member(1, at: address), hasCompleted: false)
    }
    var generator = SeededGenerator(seed: 3)
    for (asker, seen) in [
      (Make.address(9), [Make.address(1)]),
      (SocketAddress(ip: IPAddress(v4: 0xC0A8_0001), port: 1), [network, Make.address(1)]),
      (SocketAddress(ip: IPAddress(v4: 0x7F00_0002), port: 1), [machine, network, Make.address(1)]),
    ] {
      let chosen = swarm.choose(50, for: try Make.member(9, at: asker), families: [true], using: &generator)
      #expect(Set(chosen.map(\.address)) == Set(seen))
    }
  }

  /// Few seeders among many leechers are not told all at once or not at all.
  @Test func theChoiceIsMixed() throws {
    var swarm = Make.swarm()
    for number in 1...155 { swarm.update(try Make.member(number, left: number <= 5 ? 0 : 1), hasCompleted: false) }
    var generator = SeededGenerator(seed: 3)
    let asker = try Make.member(200)
    var without = 0
    for _ in 1...1000 {
      let chosen = swarm.choose(50, for: asker, families: [true], using: &generator)
      if !chosen.contains(where: { swarm.member(at: $0.address)?.isSeeder == true }) { without += 1 }
    }
    // 14 in 100 were each chosen without regard to the others.
    #expect(50...250 ~= without)
  }

  @Test(arguments: [1, 2, 3, 10, 97, 1000]) func scatteredNumbersComeEachOnce(count: Int) {
    var generator = SeededGenerator(seed: UInt64(count))
    for _ in 0..<20 { #expect(Array(Scatter(count, using: &generator)).sorted() == Array(0..<count)) }
  }

  @Test func whoAsksForIDsIsToldThem() throws {
    var swarm = Make.swarm()
    let v6 = SocketAddress(ip: IPAddress(v6: 0x2001_0DB8_0000_0000, 1), port: 6881)
    swarm.update(try Make.member(1), hasCompleted: false)
    swarm.update(try Make.member(2, at: v6), hasCompleted: false)
    var generator = SeededGenerator(seed: 3)
    let asker = try Make.member(9)
    let chosen = swarm.choose(5, for: asker, families: [false, true], wantsIDs: true, using: &generator)
    #expect(
      chosen == [
        .init(address: Make.address(1), id: try Make.id(1)), .init(address: v6, id: try Make.id(2)),
      ])
    #expect(swarm.choose(5, for: asker, families: [true], using: &generator) == [.init(address: Make.address(1))])
  }

  /// What is not kept of all is not kept again until the list has begun anew.
  @Test func whatIsMovedIsKeptAsLongAsItIsWanted() throws {
    var swarm = Make.swarm()
    let member = try Make.member(1, left: 7)
    swarm.update(member, at: 0, hasCompleted: false, keepsProgress: true)
    #expect(swarm.member(at: Make.address(1))?.progress?.left == 7)
    swarm.update(try Make.member(2), at: 0, hasCompleted: false, keepsProgress: false)
    #expect(swarm.members.allSatisfy { $0.progress == nil } && swarm.count == 2)
    swarm.update(member, at: 0, hasCompleted: false, keepsProgress: true)
    #expect(swarm.member(at: Make.address(1))?.progress == nil)
    for number in 1...2 { swarm.remove(Make.address(number)) }
    swarm.update(member, at: 0, hasCompleted: false, keepsProgress: true)
    #expect(swarm.member(at: Make.address(1)) == member)
  }

  @Test(arguments: [
    ("10.1.2.3", Scope.network), ("11.0.0.1", .world), ("172.16.0.1", .network), ("172.32.0.1", .world),
    ("192.168.9.9", .network), ("192.169.0.1", .world), ("169.254.1.1", .network), ("100.64.0.1", .network),
    ("100.127.255.255", .network), ("100.128.0.1", .world), ("127.9.9.9", .machine), ("::1", .machine),
    ("fd00::1", .network), ("fe80::1", .network), ("febf::1", .network), ("fec0::1", .world), ("2001:db8::1", .world),
    ("::ffff:10.0.0.1", .network),
  ]) func addressesAreWithinReach(text: String, scope: Scope) throws {
    #expect(Scope(try #require(IPAddress(text))) == scope)
  }
}

@Suite struct SwarmStoreTests {
  static func store(_ change: (inout TrackerLimits) -> Void = { _ in }) -> SwarmStore {
    var limits = TrackerLimits()
    change(&limits)
    var generator = SeededGenerator(seed: 1)
    return SwarmStore(limits: limits, keepsProgress: false, using: &generator)
  }

  /// Nil where it is refused.
  static func announce(
    _ store: SwarmStore, _ member: Member, of hash: InfoHash, stopped: Bool = false, completed: Bool = false,
    makes: Bool = true
  ) -> Outcome? {
    let announcement = Announcement(
      member: member, isStopped: stopped, hasCompleted: completed, wanted: 50, families: [true, false])
    return try? store.announce(announcement, of: hash, at: member.expires) { $0 == .registered || makes }
  }

  @Test func torrentsAreMadeByTheirPeers() throws {
    let store = Self.store()
    let (one, other) = (try Make.hash(1), try Make.hash(2))
    #expect(Self.announce(store, try Make.member(1), of: one, makes: false) == nil)
    #expect(Self.announce(store, try Make.member(1), of: one)?.chosen.isEmpty == true)
    #expect(Self.announce(store, try Make.member(2), of: one)?.chosen.map(\.address) == [Make.address(1)])
    #expect(Self.announce(store, try Make.member(2), of: other)?.leechers == 1)
    #expect(store.counts == .init(torrents: 2, peers: 3, evicted: 0))
    // Who stops is told of nobody.
    let stopped = Self.announce(store, try Make.member(1), of: one, stopped: true)
    #expect(stopped?.chosen.isEmpty == true && stopped?.leechers == 1 && store.counts.peers == 2)
    store.expire(at: 100)
    #expect(store.counts == .init(torrents: 0, peers: 0, evicted: 0))
  }

  @Test func whatIsRegisteredStays() throws {
    let store = Self.store()
    let hash = try Make.hash(1)
    store.set(hash, .registered, downloads: 7)
    store.set(hash, .denied)
    store.expire(at: 100)
    #expect(store.standing(hash) == .denied && store.torrent(hash, at: 0)?.swarm.downloads == 7)
    store.remove(hash)
    #expect(store.standing(hash) == nil && store.counts.torrents == 0)
  }

  @Test func downloadsWaitToBeWrittenDown() throws {
    let store = Self.store()
    let hash = try Make.hash(1)
    _ = Self.announce(store, try Make.member(1), of: hash)
    #expect(store.takeUnwritten().downloads.isEmpty)
    _ = Self.announce(store, try Make.member(1, left: 0), of: hash, completed: true)
    #expect(store.takeUnwritten().downloads.map(\.downloads) == [1])
    #expect(store.takeUnwritten().downloads.isEmpty)
    store.putBack(downloads: [(hash, 1)], forgotten: [])
    #expect(store.takeUnwritten().downloads.map(\.hash) == [hash])
    // Of what is gone meanwhile nothing comes back.
    store.remove(hash)
    store.putBack(downloads: [(hash, 1)], forgotten: [])
    #expect(store.takeUnwritten().downloads.isEmpty)
  }

  @Test func aTorrentHasRoomForSoMany() throws {
    let store = Self.store { $0.peersPerTorrent = 2 }
    let hash = try Make.hash(1)
    for number in 1...5 { _ = Self.announce(store, try Make.member(number), of: hash) }
    #expect(store.counts.peers == 2)
    // Who has a place keeps it; who has none is told of the others all the same.
    #expect(Self.announce(store, try Make.member(1, left: 0), of: hash)?.seeders == 1)
    #expect(Self.announce(store, try Make.member(9), of: hash)?.chosen.count == 2)
  }

  @Test func theQuietestTorrentsMakeRoom() throws {
    let store = Self.store { $0.peers = 100 }
    for number in 1...300 {
      _ = Self.announce(store, try Make.member(number, seen: Int64(number)), of: try Make.hash(number))
    }
    let counts = store.counts
    #expect(counts.peers <= 101 && counts.evicted >= 199)
    #expect(store.torrent(try Make.hash(300), at: 0)?.swarm.count == 1)
  }

  /// Those that were emptied stand before those that are not, and registered ones before those that may go.
  @Test func theBoundsHoldWhateverStandsInTheWay() throws {
    let store = Self.store { ($0.peers, $0.torrents) = (50, 9_000) }
    for number in 1...8_000 { store.set(try Make.hash(number), .registered) }
    for number in 1...9_500 {
      #expect(Self.announce(store, try Make.member(1, seen: Int64(number)), of: try Make.hash(number)) != nil)
      #expect(store.counts.peers <= 50 && store.counts.torrents <= 9_000)
    }
    #expect(store.counts.evicted >= 9_450)
  }

  @Test func oneTorrentAloneHoldsTheBoundToo() throws {
    let store = Self.store { $0.peers = 50 }
    let hash = try Make.hash(1)
    for number in 1...200 { _ = Self.announce(store, try Make.member(number), of: hash) }
    #expect(store.counts.peers == 50 && store.torrent(hash, at: 0)?.swarm.count == 50)
    // Who has a place keeps it, and another torrent takes theirs.
    #expect(Self.announce(store, try Make.member(1, left: 0), of: hash)?.seeders == 1)
    #expect(Self.announce(store, try Make.member(1), of: try Make.hash(2))?.leechers == 1)
    #expect(store.counts.peers == 1)
  }

  /// Who says so by both families at once, before anybody has looked for such clients.
  @Test func aClientOfBothFamiliesCompletesOnce() throws {
    var swarm = Make.swarm()
    let v6 = SocketAddress(ip: IPAddress(v6: 0x2001_0DB8_0000_0000, 1), port: 6881)
    swarm.update(try Make.member(1, left: 0, key: [1]), hasCompleted: true)
    swarm.update(try Make.member(1, left: 0, at: v6, key: [1]), hasCompleted: true)
    #expect(swarm.downloads == 1 && swarm.seeders == 1 && swarm.count == 2)
  }

  @Test func torrentsHaveABound() throws {
    let store = Self.store { $0.torrents = 3 }
    let hashes = try (1...5).map { try Make.hash($0) }
    store.set(hashes[0], .registered)
    for (seen, hash) in hashes[1...2].enumerated() {
      #expect(Self.announce(store, try Make.member(1, left: 0, seen: Int64(seen)), of: hash, completed: true) != nil)
    }
    // The operator's stay; of the others one makes room.
    #expect(Self.announce(store, try Make.member(1, seen: 9), of: hashes[3]) != nil)
    #expect(store.counts.torrents == 3 && store.counts.evicted == 1 && store.standing(hashes[0]) == .registered)
    let (downloads, forgotten) = store.takeUnwritten()
    #expect(downloads.count == 1 && forgotten.count == 1 && store.takeUnwritten().forgotten.isEmpty)
    store.putBack(downloads: downloads, forgotten: forgotten)
    #expect(store.takeUnwritten().forgotten == forgotten)
    for hash in hashes { store.set(hash, .registered) }
    #expect(Self.announce(store, try Make.member(1), of: try Make.hash(9)) == nil)
  }
}
