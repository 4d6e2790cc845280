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

/// A member as a roster keeps it: 32 octets by IPv4, 44 by IPv6. Whether it is a seeder its roster says.
struct Entry<Address: PackedAddress>: Sendable {
  let address: Address
  private let id: PeerID
  /// Seconds of the world's clock, until 2106.
  let expires: UInt32
  let port: UInt16
  /// Mark of the client, stretch, and whether it has completed the torrent.
  private let rest: UInt16

  private static var stretchBits: UInt16 { 4 }

  /// A place with nobody in it. Nobody is at port 0.
  static var free: Entry {
    Entry(
      Member(
        address: SocketAddress(ip: Address.none.ip, port: 0), client: Client(id: PeerID.zero, mark: 0), isSeeder: false,
        expires: 0))
  }

  var isFree: Bool { port == 0 }
  var mark: UInt16 { rest >> (Entry.stretchBits + 1) }
  var client: Client { Client(id: id, mark: mark) }
  var socketAddress: SocketAddress { SocketAddress(ip: address.ip, port: port) }

  init(_ member: Member) {
    address = Address(member.address.ip)
    port = member.address.port
    id = member.client.id
    expires = UInt32(clamping: member.expires)
    rest =
      member.client.mark << (Entry.stretchBits + 1) | UInt16(min(member.stretch, Member.longestStretch)) << 1
      | (member.hasCompleted ? 1 : 0)
  }

  func tell(withID: Bool, to list: inout PeerList) {
    if withID { list.append(socketAddress, id: id) } else { address.tell(port, to: &list) }
  }

  func member(isSeeder: Bool, _ progress: Progress?) -> Member {
    Member(
      address: socketAddress, client: client, isSeeder: isSeeder, progress: progress,
      stretch: Int(rest >> 1 & (1 << Entry.stretchBits - 1)), expires: Int64(expires), hasCompleted: rest & 1 == 1)
  }
}
