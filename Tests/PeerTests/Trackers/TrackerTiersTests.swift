import Octets
import Testing

@testable import Peer

@Suite struct TrackerTiersTests {
  private func tiers(_ names: [[String]], seed: UInt64 = 1) throws -> TrackerTiers {
    var generator = SeededGenerator(seed: seed)
    return TrackerTiers(
      try names.map { try $0.map { try TrackerURL("http://\($0)/announce") } }, using: &generator)
  }

  /// The names that a round asks where nobody answers.
  private func round(_ tiers: inout TrackerTiers, at now: Int64 = 0) -> [String] {
    var names: [String] = []
    tiers.beginRound()
    while let url = tiers.next(at: now) {
      names.append(url.host)
      tiers.failed(url)
    }
    return names
  }

  @Test("All of a tier are asked before the next, in an order that the seed decides")
  func order() throws {
    let names = (0..<8).map { "a\($0)" }
    var tiers = try tiers([names, ["b"], ["c"]])
    let first = round(&tiers)
    #expect(first.count == 10 && Set(first.prefix(8)) == Set(names) && first.suffix(2) == ["b", "c"])
    #expect(first.prefix(8) != names[...])
    #expect(round(&tiers) == first)
    var same = try self.tiers([names, ["b"], ["c"]])
    #expect(round(&same) == first)
  }

  @Test("Who answers is the first of its tier from then on, and tiers stay apart")
  func promotion() throws {
    var tiers = try tiers([["a", "b", "c"], ["d", "e"]])
    let before = round(&tiers)
    let last = try #require(tiers.tiers.first?.last)
    tiers.answered(last)
    #expect(round(&tiers) == [before[2], before[0], before[1], before[3], before[4]])
    let second = try #require(tiers.tiers.last?.last)
    tiers.answered(second)
    #expect(round(&tiers) == [before[2], before[0], before[1], before[4], before[3]])
  }

  @Test("Each round begins at the top")
  func rounds() throws {
    var tiers = try tiers([["a"], ["b"]])
    let first = try #require(tiers.next(at: 0))
    tiers.failed(first)
    let second = try #require(tiers.next(at: 0))
    #expect(second.host == "b")
    tiers.answered(second)
    #expect(tiers.next(at: 0) == second)
    tiers.beginRound()
    #expect(tiers.next(at: 0) == first)
  }

  @Test("A tracker that wants to be left alone is passed over until its time has come")
  func rests() throws {
    var tiers = try tiers([["a"], ["b"]])
    let (a, b) = (try TrackerURL("http://a/announce"), try TrackerURL("http://b/announce"))
    tiers.failed(a, restingUntil: 100)
    #expect(tiers.firstReady(at: 10) == nil)
    #expect(round(&tiers, at: 99) == ["b"])
    // That it failed again without a word takes nothing back while it was not asked.
    tiers.failed(b, restingUntil: .max)
    tiers.beginRound()
    #expect(tiers.next(at: 99) == nil && tiers.firstReady(at: 99) == 100)
    #expect(tiers.next(at: 100) == a && tiers.firstReady(at: 100) == nil)
    tiers.failed(a, restingUntil: .max)
    #expect(tiers.firstReady(at: 1000) == .max)
    tiers.answered(a)
    #expect(tiers.firstReady(at: 1000) == nil)
  }

  @Test("Others take their places: who answered before goes first, and who rests goes on resting")
  func replaced() throws {
    let names = (0..<8).map { "a\($0)" }
    var tiers = try tiers([["b"], ["c"]])
    let (b, c) = (try TrackerURL("http://b/announce"), try TrackerURL("http://c/announce"))
    tiers.failed(c, restingUntil: 100)
    var generator = SeededGenerator(seed: 1)
    let urls = try (names + ["b"]).map { try TrackerURL("http://\($0)/announce") }
    tiers.replace([urls, [c, b]], known: { $0 == b }, using: &generator)
    #expect(round(&tiers, at: 99).first == "b" && round(&tiers, at: 99).count == 9)
    #expect(round(&tiers, at: 100).last == "c")
    tiers.replace([], known: { _ in true }, using: &generator)
    #expect(round(&tiers, at: 99) == [])
  }

  @Test("A tracker counts once, and of too many the first are taken")
  func bounds() throws {
    var few = try tiers([["a", "a"], [], ["b", "a"], ["a"]])
    #expect(few.tiers.map(\.count) == [1, 1])
    #expect(round(&few) == ["a", "b"])
    let many = try tiers((0..<200).map { ["t\($0)"] })
    #expect(many.tiers.count == TrackerTiers.limit)
    var none = try tiers([])
    #expect(round(&none) == [] && none.firstReady(at: 0) == .max)
  }
}
