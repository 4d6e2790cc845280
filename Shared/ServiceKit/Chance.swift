import EventLoop
import Octets

/// Where what a service makes up comes from: the system, or, in a lab, a seed, so that the same input makes the same result.
///
/// All copies share one sequence. Secrets, salts and the names of files never come from a seed.
public struct Chance: RandomNumberGenerator, Sendable {
  private let seeded: Lock<SeededGenerator>?

  public init(seed: UInt64? = nil) {
    seeded = seed.map { Lock(SeededGenerator(seed: $0)) }
  }

  public func next() -> UInt64 {
    guard let seeded else {
      var system = SystemRandomNumberGenerator()
      return system.next()
    }
    return seeded.withLock { $0.next() }
  }
}
