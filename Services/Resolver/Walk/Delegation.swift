import DNSWire
import Octets

/// A zone and whom to ask about it.
struct Delegation {
  /// Where it is known from.
  enum Origin: String {
    /// `--forward`: the servers are recursive and are asked with RD.
    case forwarder = "forwarder"
    case cached = "cache"
    case hints = "root hints"
    case referral = "referral"
  }

  struct Server {
    /// Nil for root hints and forwarders, which are known by address alone.
    var name: Name?
    var addresses: [SocketAddress]
    /// The address types that were looked up, or are of no use to look up, for want of an address.
    var lookedUp: Set<RecordType> = []
  }

  /// A set of either may hold thousands of records, and each choice of a server looks at all.
  static let mostServers = 20
  static let mostAddresses = 16

  var zone: Name
  var servers: [Server]
  var origin: Origin
  /// Names of servers without address looked up so far.
  var lookUps = 0

  var addresses: [SocketAddress] {
    var seen: Set<SocketAddress> = []
    return servers.flatMap(\.addresses).filter { seen.insert($0).inserted }
  }

  func name(of address: SocketAddress) -> Name? {
    servers.first { $0.addresses.contains(address) }?.name
  }
}
