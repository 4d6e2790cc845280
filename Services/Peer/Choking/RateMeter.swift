import EventLoop

/// Octets a second, over the last twenty seconds (BEP 3).
struct RateMeter: Sendable {
  private static let window = 20
  private var seconds = [UInt64](repeating: 0, count: window)
  /// Sum of `seconds`.
  private var sum: UInt64 = 0
  /// The second that is counted now.
  private var current: UInt64
  private let start: Instant
  private(set) var total: UInt64 = 0

  init(at now: Instant) {
    start = now
    current = now.nanoseconds / 1_000_000_000
  }

  mutating func add(_ octets: Int, at now: Instant) {
    advance(to: now)
    seconds[Int(current % UInt64(Self.window))] += UInt64(octets)
    sum += UInt64(octets)
    total += UInt64(octets)
  }

  /// The rate now; of a connection that is younger than the window, since it began.
  mutating func rate(at now: Instant) -> Double {
    advance(to: now)
    let age = now.since(start) / .seconds(1)
    return Double(sum) / min(Double(Self.window), max(1, age))
  }

  /// The rate of the last few seconds, for who looks on.
  /// - Parameter span: in seconds, at most twenty.
  mutating func rate(at now: Instant, over span: Int) -> Double {
    advance(to: now)
    let places = (0..<min(span, Self.window)).map {
      (Int(current % UInt64(Self.window)) + Self.window - $0) % Self.window
    }
    let age = now.since(start) / .seconds(1)
    return Double(places.reduce(0) { $0 + seconds[$1] }) / min(Double(span), max(1, age))
  }

  private mutating func advance(to now: Instant) {
    let second = now.nanoseconds / 1_000_000_000
    guard second > current else { return }
    for old in current + 1...min(second, current + UInt64(Self.window)) {
      let place = Int(old % UInt64(Self.window))
      sum -= seconds[place]
      seconds[place] = 0
    }
    current = second
  }
}
