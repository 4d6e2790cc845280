/// So many octets a second, and a few at once. What passes may be more than there is: the debt has to be waited for.
struct TokenBucket: Sendable {
  /// Octets a second; nil is as many as there are.
  private(set) var rate: Int?
  private var tokens = 0.0
  private var filledAt: Instant

  /// How much of a second's octets may pass at once: of who comes now and then, and of who has waited, for the time by which it was
  /// woken too late is its own.
  private static let burst = 0.1
  private static let lateness = 1.0

  init(rate: Int?, at now: Instant) {
    self.rate = rate
    filledAt = now
  }

  /// Who has passed too much before owes it still.
  mutating func set(rate: Int?, at now: Instant) {
    fill(at: now, most: Self.burst)
    self.rate = rate
    tokens = min(tokens, Double(rate ?? 0) * Self.burst)
  }

  /// How long until something may pass; nil where it may now.
  /// - Parameter waited: somebody has waited all the time since this was asked last.
  mutating func wait(at now: Instant, waited: Bool = false) -> Duration? {
    guard let rate else { return nil }
    fill(at: now, most: waited ? Self.lateness : Self.burst)
    // At least one octet, so that who waits does not find it empty again at once; and a moment more than it takes, since instants are
    // cut to whole nanoseconds.
    return tokens >= 1 ? nil : .seconds((1 - tokens) / Double(rate)) + .nanoseconds(2)
  }

  private mutating func fill(at now: Instant, most: Double) {
    defer { filledAt = now }
    guard let rate else { return }
    let full = max(1, Double(rate) * most)
    guard tokens < full else { return }
    tokens = min(full, tokens + Double(rate) * (now.since(filledAt) / .seconds(1)))
  }

  mutating func take(_ octets: Int) { if rate != nil { tokens -= Double(octets) } }
}
