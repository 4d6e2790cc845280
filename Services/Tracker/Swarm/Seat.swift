import Octets
import TorrentWire

/// What others are told of a member, and what it is found by: 8 octets by IPv4, 20 by IPv6. So a choice among many reads little memory.
struct Seat<Address: PackedAddress>: Sendable {
  let address: Address
  let port: UInt16
  /// Mark of the client, stretch, and whether it has completed the torrent.
  private let rest: UInt16

  private static var stretchBits: UInt16 { 4 }

  /// Nobody is at port 0.
  static var free: Seat { Seat(address: .none, port: 0, rest: 0) }

  var isFree: Bool { port == 0 }
  var mark: UInt16 { rest >> (Seat.stretchBits + 1) }
  var stretch: Int { Int(rest >> 1 & (1 << Seat.stretchBits - 1)) }
  var hasCompleted: Bool { rest & 1 == 1 }
  var socketAddress: SocketAddress { SocketAddress(ip: address.ip, port: port) }

  private init(address: Address, port: UInt16, rest: UInt16) {
    self.address = address
    self.port = port
    self.rest = rest
  }

  init(_ member: Member) {
    self.init(
      address: Address(member.address.ip), port: member.address.port,
      rest: member.client.mark << (Seat.stretchBits + 1) | UInt16(min(member.stretch, Member.longestStretch)) << 1
        | (member.hasCompleted ? 1 : 0))
  }
}

/// The rest of what is kept of every member, in 24 octets: its id, and until when.
struct Record: Sendable {
  let id: PeerID
  /// Seconds of the world's clock, until 2106.
  let expires: UInt32

  static let none = Record(id: .zero, expires: 0)
}

extension Record {
  init(_ member: Member) { self.init(id: member.client.id, expires: UInt32(clamping: member.expires)) }
}
