import EventLoop
import Octets
import Testing
import TorrentWire

@testable import Peer

/// Twenty peers together, decided by what the peers themselves decide.
@Suite struct SwarmTests {
  private func areComplete(_ nodes: some Sequence<Simulation.Node>) -> Bool {
    nodes.allSatisfy { $0.exchange.isComplete }
  }

  @Test(arguments: [1, 2, 3] as [UInt64])
  func everybodyGetsAllOfIt(seed: UInt64) throws {
    let swarm = try Simulation(pieces: 100, seed: seed)
    swarm.add(uploadRate: 1_000_000, isSeeder: true)
    for _ in 1..<20 { swarm.add(uploadRate: 200_000) }
    swarm.connectAll()
    let leechers = swarm.nodes.dropFirst()
    swarm.run(until: 600) { !areComplete(leechers) }
    #expect(areComplete(leechers))
    // The textbook's bound, from all links together; a swarm that shares well comes near.
    let size = Double(swarm.info.length)
    let bound = max(size / 1_000_000, 19 * size / (1_000_000 + 19 * 200_000))
    let took = leechers.compactMap(\.completedAt).max() ?? .infinity
    #expect(took >= bound * 0.99)
    #expect(took < bound * 1.6, "\(took) s, of at least \(bound) s")
    for node in leechers { #expect(node.exchange.wasted < UInt64(size / 10)) }
  }

  /// As if all leechers were torrents of one process, which has memory for three of their pieces.
  @Test func littleMemoryStopsNobody() throws {
    let swarm = try Simulation(pieces: 40)
    let memory = PieceMemory(limit: 3 * swarm.info.pieceLength)
    swarm.add(uploadRate: 1_000_000, isSeeder: true)
    for _ in 1..<8 { swarm.add(uploadRate: 200_000, memory: memory) }
    swarm.connectAll()
    let leechers = swarm.nodes.dropFirst()
    var most = 0
    swarm.run(until: 1200) {
      most = max(most, memory.used)
      return !areComplete(leechers)
    }
    #expect(areComplete(leechers) && memory.used == 0)
    // Each may have one, however little is left.
    #expect(most <= (3 + 7) * swarm.info.pieceLength)
  }

  @Test func theSameSeedMakesTheSameSwarm() throws {
    func times(_ seed: UInt64) throws -> [Double?] {
      let swarm = try Simulation(pieces: 30, seed: seed)
      swarm.add(uploadRate: 500_000, isSeeder: true)
      for _ in 1..<8 { swarm.add(uploadRate: 100_000) }
      swarm.connectAll()
      swarm.run(until: 300)
      return swarm.nodes.map(\.completedAt)
    }
    let (one, again, other) = (try times(7), try times(7), try times(8))
    #expect(one == again)
    #expect(one != other)
  }

  /// Twenty that want and give nothing: whom it is given to is a matter of turns alone.
  @Test func turnsAreEven() throws {
    let swarm = try Simulation(pieces: 4000)
    let seeder = try #require(swarm.add(uploadRate: 1, isSeeder: true))
    for _ in 1...20 { swarm.add(uploadRate: 1) { $0.isFreeRider = true } }
    for node in swarm.nodes.dropFirst() { swarm.connect(node, seeder) }
    // Five turns bring everybody one.
    let end = 4 * 5 * 30.0
    swarm.run(until: end + 30)
    var times: [SocketAddress: Double] = [:]
    var since: [SocketAddress: Double] = [:]
    // Until the first turn is given, who came first had a free place.
    for (time, event) in seeder.events {
      switch event {
      case .unchoked(let peer, _): since[peer] = max(30, time)
      case .choked(let peer, _): times[peer, default: 0] += max(0, time - (since.removeValue(forKey: peer) ?? time))
      default: break
      }
    }
    for (peer, start) in since { times[peer, default: 0] += end + 30 - start }
    #expect(times.count == 20)
    let mean = times.values.reduce(0, +) / 20
    for (peer, time) in times { #expect(abs(time - mean) <= 1.5, "\(peer): \(time) s, where the mean is \(mean)") }
  }

  @Test func rarestFirstKeepsAllPiecesAlike() throws {
    let swarm = try Simulation(pieces: 200)
    swarm.add(uploadRate: 400_000, isSeeder: true)
    for _ in 1..<20 { swarm.add(uploadRate: 200_000) }
    swarm.connectAll()
    let leechers = swarm.nodes.dropFirst()
    var worst = 0
    while !areComplete(leechers), swarm.time < 600 {
      swarm.run(until: swarm.time + 5)
      let copies = (0..<200).map { piece in leechers.count { $0.exchange.picker.have[piece] } }
      // While the seeder still has pieces to itself, those lie at nought.
      guard let least = copies.min(), let most = copies.max(), least > 0 else { continue }
      worst = max(worst, most - least)
    }
    #expect(areComplete(leechers))
    #expect(worst > 0 && worst <= 14, "\(worst) copies between the rarest and the commonest")
  }

  /// Chance makes it two thirds to nineteen twentieths of what the others get, four fifths on average.
  @Test func whoGivesNothingGetsLess() throws {
    let swarm = try Simulation(pieces: 500, seed: 13)
    swarm.add(uploadRate: 300_000, isSeeder: true)
    for number in 1..<20 { swarm.add(uploadRate: 200_000) { $0.isFreeRider = number > 14 } }
    swarm.connectAll()
    let contributors = swarm.nodes[1...14]
    let riders = swarm.nodes[15...]
    // Until the first has all: from then on there are seeders more, which ask nothing in return.
    swarm.run(until: 900) { !contributors.contains { $0.exchange.isComplete } }
    let held = { (nodes: ArraySlice<Simulation.Node>) in
      nodes.map { Double($0.exchange.picker.have.held) }.reduce(0, +) / Double(nodes.count)
    }
    #expect(held(riders) < 0.9 * held(contributors), "\(held(riders)) of \(held(contributors)) pieces")
    for rider in riders { #expect(rider.exchange.uploaded == 0) }
  }

  @Test func halfOfThemLeavingLosesNothing() throws {
    let swarm = try Simulation(pieces: 150)
    swarm.add(uploadRate: 400_000, isSeeder: true)
    for _ in 1..<20 { swarm.add(uploadRate: 200_000) }
    swarm.connectAll()
    for (count, node) in swarm.nodes[10...].enumerated() { swarm.after(5 + Double(count)) { swarm.leave(node) } }
    let stayed = swarm.nodes[1..<10]
    swarm.run(until: 600) { !areComplete(stayed) }
    #expect(areComplete(stayed))
    // And those who come back go on with what they have.
    for old in swarm.nodes[10...] {
      let back = try #require(swarm.add(uploadRate: 200_000, have: old.exchange.picker.have))
      swarm.connect(back, swarm.nodes[0])
    }
    let returned = swarm.nodes[20...]
    swarm.run(until: 1200) { !areComplete(returned) }
    #expect(returned.count == 10 && areComplete(returned))
  }

  @Test func whoGivesBadDataIsFound() throws {
    let swarm = try Simulation(pieces: 60)
    swarm.add(uploadRate: 200_000, isSeeder: true)
    let liar = try #require(swarm.add(uploadRate: 400_000, isSeeder: true, givesBad: true))
    for _ in 2..<12 { swarm.add(uploadRate: 200_000) }
    swarm.connectAll()
    let leechers = swarm.nodes.dropFirst(2)
    swarm.run(until: 600) { !areComplete(leechers) }
    #expect(areComplete(leechers))
    for node in leechers {
      // Nobody else is taken for it, whoever had a share in the same pieces.
      #expect(node.exchange.banned.isSubset(of: [Make.address(liar.number).ip]))
    }
    let finders = leechers.count { !$0.exchange.banned.isEmpty }
    #expect(finders > 0)
  }
}
