import Octets
import Testing

@testable import Peer

@Suite struct PieceOrderTests {
  /// The same, by counting.
  private struct Model {
    var availability: [Int]
    var everywhere = 0
    var inside: Set<Int> = []
  }

  /// The pieces of the order from its beginning to its end, each group begun anywhere.
  private func walk(_ order: PieceOrder, _ random: inout SeededGenerator) -> [Int] {
    var walked: [Int] = []
    _ = order.rarest(using: &random) { piece in
      walked.append(piece)
      return false
    }
    return walked
  }

  private func expectSame(_ order: PieceOrder, _ model: Model, _ random: inout SeededGenerator) {
    let walked = walk(order, &random)
    let ranks = walked.map { model.availability[$0] }
    #expect(ranks == ranks.sorted())
    #expect(walked.count == model.inside.count && Set(walked) == model.inside)
    #expect(order.availability.map { Int($0) } == model.availability)
    #expect(order.isEmpty == model.inside.isEmpty)
    let reachable = model.inside.count { model.availability[$0] + model.everywhere > 0 }
    #expect(order.reachable == reachable)
    for piece in model.availability.indices {
      #expect(order.contains(piece) == model.inside.contains(piece))
      #expect(order.peers(with: piece) == model.availability[piece] + model.everywhere)
    }
  }

  @Test(arguments: [1, 2, 7, 40])
  func staysSortedWhateverIsDone(pieceCount: Int) {
    var random = SeededGenerator(seed: UInt64(pieceCount))
    var order = PieceOrder(pieceCount: pieceCount)
    var model = Model(availability: Array(repeating: 0, count: pieceCount))
    for step in 0..<3000 {
      let piece = Int.random(in: 0..<pieceCount, using: &random)
      switch Int.random(in: 0..<10, using: &random) {
      case 0...1:
        order.insert(piece)
        model.inside.insert(piece)
      case 2:
        order.remove(piece)
        model.inside.remove(piece)
      case 3...5:
        order.addPeer(with: piece)
        model.availability[piece] += 1
      case 6...8:
        order.removePeer(with: piece)
        model.availability[piece] = max(0, model.availability[piece] - 1)
      default:
        if model.everywhere > 0, Bool.random(using: &random) {
          order.removeEverywhere()
          model.everywhere -= 1
        } else {
          order.addEverywhere()
          model.everywhere += 1
        }
      }
      if step % 10 == 0 { expectSame(order, model, &random) }
      let allowed = Set((0..<pieceCount).filter { _ in Bool.random(using: &random) })
      let candidates = model.inside.intersection(allowed)
      let found = order.rarest(using: &random) { allowed.contains($0) }
      #expect((found == nil) == candidates.isEmpty)
      guard let found else { continue }
      let least = candidates.map { model.availability[$0] }.min()
      #expect(candidates.contains(found.piece) && model.availability[found.piece] == least)
      #expect(found.equals == model.inside.count { model.availability[$0] == least })
    }
    expectSame(order, model, &random)
  }

  @Test func anyOfTheRarestComesUp() {
    var random = SeededGenerator(seed: 3)
    var order = PieceOrder(pieceCount: 12)
    for piece in 0..<12 {
      order.insert(piece)
      if piece >= 5 { order.addPeer(with: piece) }
    }
    let rare = Set((0..<200).compactMap { _ in order.rarest(using: &random) { _ in true }?.piece })
    #expect(rare == Set(0..<5))
    let any = Set((0..<400).compactMap { _ in order.any(using: &random) { _ in true } })
    #expect(any == Set(0..<12))
    let odd = Set((0..<400).compactMap { _ in order.any(using: &random) { $0 % 2 == 1 } })
    #expect(odd == [1, 3, 5, 7, 9, 11])
  }

  @Test func nobodysPieceIsNotReachableUntilSomebodyHasAll() {
    var order = PieceOrder(pieceCount: 3)
    for piece in 0..<3 { order.insert(piece) }
    #expect(order.reachable == 0)
    order.addPeer(with: 1)
    #expect(order.reachable == 1)
    order.addEverywhere()
    #expect(order.reachable == 3)
    order.remove(1)
    #expect(order.reachable == 2)
    order.removeEverywhere()
    #expect(order.reachable == 0)
  }
}
