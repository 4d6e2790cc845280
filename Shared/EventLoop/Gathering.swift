/// Whether datagrams come so often, and so few at a time, that it is worth while to let them gather, and to take them together.
struct Gathering {
  /// How long they gather at a time.
  let time: Duration
  private var isOn = false
  private var since = Instant(nanoseconds: 0)
  private var count = 0

  /// So many in the time of a gathering pay for its two calls that end and begin the hearing, and for the wait.
  private static let fewest = 4
  /// With so many at a time nothing is gained by waiting for more.
  private static let enough = DatagramBatch.capacity
  /// Over so many times is looked: a single burst is no reason to let the next one wait.
  private static let times = 8

  init(time: Duration) { self.time = time }

  /// Some were taken as they came.
  mutating func begins(with taken: Int, at now: Instant) -> Bool {
    guard !isOn else { return false }
    if now.since(since) > time * Self.times { (since, count) = (now, 0) }
    if taken < Self.enough { count += taken }
    isOn = count >= Self.fewest * Self.times
    return isOn
  }

  /// So many had gathered.
  mutating func goesOn(with taken: Int) -> Bool {
    isOn = taken >= Self.fewest && taken <= 2 * Self.enough
    count = 0
    return isOn
  }
}
