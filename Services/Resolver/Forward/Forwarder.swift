import DNSWire
import Octets

/// One zone whose questions go to recursive servers.
struct Forwarder: Sendable {
  var zone: Name
  var servers: [SocketAddress]
}

/// `ZONE=ADDRESS` or `ZONE=ADDRESS:PORT`; an IPv6 address with a port stands in brackets.
struct ForwardRule: Hashable, Sendable {
  var zone: Name
  var address: IPAddress
  /// Nil where it isn't said: the world's DNS port.
  var port: UInt16?

  init?(_ text: String) {
    let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.count == 2, let zone = Name(parts[0]) else { return nil }
    self.zone = zone
    if let address = IPAddress(parts[1]) {
      self.address = address
    } else if let address = SocketAddress(parts[1]) {
      self.address = address.ip
      port = address.port
    } else {
      return nil
    }
  }

  /// One forwarder a zone, its servers in the order given.
  static func forwarders(_ rules: [ForwardRule], port: UInt16) -> [Forwarder] {
    var forwarders: [Forwarder] = []
    for rule in rules {
      let server = SocketAddress(ip: rule.address, port: rule.port ?? port)
      if let index = forwarders.firstIndex(where: { $0.zone == rule.zone }) {
        forwarders[index].servers.append(server)
      } else {
        forwarders.append(Forwarder(zone: rule.zone, servers: [server]))
      }
    }
    return forwarders
  }
}
