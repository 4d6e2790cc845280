/// When a letter that could not be handed on is tried again (RFC 5321 §4.5.4.1).
enum RetrySchedule {
  /// Seconds a letter is tried before it is given up: five days.
  static let lifetime: Int64 = 5 * 24 * 3600
  /// The waits after the first tries, in seconds; the last one is then repeated.
  static let waits: [Int64] = [5 * 60, 15 * 60, 3600, 4 * 3600]

  /// Seconds to wait after the given number of tries (1 is the first). Up to a tenth is added or taken at random, so
  /// that a host that was down does not get everything at once.
  static func wait(after tries: Int, using random: inout some RandomNumberGenerator) -> Int64 {
    let wait = waits[min(max(tries, 1), waits.count) - 1]
    return wait + Int64.random(in: -wait / 10...wait / 10, using: &random)
  }

  /// When to try next, or nil where the letter is given up.
  static func next(
    after tries: Int, now: Int64, expires: Int64, using random: inout some RandomNumberGenerator
  ) -> Int64? {
    guard now < expires else { return nil }
    return min(now + wait(after: tries, using: &random), expires)
  }
}
