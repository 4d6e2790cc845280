import Octets

/// What is known of the servers asked so far: how fast they answer, and what they can't do.
///
/// Times are monotonic, counted from any fixed start. Estimates follow RFC 6298; what is known is forgotten after
/// `memory`, so that a server that came back is tried again.
struct ServerTable {
  struct Server {
    /// Smoothed round-trip time and its variation; nil until a first answer.
    var smoothed: Duration?
    var variation: Duration = .zero
    /// Timeouts since the last answer.
    var timeouts = 0
    /// The server answered EDNS with an error, so it is asked without (RFC 6891 §7).
    var withoutEDNS = false
    /// Zones it was asked about and doesn't serve.
    var lameFor: Set<[UInt8]> = []
    var since: Duration
  }

  /// How long a server not known yet gets before the next one is asked too.
  static let firstPatience = Duration.milliseconds(150)
  static let leastPatience = Duration.milliseconds(50)
  static let mostPatience = Duration.milliseconds(3000)
  /// Servers within this of the fastest are asked as often as it.
  static let band = Duration.milliseconds(60)
  static let memory = Duration.seconds(600)
  private static let lameZones = 64

  private var servers: BoundedStore<SocketAddress, Server>

  init(limit: Int) {
    servers = BoundedStore(limit: limit)
  }

  private mutating func server(_ address: SocketAddress, _ now: Duration) -> Server {
    if let known = servers.use(address), now - known.since < Self.memory { return known }
    return Server(since: now)
  }

  private mutating func change(_ address: SocketAddress, _ now: Duration, _ body: (inout Server) -> Void) {
    var value = server(address, now)
    body(&value)
    servers.insert(address, value, bytes: 96 + value.lameFor.reduce(0) { $0 + $1.count + 48 })
  }

  mutating func answered(_ address: SocketAddress, after rtt: Duration, now: Duration) {
    change(address, now) {
      if let smoothed = $0.smoothed {
        let error = smoothed > rtt ? smoothed - rtt : rtt - smoothed
        $0.variation = $0.variation * 3 / 4 + error / 4
        $0.smoothed = smoothed * 7 / 8 + rtt / 8
      } else {
        $0.smoothed = rtt
        $0.variation = rtt / 2
      }
      $0.timeouts = 0
    }
  }

  mutating func timedOut(_ address: SocketAddress, now: Duration) {
    change(address, now) { $0.timeouts = min($0.timeouts + 1, 6) }
  }

  mutating func failedEDNS(_ address: SocketAddress, now: Duration) {
    change(address, now) { $0.withoutEDNS = true }
  }

  /// - Parameter zone: the zone's name on the wire in lower case.
  mutating func lame(_ address: SocketAddress, for zone: [UInt8], now: Duration) {
    change(address, now) {
      if $0.lameFor.count >= Self.lameZones { $0.lameFor.removeAll() }
      $0.lameFor.insert(zone)
    }
  }

  mutating func takesEDNS(_ address: SocketAddress, now: Duration) -> Bool {
    !server(address, now).withoutEDNS
  }

  /// How long to wait for the server before another is asked too.
  mutating func patience(_ address: SocketAddress, now: Duration) -> Duration {
    let known = server(address, now)
    let base = known.smoothed.map { max($0 + known.variation * 4, Self.leastPatience) } ?? Self.firstPatience
    return min(base * (1 << known.timeouts), Self.mostPatience)
  }

  /// The server to ask next: one of the fastest that were asked least often, at random among equals (RFC 5452 §9 wants
  /// the choice hard to guess); lame ones come last.
  /// - Parameter tries: how often each was asked already in this turn.
  mutating func choose(
    among addresses: [SocketAddress], tries: [SocketAddress: Int], most: Int, zone: [UInt8], now: Duration,
    using generator: inout some RandomNumberGenerator
  ) -> SocketAddress? {
    var best: [(address: SocketAddress, cost: Duration)] = []
    var rank = Int.max
    for address in addresses {
      let tried = tries[address] ?? 0
      guard tried < most else { continue }
      let known = server(address, now)
      let lame = known.lameFor.contains(zone)
      if lame, tried > 0 { continue }
      let place = tried * 2 + (lame ? 1 : 0)
      if place < rank {
        rank = place
        best.removeAll()
      }
      guard place == rank else { continue }
      let cost = known.smoothed ?? Self.leastPatience
      best.append((address, known.timeouts == 0 ? cost : max(cost, Self.firstPatience) * (1 << known.timeouts)))
    }
    guard let fastest = best.map(\.cost).min() else { return nil }
    return best.filter { $0.cost <= fastest + Self.band }.randomElement(using: &generator)?.address
  }

  mutating func removeAll() {
    servers.removeAll()
  }

  /// Forgets what servers couldn't do, but not how fast they are: for an operator who has just set one right.
  mutating func forgive() {
    var faulty: [(SocketAddress, Server)] = []
    _ = servers.visit(from: 0) { address, server, _ in
      if server.withoutEDNS || !server.lameFor.isEmpty { faulty.append((address, server)) }
      return true
    }
    for (address, server) in faulty {
      change(address, server.since) {
        $0.withoutEDNS = false
        $0.lameFor = []
      }
    }
  }
}
