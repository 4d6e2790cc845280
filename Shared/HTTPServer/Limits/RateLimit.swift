public import EventLoop
import HTTPWire
public import Octets

/// Middleware that bounds the requests of each client address; beyond it is 429 with Retry-After (RFC 6585 §4).
///
///     router.before(RateLimit(perSecond: 20, burst: 50).check)
///
/// It takes no task, remembers a bounded number of addresses, and counts an IPv6 /64, which one client has whole, as one.
public final class RateLimit: Sendable {
  private let buckets: Lock<TokenBuckets<IPAddress, Instant>>
  /// Requests refused.
  public let refused = RequestCount()

  /// - Parameters:
  ///   - rate: requests a second that an address may make for ever.
  ///   - burst: requests it may make at once after a pause.
  ///   - addresses: how many are remembered; those beyond share one allowance.
  public init(perSecond rate: Double, burst: Int, addresses: Int = 65_536) {
    buckets = Lock(TokenBuckets(perSecond: rate, burst: burst, capacity: addresses, at: .current))
  }

  /// Spends one request of an address's.
  ///
  /// - Returns: nil where it had one, else how long until it has.
  public func take(_ address: IPAddress, at now: Instant) -> Duration? {
    guard let delay = buckets.withLock({ $0.take(address.network, at: now) }) else { return nil }
    refused.add()
    return delay
  }

  /// A hook for `before`.
  public func check(_ request: inout Request) -> Response? {
    guard let delay = take(request.peer.ip, at: request.loop.now) else { return nil }
    let (seconds, rest) = delay.components
    let wait = max(1, rest > 0 ? seconds + 1 : seconds)
    return Response.problem(.tooManyRequests, "Too many requests from this address; try again in \(wait) s.")
      .with("retry-after", "\(wait)")
  }
}

extension IPAddress {
  /// What one client is taken to be: an IPv4 address, or the /64 of an IPv6 address.
  var network: IPAddress { v6.map { IPAddress(v6: $0.0, 0) } ?? self }
}
