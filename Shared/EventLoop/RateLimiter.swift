/// A bound on octets a second that several connections share, each in its turn. It is touched on its loop alone.
public final class RateLimiter: @unchecked Sendable {
  /// The time, and who calls back when some of it has passed.
  struct Timing: Sendable {
    var now: @Sendable () -> Instant
    var after: @Sendable (Duration, @escaping @Sendable () -> Void) -> Void
  }

  private let timing: Timing
  private var bucket: TokenBucket
  /// Those who wait, the first first.
  private var waiting: [@Sendable () -> Void] = []
  /// The first so many of them have had their turn here and were told to wait elsewhere: they go before the others.
  private var returned = 0
  /// It is somebody's turn, who may take once.
  fileprivate var isTurn = false
  /// The timer that counts; those before it were set for another rate.
  private var timer = 0
  private var isTimed = false

  /// - Parameter rate: octets a second; nil is as many as there are.
  public convenience init(rate: Int?, on loop: EventLoop) {
    self.init(rate: rate, timing: Timing(now: { .current }, after: { loop.after($0, $1) }))
  }

  init(rate: Int?, timing: Timing) {
    self.timing = timing
    bucket = TokenBucket(rate: rate, at: timing.now())
  }

  /// Octets a second; nil is as many as there are.
  public var rate: Int? {
    get { bucket.rate }
    set {
      guard newValue != rate else { return }
      bucket.set(rate: newValue, at: timing.now())
      timer += 1
      isTimed = false
      wake()
    }
  }

  /// Whether something may pass now: then any amount may, and what is too much has to be waited for by the next. Nobody passes those
  /// who wait.
  fileprivate var mayPass: Bool { (isTurn || waiting.isEmpty) && hasOctets }

  fileprivate var hasOctets: Bool { bucket.wait(at: timing.now(), waited: !waiting.isEmpty) == nil }

  fileprivate func take(_ octets: Int) {
    isTurn = false
    bucket.take(octets)
  }

  /// Calls back once, when something may pass and all who came before have had their turn.
  /// - Parameter isNext: it has had its turn here already, and was told to wait elsewhere.
  fileprivate func wait(isNext: Bool, _ resume: @escaping @Sendable () -> Void) {
    waiting.insert(resume, at: isNext ? returned : waiting.count)
    if isNext { returned += 1 }
    time()
  }

  private func time() {
    guard !isTimed, !waiting.isEmpty else { return }
    isTimed = true
    let timer = timer
    timing.after(bucket.wait(at: timing.now(), waited: true) ?? .zero) { [weak self] in
      guard let self, timer == self.timer else { return }
      isTimed = false
      wake()
    }
  }

  /// One after the other: each takes before it is known whether there is something for the next.
  private func wake() {
    while !waiting.isEmpty, hasOctets {
      let next = waiting.removeFirst()
      returned = max(0, returned - 1)
      next()
    }
    time()
  }
}

/// The bounds that a connection is under together.
public struct RateLimiters: Sendable {
  let all: [RateLimiter]

  public init(_ all: [RateLimiter]) { self.all = all }

  /// Whether something may pass all of them now.
  public var mayPass: Bool { all.allSatisfy(\.mayPass) }

  public func take(_ octets: Int) { for limiter in all { limiter.take(octets) } }

  /// Calls back once, when something may pass all of them and all who came before have had their turn. It may pass only until
  /// something was taken or the call is over.
  public func wait(_ resume: @escaping @Sendable () -> Void) { wait(after: [], resume) }

  /// - Parameter had: where it has had its turn: there it goes before those who came later.
  private func wait(after had: [RateLimiter], _ resume: @escaping @Sendable () -> Void) {
    let full = all.first { limiter in had.contains { $0 === limiter } ? !limiter.hasOctets : !limiter.mayPass }
    if let full {
      let isNext = had.contains { $0 === full }
      return full.wait(isNext: isNext) { wait(after: isNext ? had : had + [full], resume) }
    }
    for limiter in all { limiter.isTurn = true }
    resume()
    for limiter in all { limiter.isTurn = false }
  }

  /// What to take in advance at a turn of which nobody knows yet how much it will bring: a part of a second's octets, a block at most.
  public var portion: Int { min(16_384, max(1024, (all.compactMap(\.rate).min() ?? .max) / 4)) }

  /// Waits until something may pass, and takes it then.
  public func pass(_ octets: Int) async {
    if mayPass { return take(octets) }
    await withCheckedContinuation { continuation in
      wait {
        take(octets)
        continuation.resume()
      }
    }
  }
}
