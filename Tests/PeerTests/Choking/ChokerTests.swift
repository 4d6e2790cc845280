import Octets
import Testing

@testable import Peer

@Suite struct ChokerTests {
  private func candidate(
    _ number: PeerNumber, rate: Double = 0, given: UInt64 = 0, isInterested: Bool = true, isChoked: Bool = true,
    isSnubbed: Bool = false
  ) -> Choker.Candidate {
    Choker.Candidate(
      number: number, isInterested: isInterested, isChoked: isChoked, isSnubbed: isSnubbed, rate: rate, given: given)
  }

  /// Peers 1, 2, … stand in the rotation in this order.
  private func choker(slots: Int = 4, peers: Int) -> Choker {
    var choker = Choker(slots: slots)
    for number in (1...peers).reversed() {
      var first = First()
      choker.add(number, using: &first)
    }
    return choker
  }

  /// Chance that always chooses the least. (Nought itself would be drawn again for ever.)
  private struct First: RandomNumberGenerator {
    mutating func next() -> UInt64 { 1 }
  }

  /// What comes of the decisions.
  private func apply(_ decisions: [Choker.Decision], to candidates: inout [Choker.Candidate]) {
    for decision in decisions {
      for place in candidates.indices where candidates[place].number == decision.peer {
        #expect(candidates[place].isChoked == decision.unchokes)
        candidates[place].isChoked = !decision.unchokes
      }
    }
  }

  private func free(_ candidates: [Choker.Candidate]) -> [PeerNumber] {
    candidates.filter { !$0.isChoked }.map(\.number)
  }

  @Test func thoseThatGiveMostAreGivenAndOneWhoseTurnItIs() {
    var choker = choker(peers: 8)
    let candidates = (1...8).map { candidate($0, rate: Double($0) * 1000) }
    let decisions = choker.decide(candidates, isSeeding: false, isNewTurn: true)
    #expect(choker.optimistic == 1)
    #expect(
      decisions == [
        .init(peer: 1, unchokes: true, reason: .optimistic), .init(peer: 6, unchokes: true, reason: .gives(rate: 6000)),
        .init(peer: 7, unchokes: true, reason: .gives(rate: 7000)),
        .init(peer: 8, unchokes: true, reason: .gives(rate: 8000)),
      ])
  }

  @Test func ofThoseThatGiveAlikeTheFirstAreGiven() {
    var choker = choker(peers: 8)
    let candidates = (1...8).map { candidate($0, rate: 1000) }
    let decisions = choker.decide(candidates, isSeeding: false, isNewTurn: true)
    #expect(decisions.map(\.peer) == [1, 2, 3, 4])
  }

  @Test func whoIsOutbidIsToldByHowMuch() {
    var choker = choker(slots: 2, peers: 3)
    var candidates = (1...3).map { candidate($0, rate: $0 == 3 ? 100 : 0) }
    apply(choker.decide(candidates, isSeeding: false, isNewTurn: true), to: &candidates)
    #expect(free(candidates) == [1, 3])
    candidates[1].rate = 300
    let decisions = choker.decide(candidates, isSeeding: false, isNewTurn: false)
    #expect(
      decisions == [
        .init(peer: 2, unchokes: true, reason: .gives(rate: 300)),
        .init(peer: 3, unchokes: false, reason: .outbid(rate: 100, by: 300)),
      ])
  }

  @Test func whoSnubsUsGivesUpItsPlace() {
    var choker = choker(peers: 6)
    var candidates = (1...6).map { candidate($0, rate: Double($0)) }
    apply(choker.decide(candidates, isSeeding: false, isNewTurn: true), to: &candidates)
    #expect(free(candidates) == [1, 4, 5, 6])
    candidates[5].isSnubbed = true
    let decisions = choker.decide(candidates, isSeeding: false, isNewTurn: false)
    #expect(
      decisions == [
        .init(peer: 3, unchokes: true, reason: .gives(rate: 3)), .init(peer: 6, unchokes: false, reason: .snubbed),
      ])
  }

  @Test func aTurnLastsUntilTheNextIsGiven() {
    var choker = choker(slots: 1, peers: 4)
    var candidates = (1...4).map { candidate($0) }
    var turns: [[PeerNumber]] = []
    for round in 0..<12 {
      apply(choker.decide(candidates, isSeeding: false, isNewTurn: round % 3 == 0), to: &candidates)
      turns.append(free(candidates))
    }
    #expect(turns == [[1], [1], [1], [2], [2], [2], [3], [3], [3], [4], [4], [4]])
  }

  @Test func anEndedTurnIsToldSo() {
    var choker = choker(slots: 1, peers: 2)
    var candidates = (1...2).map { candidate($0) }
    apply(choker.decide(candidates, isSeeding: false, isNewTurn: true), to: &candidates)
    let decisions = choker.decide(candidates, isSeeding: false, isNewTurn: true)
    #expect(
      decisions == [
        .init(peer: 1, unchokes: false, reason: .turnOver), .init(peer: 2, unchokes: true, reason: .optimistic),
      ])
  }

  @Test func aTurnOfOneThatLeavesGoesToTheNextAtOnce() {
    var choker = choker(slots: 1, peers: 3)
    var candidates = (1...3).map { candidate($0) }
    apply(choker.decide(candidates, isSeeding: false, isNewTurn: true), to: &candidates)
    choker.remove(1)
    candidates.removeFirst()
    apply(choker.decide(candidates, isSeeding: false, isNewTurn: false), to: &candidates)
    #expect(free(candidates) == [2])
  }

  @Test func aTurnIsKeptWhileItsOwnerWantsNothing() {
    var choker = choker(slots: 1, peers: 2)
    var candidates = (1...2).map { candidate($0) }
    apply(choker.decide(candidates, isSeeding: false, isNewTurn: true), to: &candidates)
    candidates[0].isInterested = false
    let decisions = choker.decide(candidates, isSeeding: false, isNewTurn: false)
    #expect(decisions.contains(.init(peer: 1, unchokes: false, reason: .notInterested)))
    apply(decisions, to: &candidates)
    #expect(free(candidates) == [2])
    candidates[0].isInterested = true
    apply(choker.decide(candidates, isSeeding: false, isNewTurn: false), to: &candidates)
    #expect(free(candidates) == [1])
  }

  @Test func aNewcomerIsThreeTimesAsLikelyToBeNext() {
    var random = SeededGenerator(seed: 5)
    var places = Array(repeating: 0, count: 5)
    for _ in 0..<30_000 {
      // Whoever has place 0 has the turn.
      var choker = choker(slots: 1, peers: 4)
      choker.add(9, using: &random)
      var candidates = [1, 2, 3, 4, 9].map { candidate($0) }
      var place = 0
      while true {
        let decisions = choker.decide(candidates, isSeeding: false, isNewTurn: true)
        for decision in decisions {
          for index in candidates.indices where candidates[index].number == decision.peer {
            candidates[index].isChoked = !decision.unchokes
          }
        }
        if choker.optimistic == 9 { break }
        place += 1
      }
      places[place] += 1
    }
    // Three chances of seven, and one each for the other places.
    #expect(abs(places[0] - 30_000 * 3 / 7) < 500)
    for place in 1..<5 { #expect(abs(places[place] - 30_000 / 7) < 400) }
  }

  @Test func withoutSlotsNobodyIsGivenAnything() {
    var choker = choker(slots: 0, peers: 3)
    let candidates = (1...3).map { candidate($0, rate: 1000, given: 1000, isChoked: $0 != 2) }
    let decisions = choker.decide(candidates, isSeeding: false, isNewTurn: true)
    #expect(decisions == [.init(peer: 2, unchokes: false, reason: .freeRiding)])
  }

  @Test func aSeederGivesThoseThatTakeMost() {
    var choker = choker(peers: 6)
    let candidates = (1...6).map { candidate($0, rate: Double($0) * 10, given: 1_000_000) }
    let decisions = choker.decide(candidates, isSeeding: true, isNewTurn: true)
    #expect(decisions.map(\.peer) == [1, 4, 5, 6])
    #expect(decisions.last?.reason == .takes(rate: 60))
  }

  @Test func whoGaveBeforeComesBeforeStrangers() {
    var choker = choker(peers: 6)
    let candidates = (1...6).map { candidate($0, given: $0 >= 4 ? UInt64($0) * 100 : 0) }
    let decisions = choker.decide(candidates, isSeeding: false, isNewTurn: true)
    #expect(
      decisions == [
        .init(peer: 1, unchokes: true, reason: .optimistic), .init(peer: 4, unchokes: true, reason: .gave(octets: 400)),
        .init(peer: 5, unchokes: true, reason: .gave(octets: 500)),
        .init(peer: 6, unchokes: true, reason: .gave(octets: 600)),
      ])
  }

  @Test func freePlacesGoToTheNextInTurn() {
    var choker = choker(peers: 6)
    let candidates = (1...6).map { candidate($0, isInterested: $0 != 2) }
    let decisions = choker.decide(candidates, isSeeding: false, isNewTurn: true)
    #expect(decisions.map(\.peer) == [1, 3, 4, 5])
    #expect(decisions.allSatisfy { $0.reason == .optimistic })
  }

  @Test func neverMoreThanTheSlotsAndOnlyThoseThatWant() {
    var random = SeededGenerator(seed: 8)
    for slots in [0, 1, 2, 4, 7] {
      var choker = Choker(slots: slots)
      var candidates: [Choker.Candidate] = []
      var next = 1
      for round in 0..<300 {
        if Int.random(in: 0..<3, using: &random) == 0 {
          choker.add(next, using: &random)
          candidates.append(candidate(next))
          next += 1
        }
        if Int.random(in: 0..<5, using: &random) == 0, let gone = candidates.randomElement(using: &random) {
          choker.remove(gone.number)
          candidates.removeAll { $0.number == gone.number }
        }
        for place in candidates.indices {
          candidates[place].isInterested = Int.random(in: 0..<4, using: &random) != 0
          candidates[place].isSnubbed = Int.random(in: 0..<6, using: &random) == 0
          candidates[place].rate = Double(Int.random(in: -5..<5, using: &random).clamped(to: 0...5))
        }
        let isSeeding = Bool.random(using: &random)
        apply(choker.decide(candidates, isSeeding: isSeeding, isNewTurn: round % 3 == 0), to: &candidates)
        let wanting = candidates.count { $0.isInterested }
        #expect(free(candidates).count == min(slots, wanting))
        #expect(candidates.allSatisfy { $0.isChoked || $0.isInterested })
      }
    }
  }
}

extension Int {
  fileprivate func clamped(to range: ClosedRange<Int>) -> Int {
    Swift.min(Swift.max(self, range.lowerBound), range.upperBound)
  }
}
