import Octets

/// From where an address can be reached. Who is outside is not told of what it can't reach: a machine's own peers are told to that
/// machine alone, those of a private network to private networks.
enum Scope: Int, Sendable, Comparable {
  case machine, network, world

  init(_ address: IPAddress) {
    let address = address.unmapped
    if address.isLoopback {
      self = .machine
    } else if let v4 = address.v4 {
      self = Scope.isPrivate(v4) ? .network : .world
    } else {
      self = address.v6.map { Scope.isPrivate($0.high) } ?? false ? .network : .world
    }
  }

  /// 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16 (RFC 1918), 169.254.0.0/16 (RFC 3927), 100.64.0.0/10 (RFC 6598).
  private static func isPrivate(_ v4: UInt32) -> Bool {
    switch v4 >> 24 {
    case 10: true
    case 172: v4 >> 20 == 0xAC1
    case 192: v4 >> 16 == 0xC0A8
    case 169: v4 >> 16 == 0xA9FE
    case 100: v4 >> 22 == 0x6440 >> 6
    default: false
    }
  }

  /// fc00::/7 (RFC 4193), fe80::/10 (RFC 4291 §2.5.6), by the address's first half.
  private static func isPrivate(_ v6: UInt64) -> Bool { v6 >> 57 == 0xFC >> 1 || v6 >> 54 == 0xFE80 >> 6 }

  static func < (one: Scope, other: Scope) -> Bool { one.rawValue < other.rawValue }
}
