/// So many octets a second, and a few at once. What passes may be more than there is: the debt has to be waited for.
struct TokenBucket: Sendable {
  /// Octets a second; nil is as many as there are.
  var rate: Int? {
    didSet { if oldValue != rate { tokens = 0 } }
  }
  private var tokens = 0.0
  private var filledAt: Instant

  /// How much of a second's octets may pass at once.
  private static let burst = 0.1

  init(rate: Int?, at now: Instant) {
    self.rate = rate
    filledAt = now
  }

  /// How long until something may pass; nil where it may now.
  mutating func wait(at now: Instant) -> Duration? {
    guard let rate else { return nil }
    let rateValue = Double(rate)
    tokens = min(rateValue * Self.burst, tokens + rateValue * (now.since(filledAt) / .seconds(1)))
    filledAt = now
    // At least one octet, so that who waits does not find it empty again at once.
    return tokens >= 1 ? nil : .seconds((1 - tokens) / rateValue)
  }

  mutating func take(_ octets: Int) { if rate != nil { tokens -= Double(octets) } }
}
