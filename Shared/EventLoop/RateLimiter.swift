/// A bound on octets a second that several connections share, each in its turn. It is touched on its loop alone.
public final class RateLimiter: @unchecked Sendable {
  private let loop: EventLoop
  private var bucket: TokenBucket
  /// Those who wait, the first first.
  private var waiting: [@Sendable () -> Void] = []
  private var isTimed = false

  /// - Parameter rate: octets a second; nil is as many as there are.
  public init(rate: Int?, on loop: EventLoop) {
    self.loop = loop
    bucket = TokenBucket(rate: rate, at: .current)
  }

  /// Octets a second; nil is as many as there are.
  public var rate: Int? {
    get { bucket.rate }
    set {
      bucket.rate = newValue
      wake()
    }
  }

  /// Whether something may pass now: then any amount may, and what is too much has to be waited for by the next.
  public func mayPass() -> Bool { bucket.rate == nil || bucket.wait(at: .current) == nil }
  public func take(_ octets: Int) { bucket.take(octets) }

  /// Calls back once, when something may pass and all who came before have had their turn.
  public func wait(_ resume: @escaping @Sendable () -> Void) {
    waiting.append(resume)
    time()
  }

  private func time() {
    guard !isTimed, !waiting.isEmpty else { return }
    isTimed = true
    loop.after(bucket.wait(at: .current) ?? .zero) { [weak self] in
      self?.isTimed = false
      self?.wake()
    }
  }

  private func wake() {
    while !waiting.isEmpty, bucket.wait(at: .current) == nil {
      let next = waiting.removeFirst()
      next()
    }
    time()
  }
}

/// The bounds that a connection is under together.
public struct RateLimiters: Sendable {
  let all: [RateLimiter]

  public init(_ all: [RateLimiter]) { self.all = all }

  /// The first that lets nothing pass now.
  public func full() -> RateLimiter? { all.first { !$0.mayPass() } }
  public func take(_ octets: Int) { for limiter in all { limiter.take(octets) } }

  /// Waits until something may pass.
  public func wait() async {
    while let full = full() { await withCheckedContinuation { continuation in full.wait { continuation.resume() } } }
  }
}
