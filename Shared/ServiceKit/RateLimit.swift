import EventLoop
import HTTPServer
import HTTPWire
import Octets
import Synchronization

/// How many requests a second one address may send to the REST API: a bucket for each that fills at that rate and holds one
/// second's worth.
final class RateLimit: Sendable {
  private struct Bucket {
    var requests: Double
    var filled: Instant
  }

  /// Addresses remembered at most.
  private static let addresses = 10_000
  /// 0 for no limit.
  private let perSecond = Atomic<Int>(0)
  private let buckets = Lock<[IPAddress: Bucket]>([:])

  func set(_ perSecond: Int?) { self.perSecond.store(perSecond ?? 0, ordering: .relaxed) }

  /// 429 for one who asks too often; nil for all others.
  func refusal(_ peer: IPAddress, now: Instant) -> Response? {
    let limit = perSecond.load(ordering: .relaxed)
    guard limit > 0, !take(peer, limit, now) else { return nil }
    return Problem(429, "More than \(limit) requests a second come from this address; slow down.", retryAfter: 1)
      .response
  }

  private func take(_ peer: IPAddress, _ limit: Int, _ now: Instant) -> Bool {
    let key = Self.client(peer)
    return buckets.withLock { buckets in
      if buckets.count >= Self.addresses {
        // Who has been quiet for a second has a full bucket, as a stranger has.
        buckets = buckets.filter { now.since($0.value.filled) < .seconds(1) }
        if buckets.count >= Self.addresses { buckets.removeAll() }
      }
      var bucket = buckets[key] ?? Bucket(requests: Double(limit), filled: now)
      let passed = now.since(bucket.filled) / .seconds(1)
      bucket.requests = min(Double(limit), bucket.requests + passed * Double(limit))
      bucket.filled = now
      let isAllowed = bucket.requests >= 1
      if isAllowed { bucket.requests -= 1 }
      buckets[key] = bucket
      return isAllowed
    }
  }

  /// One client has a whole /64 of IPv6 (RFC 4291 §2.5.1).
  private static func client(_ address: IPAddress) -> IPAddress {
    let address = address.unmapped
    guard !address.isV4 else { return address }
    return IPAddress(bytes: Array(address.bytes.prefix(8)) + [UInt8](repeating: 0, count: 8)) ?? address
  }
}
