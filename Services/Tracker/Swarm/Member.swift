import Octets
import TorrentWire

/// A peer of a torrent as the tracker knows it: at one address and port, whatever it calls itself. It holds no object, since a choice
/// copies as many as it brings.
struct Member: Sendable, Equatable {
  let address: SocketAddress
  let scope: Scope
  var id: PeerID
  /// The same at the other addresses of the same client; nil where it gave no key.
  var identity: Identity?
  var uploaded: UInt64
  var downloaded: UInt64
  /// Octets it lacks; nil where it does not know.
  var left: UInt64?
  /// Whose key it announced with.
  var user: Int64?
  /// When it was heard of last: seconds of the world's clock.
  var seen: Int64
  /// It is forgotten when it was not heard of until then: that depends on the interval it was told.
  var expires: Int64
  /// It was counted among the downloads.
  var hasCompleted = false

  var isSeeder: Bool { left == 0 }

  init(
    at address: SocketAddress, id: PeerID, identity: Identity?, uploaded: UInt64, downloaded: UInt64, left: UInt64?,
    user: Int64? = nil, seen: Int64, expires: Int64
  ) {
    self.address = address
    scope = Scope(address.ip)
    self.id = id
    self.identity = identity
    self.uploaded = uploaded
    self.downloaded = downloaded
    self.left = left
    self.user = user
    self.seen = seen
    self.expires = expires
  }
}

/// A client by its id and key, wherever it comes from (BEP 7): their hash under the secret of this process, which is as good as both.
struct Identity: Hashable, Sendable {
  private let hash: Int

  init(id: PeerID, key: [UInt8]) {
    var hasher = Hasher()
    hasher.combine(id)
    hasher.combine(key)
    hash = hasher.finalize()
  }
}

/// From where an address can be reached. Who is outside is not told of what it can't reach: a machine's own peers are told to that
/// machine alone, those of a private network to private networks.
enum Scope: Int, Sendable, Comparable {
  case machine, network, world

  init(_ address: IPAddress) {
    let address = address.unmapped
    if address.isLoopback {
      self = .machine
    } else {
      self = Scope.networks.contains { $0.contains(address) } ? .network : .world
    }
  }

  /// RFC 1918, RFC 3927, RFC 6598; RFC 4193, RFC 4291 §2.5.6.
  private static let networks = [
    "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "100.64.0.0/10", "fc00::/7", "fe80::/10",
  ].compactMap { IPNetwork($0) }

  static func < (one: Scope, other: Scope) -> Bool { one.rawValue < other.rawValue }
}
