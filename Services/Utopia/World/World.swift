import Octets

/// A world: hosts with addresses, the service on each, and what is to be seeded. Addresses are final: the file's own
/// network has already been replaced by the placement's.
struct World: Equatable, Sendable {
  var name: String
  var placement: Placement
  var ports: Ports
  /// In the order in which they are started; they are stopped in the reverse order.
  var hosts: [Host]

  func host(named name: String) -> Host? { hosts.first { $0.name == name } }

  /// The host that mail servers ask for addresses, where the world has one.
  var resolver: Host? {
    hosts.first { if case .resolver = $0.role { true } else { false } }
  }

  /// The host that tells peers of each other, where the world has one.
  var tracker: Host? {
    hosts.first { if case .tracker = $0.role { true } else { false } }
  }

  /// The first peer that shares something, where the world has one.
  var sharer: Host? {
    hosts.first { if case .peer(let peer) = $0.role { !peer.shares.isEmpty } else { false } }
  }

  /// The host where domains are registered, where the world has one.
  var registrar: Host? {
    hosts.first { if case .registrar = $0.role { true } else { false } }
  }

  /// The address that a host's REST interface binds.
  func door(of host: Host) -> SocketAddress {
    SocketAddress(ip: placement.doors ?? host.address, port: host.rest)
  }

  /// The host's REST interface as a client on this machine reaches it: `http://127.0.0.1:8050`.
  func url(of host: Host) -> String {
    let door = door(of: host)
    let reachable = door.ip.isUnspecified ? SocketAddress(ip: .loopbackV4, port: door.port) : door
    return "http://\(reachable)"
  }
}

/// The ports of the wire protocols, the same on every host of a world: neither a delegation nor an MX names a port.
struct Ports: Equatable, Sendable {
  var dns: UInt16
  var smtp: UInt16
  var submission: UInt16
  var pop3: UInt16
  /// Announces by HTTP and UDP.
  var tracker: UInt16 = 6969
  var bittorrent: UInt16 = 6881

  /// As registered with IANA; BitTorrent's are what its clients take by themselves.
  static let registered = Ports(dns: 53, smtp: 25, submission: 587, pop3: 110)
}

/// One host and its one service.
struct Host: Equatable, Sendable {
  var name: String
  /// A few words for the table.
  var about: String
  /// At least one.
  var addresses: [IPAddress]
  /// The port of the REST interface.
  var rest: UInt16
  var role: Role

  /// The first address.
  var address: IPAddress { addresses.first ?? .loopbackV4 }

  /// The name of the executable, which stands beside the launcher's.
  var executable: String {
    switch role {
    case .nameserver: "utopia-nameserver"
    case .resolver: "utopia-resolver"
    case .registrar: "utopia-registrar"
    case .mail: "utopia-mail"
    case .tracker: "utopia-tracker"
    case .peer: "utopia-peer"
    }
  }
}

/// What a host does, and its part of the seed.
enum Role: Equatable, Sendable {
  case nameserver(zones: [Zone])
  /// `hints` are the addresses of the root servers.
  case resolver(hints: [IPAddress])
  case registrar(Registry)
  case mail(MailHost)
  case tracker
  case peer(PeerHost)
}

/// A BitTorrent peer.
struct PeerHost: Equatable, Sendable {
  /// A file that it makes up and shares.
  struct Share: Equatable, Sendable {
    var name: String
    var size: DataSize
  }

  /// The name of the host whose tracker its torrents are announced to; nil for none.
  var tracker: String?
  var shares: [Share]
}

/// A zone and its records as master file text (RFC 1035 §5), relative to the zone's name.
struct Zone: Equatable, Sendable {
  /// Absolute, with the final dot.
  var name: String
  var text: String
  /// Its name servers, where the world file names them apart from the text.
  var servers: [Registry.Nameserver] = []
}

/// A registrar's top-level domains and what is registered there.
struct Registry: Equatable, Sendable {
  /// A top-level domain and the name of the host that serves it.
  struct TopLevel: Equatable, Sendable {
    var name: String
    var host: String
  }

  struct Registrant: Equatable, Sendable {
    var name: String
    var email: String
  }

  struct Domain: Equatable, Sendable {
    var name: String
    var registrant: String
    var years: Int
    var nameservers: [Nameserver]
  }

  struct Nameserver: Equatable, Sendable {
    var name: String
    var address: IPAddress
  }

  var topLevels: [TopLevel]
  var registrants: [Registrant]
  var domains: [Domain]
}

/// A mail server.
struct MailHost: Equatable, Sendable {
  struct Mailbox: Equatable, Sendable {
    var address: String
    var password: String
  }

  /// The name in its greeting.
  var hostname: String
  /// The domain of a bare user name; nil for a host that catches all.
  var domain: String?
  var mailboxes: [Mailbox]
  /// Accepts any letter and relays none.
  var catches: Bool
}
