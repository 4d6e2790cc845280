/// How long it takes to bring a file from one server to N peers: by the textbook's formulas, and as it was measured.
struct Distribution: Sendable {
  enum Way: String, Sendable, CaseIterable {
    case clientServer = "client-server"
    case peerToPeer = "peer-to-peer"
  }

  var size: DataSize
  /// What the server can give.
  var serverUp: DataRate
  /// What each peer can give and take.
  var peerUp: DataRate
  var peerDown: DataRate

  /// Seconds that no way can do without.
  ///
  /// Client-server: the server sends N copies, and the slowest client takes one: max{N·F/us, F/dmin}. Peer-to-peer: the server
  /// sends one copy at least, each peer takes one, and all of them together send N: max{F/us, F/dmin, N·F/(us + Σui)}.
  /// - Parameter givers: how many of the peers give something.
  func bound(_ way: Way, peers: Int, givers: Int? = nil) -> Double {
    let count = Double(peers)
    let slowest = size.bits / peerDown.bitsPerSecond
    switch way {
    case .clientServer: return max(count * size.bits / serverUp.bitsPerSecond, slowest)
    case .peerToPeer:
      let together = serverUp.bitsPerSecond + Double(givers ?? peers) * peerUp.bitsPerSecond
      return max(size.bits / serverUp.bitsPerSecond, slowest, count * size.bits / together)
    }
  }
}

/// What one run came to.
struct DistributionResult: Sendable {
  var way: Distribution.Way
  var peers: Int
  /// Seconds.
  var bound: Double
  /// Seconds until the last peer had all of it.
  var measured: Double
  /// Seconds until each had it, the first first.
  var times: [Double]
  /// Likewise of those that gave nothing.
  var riderTimes: [Double] = []
  /// Octets that the server sent.
  var serverSent: Int

  var ratio: Double { measured / bound }

  var json: JSON {
    var members: [String: JSON] = [
      "way": .string(way.rawValue), "peers": .number(Double(peers)), "bound_seconds": number(bound),
      "measured_seconds": number(measured), "ratio": number(ratio),
      "completed_after_seconds": .array(times.map(number)),
      "server_sent_bytes": .number(Double(serverSent)),
    ]
    if !riderTimes.isEmpty { members["free_riders_completed_after_seconds"] = .array(riderTimes.map(number)) }
    return .object(members)
  }

  private func number(_ value: Double) -> JSON { .number((value * 1000).rounded() / 1000) }
}
