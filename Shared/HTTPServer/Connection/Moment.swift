import EventLoop

/// A point in time that a connection reckons with: the loop's clock, or a number in a test.
protocol Moment: Comparable, Sendable {
  /// A length of time made ready: reckoning with `Duration` costs 128-bit multiplications, which every request would pay.
  associatedtype Interval: Sendable
  static func interval(_ duration: Duration) -> Interval
  static func + (moment: Self, interval: Interval) -> Self
  /// The time since `earlier`; zero if that is later.
  func since(_ earlier: Self) -> Duration
}

extension Instant: Moment {
  static func interval(_ duration: Duration) -> UInt64 { (Instant(nanoseconds: 0) + duration).nanoseconds }
  static func + (moment: Instant, interval: UInt64) -> Instant {
    Instant(nanoseconds: moment.nanoseconds &+ interval)
  }
}
