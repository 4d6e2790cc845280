import Octets
import TorrentWire

/// An address in as few octets as it has.
protocol PackedAddress: Hashable, Sendable {
  init(_ address: IPAddress)
  var ip: IPAddress { get }
  /// Two words that tell it from all others.
  var words: (UInt64, UInt64) { get }
  static var none: Self { get }
  func tell(_ port: UInt16, to list: inout PeerList)
}

struct PackedV4: PackedAddress {
  let number: UInt32

  init(_ address: IPAddress) { number = address.v4 ?? 0 }
  var ip: IPAddress { IPAddress(v4: number) }
  var words: (UInt64, UInt64) { (0, UInt64(number)) }
  static let none = PackedV4(.anyV4)
  func tell(_ port: UInt16, to list: inout PeerList) { list.append(v4: number, port: port) }
}

struct PackedV6: PackedAddress {
  /// Words of four octets, so that in a list they lie without gaps.
  private let a, b, c, d: UInt32

  init(_ address: IPAddress) {
    let (high, low) = address.v6 ?? (0, 0)
    (a, b) = (UInt32(truncatingIfNeeded: high >> 32), UInt32(truncatingIfNeeded: high))
    (c, d) = (UInt32(truncatingIfNeeded: low >> 32), UInt32(truncatingIfNeeded: low))
  }

  var words: (UInt64, UInt64) { (UInt64(a) << 32 | UInt64(b), UInt64(c) << 32 | UInt64(d)) }
  var ip: IPAddress { IPAddress(v6: words.0, words.1) }
  static let none = PackedV6(.anyV6)
  func tell(_ port: UInt16, to list: inout PeerList) { list.append(v6: words.0, words.1, port: port) }
}
