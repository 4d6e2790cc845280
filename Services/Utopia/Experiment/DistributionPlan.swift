import ArgumentParser

/// What is to be measured: which file over which links, and for how many peers each time.
struct DistributionPlan: Sendable {
  /// The textbook's own numbers.
  enum Slides: String, ExpressibleByArgument, CaseIterable, Sendable {
    /// F = 1 GB, us = 80 Mbps, d = 20 Mbps, u = 8 Mbps, N = 10.
    case example
    /// F/u = 1 hour, us = 10u, d no less, N from 1 to 35.
    case curve
  }

  var distribution: Distribution
  var counts: [Int]
  var title: String
  /// By how much the slides' file is smaller here, and with it all times.
  var scale: Double?

  init(_ distribution: Distribution, counts: [Int]) {
    self.distribution = distribution
    self.counts = counts
    title = "\(distribution.size) \(Self.links(distribution))"
  }

  /// - Parameter scale: nil takes what is done in a few minutes.
  init(_ slides: Slides, scale: Double?) {
    let up: Double
    switch slides {
    case .example:
      let scale = scale ?? 20
      self.scale = scale
      up = 8e6
      distribution = Distribution(
        size: DataSize(octets: Int(1e9 / scale)), serverUp: DataRate(bitsPerSecond: 10 * up),
        peerUp: DataRate(bitsPerSecond: up), peerDown: DataRate(bitsPerSecond: 20e6))
      counts = [10]
      title = "The slides' example, 1 GB scaled down by \(rounded(scale, 2)): \(distribution.size) "
    case .curve:
      let scale = scale ?? 240
      self.scale = scale
      // An hour for 900 MB.
      up = 2e6
      distribution = Distribution(
        size: DataSize(octets: Int(up * 3600 / 8 / scale)), serverUp: DataRate(bitsPerSecond: 10 * up),
        peerUp: DataRate(bitsPerSecond: up), peerDown: DataRate(bitsPerSecond: 10 * up))
      counts = [1, 5, 10, 15, 20, 25, 30, 35]
      title =
        "The slides' curve, F/u of an hour scaled down by \(rounded(scale, 2)) to \(rounded(3600 / scale, 1)) s: \(distribution.size) "
    }
    title += Self.links(distribution)
  }

  private static func links(_ distribution: Distribution) -> String {
    "from a server with \(distribution.serverUp) to peers with \(distribution.peerUp) up and \(distribution.peerDown) down"
  }

  /// Some hundred pieces, so that there is something to share, and none of more than 256 KiB.
  var pieceLength: Int {
    var length = 262_144
    while length > 16_384, distribution.size.octets / length < 100 { length /= 2 }
    return length
  }

  /// Seconds that all runs take at least.
  func seconds(_ only: Distribution.Way?, freeRiders: Int) -> Double {
    var sum = 0.0
    for way in Distribution.Way.allCases where only ?? way == way {
      for count in counts { sum += distribution.bound(way, peers: count, givers: count - freeRiders) }
    }
    return sum
  }
}
