import Octets

/// Twenty octets that name something, without a heap object: `InfoHash` a torrent, `PeerID` a peer.
public struct Octets20<Meaning>: Sendable {
  /// Words of four octets, so that in a list they lie without gaps.
  private let words: (UInt32, UInt32, UInt32, UInt32, UInt32)

  fileprivate var first: UInt64 { UInt64(words.0) << 32 | UInt64(words.1) }
  private var second: UInt64 { UInt64(words.2) << 32 | UInt64(words.3) }
  private var third: UInt32 { words.4 }

  /// In network order.
  init(_ first: UInt64, _ second: UInt64, _ third: UInt32) {
    words = (
      UInt32(truncatingIfNeeded: first >> 32), UInt32(truncatingIfNeeded: first),
      UInt32(truncatingIfNeeded: second >> 32), UInt32(truncatingIfNeeded: second), third
    )
  }

  /// Twenty zeros, which name nothing.
  public static var zero: Octets20 { Octets20(0, 0, 0) }

  /// Nil unless they are twenty.
  public init?(_ octets: some Collection<UInt8>) {
    guard octets.count == 20 else { return nil }
    var (first, second, third): (UInt64, UInt64, UInt32) = (0, 0, 0)
    for (place, octet) in octets.enumerated() {
      switch place {
      case 0..<8: first = first << 8 | UInt64(octet)
      case 8..<16: second = second << 8 | UInt64(octet)
      default: third = third << 8 | UInt32(octet)
      }
    }
    self.init(first, second, third)
  }

  /// From forty hexadecimal digits in either case; nil for anything else.
  public init?(hex: some StringProtocol) {
    guard hex.utf8.count == 40, let octets = Hex.decode(hex) else { return nil }
    self.init(octets)
  }

  public var octets: [UInt8] {
    var octets: [UInt8] = []
    octets.reserveCapacity(20)
    append(to: &octets)
    return octets
  }

  public func append(to output: inout [UInt8]) {
    for shift in stride(from: UInt64(56), through: 0, by: -8) {
      output.append(UInt8(truncatingIfNeeded: first >> shift))
    }
    for shift in stride(from: UInt64(56), through: 0, by: -8) {
      output.append(UInt8(truncatingIfNeeded: second >> shift))
    }
    for shift in stride(from: UInt32(24), through: 0, by: -8) {
      output.append(UInt8(truncatingIfNeeded: third >> shift))
    }
  }
}

extension Octets20: Hashable {
  public static func == (one: Octets20, other: Octets20) -> Bool {
    one.first == other.first && one.second == other.second && one.third == other.third
  }

  public func hash(into hasher: inout Hasher) {
    hasher.combine(first)
    hasher.combine(second)
    hasher.combine(third)
  }
}

extension Octets20: CustomStringConvertible {
  /// Forty hexadecimal digits in lower case.
  public var description: String { Hex.encode(octets) }
}

extension Octets20: Comparable {
  public static func < (one: Octets20, other: Octets20) -> Bool {
    (one.first, one.second, one.third) < (other.first, other.second, other.third)
  }
}

public enum InfoDictionary {}
public enum Peer {}

/// A torrent's name: the SHA-1 of its info dictionary as it stands (BEP 3).
public typealias InfoHash = Octets20<InfoDictionary>
/// What a peer calls itself (BEP 3, BEP 20).
public typealias PeerID = Octets20<Peer>

extension Octets20 {
  /// The first eight octets as a number: hashes are as good as random.
  public var prefix: UInt64 { first }
}
