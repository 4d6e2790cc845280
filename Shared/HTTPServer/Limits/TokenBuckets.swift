/// Token buckets by key, in bounded memory: each key may spend `burst` at once, and regains `rate` a second.
///
/// A bucket is one number, the time at which it will be full again (the generic cell rate algorithm, ITU-T I.371): a bucket
/// nobody has touched for as long as it takes to fill is full, so it may be forgotten. Two generations of buckets change
/// places after that time; nothing is ever swept.
struct TokenBuckets<Key: Hashable & Sendable, Time: Moment>: Sendable {
  /// In which one token comes back, and in which a whole bucket does.
  private let interval: Time.Interval
  private let span: Time.Interval
  private let fill: Duration
  private let capacity: Int
  private var young: [Key: Time] = [:]
  private var old: [Key: Time] = [:]
  /// For keys that came when the table was full: they share one bucket, so that filling the table helps nobody.
  private var crowd: Time?
  private var turn: Time

  /// - Parameters:
  ///   - capacity: keys of a generation.
  init(perSecond rate: Double, burst: Int, capacity: Int, at now: Time) {
    let one = Duration.nanoseconds(Int64((1e9 / max(rate, 1e-6)).rounded()))
    fill = one * max(burst, 1)
    interval = Time.interval(one)
    span = Time.interval(fill)
    self.capacity = capacity
    turn = now + span
  }

  /// Spends one token.
  ///
  /// - Returns: nil where there was one, else how long until there is.
  mutating func take(_ key: Key, at now: Time) -> Duration? {
    if now >= turn {
      // After two turns without a request both generations are full again.
      swap(&old, &young)
      young.removeAll(keepingCapacity: true)
      if now >= turn + span { old.removeAll() }
      turn = now + span
    }
    let known = young[key] ?? old[key]
    let isCrowded = known == nil && young.count >= capacity
    let full = max((isCrowded ? crowd : known) ?? now, now) + interval
    // Spending would leave less than nothing while it fills up later than a whole bucket takes.
    if full > now + span { return full.since(now) - fill }
    if isCrowded { crowd = full } else { young[key] = full }
    return nil
  }

  var count: Int { young.count + old.count }
}
