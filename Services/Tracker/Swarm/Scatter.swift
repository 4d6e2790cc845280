/// The numbers below a count, each once, in an order that begins and goes on at random: a step that has no divisor in common with
/// the count comes past all of them.
struct Scatter: Sequence, IteratorProtocol {
  private let count: Int
  private let step: Int
  private var position: Int
  private var left: Int

  init(_ count: Int, using generator: inout some RandomNumberGenerator) {
    self.count = count
    left = count
    position = Int.random(in: 0..<Swift.max(1, count), using: &generator)
    var step = Int.random(in: 1...Swift.max(1, count - 1), using: &generator)
    while Scatter.divisor(step, count) != 1 { step += 1 }
    self.step = step % Swift.max(1, count)
  }

  mutating func next() -> Int? {
    guard left > 0 else { return nil }
    left -= 1
    let here = position
    position += step
    if position >= count { position -= count }
    return here
  }

  private static func divisor(_ one: Int, _ other: Int) -> Int {
    var (one, other) = (one, other)
    while other != 0 { (one, other) = (other, one % other) }
    return one
  }
}
