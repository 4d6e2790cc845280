import Octets

extension World {
  /// Reads a world file and puts the world in its place.
  init(_ text: String, file: String, at placement: Placement) throws(WorldFileError) {
    let own = try YAMLReader(text, file: file).required("network")
    guard let network = Network(try own.text()) else {
      throw own.error("the first two numbers of the world's addresses were expected, such as 127.0")
    }
    let moved = replacingAddresses(in: text) { placement.network.move($0, from: network) }
    try self.init(YAMLReader(moved, file: file), at: placement)
    if placement.containers { joinAddresses() }
  }

  private init(_ root: YAMLReader, at placement: Placement) throws(WorldFileError) {
    try root.finish("name", "network", "ports", "hosts")
    name = try root.optional("name")?.text() ?? "a world"
    self.placement = placement
    let ports = try Ports(root.required("ports"))
    self.ports = placement.containers ? .registered : ports
    hosts = []
    let entries = try root.required("hosts").entries()
    for (name, value) in entries {
      let host = try Host(name, value)
      if let other = hosts.first(where: { $0.rest == host.rest }) {
        throw value.error("REST port \(host.rest) belongs to \(other.name)")
      }
      if let other = hosts.first(where: { !Set($0.addresses).isDisjoint(with: host.addresses) }) {
        throw value.error("an address of this host belongs to \(other.name)")
      }
      hosts.append(host)
    }
    try link(entries)
  }

  /// Follows the names by which one host refers to another.
  private mutating func link(_ entries: [(key: String, value: YAMLReader)]) throws(WorldFileError) {
    for (index, entry) in entries.enumerated() {
      switch hosts[index].role {
      case .resolver:
        let hints = try entry.value.required("hints")
        guard let root = host(named: try hints.text()) else { throw hints.error("no host has this name") }
        hosts[index].role = .resolver(hints: root.addresses)
      case .registrar(var registry):
        try delegate(&registry, entry.value)
        hosts[index].role = .registrar(registry)
        for top in registry.topLevels where host(named: top.host) == nil {
          throw try entry.value.required("tlds").error("\(top.name): no host is named \(top.host)")
        }
        for domain in registry.domains where !registry.registrants.contains(where: { $0.name == domain.registrant }) {
          throw try entry.value.required("domains").error("\(domain.name): no registrant is named \(domain.registrant)")
        }
      case .peer(let peer):
        guard let name = peer.tracker else { continue }
        guard case .tracker = host(named: name)?.role else {
          throw try entry.value.required("tracker").error("no tracker has this name")
        }
      case .nameserver, .mail, .tracker: break
      }
    }
  }

  /// A domain without name servers of its own has those of its zone.
  private func delegate(_ registry: inout Registry, _ reader: YAMLReader) throws(WorldFileError) {
    let zones = hosts.flatMap { host -> [Zone] in
      if case .nameserver(let zones) = host.role { zones } else { [] }
    }
    for index in registry.domains.indices where registry.domains[index].nameservers.isEmpty {
      let name = registry.domains[index].name
      guard let servers = zones.first(where: { $0.name == name + "." })?.servers, !servers.isEmpty else {
        throw try reader.required("domains").error("\(name): no zone of this name names its servers; give nameservers")
      }
      registry.domains[index].nameservers = servers
    }
  }

  /// A container has one address: what the world says of a host's other addresses is said of its first.
  private mutating func joinAddresses() {
    var joined: [IPAddress: IPAddress] = [:]
    for index in hosts.indices {
      for address in hosts[index].addresses { joined[address] = hosts[index].address }
      hosts[index].addresses = [hosts[index].address]
    }
    for index in hosts.indices {
      switch hosts[index].role {
      case .nameserver(let zones):
        hosts[index].role = .nameserver(
          zones: zones.map { zone in
            var zone = zone
            zone.text = replacingAddresses(in: zone.text) { joined[$0] ?? $0 }
            return zone
          })
      case .resolver(let hints):
        var unique: [IPAddress] = []
        for hint in hints.map({ joined[$0] ?? $0 }) where !unique.contains(hint) { unique.append(hint) }
        hosts[index].role = .resolver(hints: unique)
      case .registrar(var registry):
        for domain in registry.domains.indices {
          for server in registry.domains[domain].nameservers.indices {
            let address = registry.domains[domain].nameservers[server].address
            registry.domains[domain].nameservers[server].address = joined[address] ?? address
          }
        }
        hosts[index].role = .registrar(registry)
      case .mail, .tracker, .peer: break
      }
    }
  }
}

extension Ports {
  fileprivate init(_ reader: YAMLReader) throws(WorldFileError) {
    try reader.finish("dns", "smtp", "submission", "pop3", "tracker", "bittorrent")
    dns = try reader.required("dns").number(in: 1...65535)
    smtp = try reader.required("smtp").number(in: 1...65535)
    submission = try reader.required("submission").number(in: 1...65535)
    pop3 = try reader.required("pop3").number(in: 1...65535)
    // They came later: a world file of before has none.
    tracker = try reader.optional("tracker")?.number(in: 1...65535) ?? tracker
    bittorrent = try reader.optional("bittorrent")?.number(in: 1...65535) ?? bittorrent
  }
}

extension Host {
  fileprivate init(_ name: String, _ reader: YAMLReader) throws(WorldFileError) {
    guard !name.isEmpty, name.utf8.allSatisfy({ $0.belongsToFileName }), name.utf8.first != UInt8(ascii: ".") else {
      throw reader.error("a host's name is made of letters, digits, hyphens and dots")
    }
    self.name = name
    about = try reader.optional("about")?.text() ?? name
    rest = try reader.required("rest").number(in: 1...65535)
    addresses = []
    let list = try reader.required("addresses")
    for text in try list.texts() {
      guard let range = addressRange(text) else {
        throw list.error("\(text): an address or a range such as 127.0.9.1-13 was expected")
      }
      addresses += range
    }
    if addresses.isEmpty { throw list.error("a host needs an address") }
    let service = try reader.required("service")
    switch try service.text() {
    case "nameserver":
      try reader.finish("about", "service", "addresses", "rest", "zones")
      var zones: [Zone] = []
      for (name, zone) in try reader.optional("zones")?.entries() ?? [] {
        zones.append(try Zone(name, zone, at: addresses))
      }
      role = .nameserver(zones: zones)
    case "resolver":
      try reader.finish("about", "service", "addresses", "rest", "hints")
      role = .resolver(hints: [])
    case "registrar":
      try reader.finish("about", "service", "addresses", "rest", "tlds", "registrants", "domains")
      role = .registrar(try Registry(reader))
    case "mail":
      try reader.finish("about", "service", "addresses", "rest", "hostname", "domain", "mailboxes", "catch")
      role = .mail(try MailHost(name, reader))
    case "tracker":
      try reader.finish("about", "service", "addresses", "rest")
      role = .tracker
    case "peer":
      try reader.finish("about", "service", "addresses", "rest", "tracker", "shares")
      role = .peer(try PeerHost(reader))
    default: throw service.error("nameserver, resolver, registrar, mail, tracker or peer was expected")
    }
  }
}

extension Registry {
  fileprivate init(_ reader: YAMLReader) throws(WorldFileError) {
    topLevels = []
    for (name, host) in try reader.required("tlds").entries() {
      topLevels.append(TopLevel(name: name, host: try host.text()))
    }
    registrants = []
    for (name, email) in try reader.optional("registrants")?.entries() ?? [] {
      registrants.append(Registrant(name: name, email: try email.text()))
    }
    domains = []
    for (name, value) in try reader.optional("domains")?.entries() ?? [] {
      guard value.isMapping else {
        domains.append(Domain(name: name, registrant: try value.text(), years: 10, nameservers: []))
        continue
      }
      try value.finish("registrant", "years", "nameservers")
      var nameservers: [Nameserver] = []
      for (server, text) in try value.optional("nameservers")?.entries() ?? [] {
        guard let address = IPAddress(try text.text()) else { throw text.error("an address was expected") }
        nameservers.append(Nameserver(name: server, address: address))
      }
      domains.append(
        Domain(
          name: name, registrant: try value.required("registrant").text(),
          years: try value.optional("years")?.number(in: 1...10) ?? 10, nameservers: nameservers))
    }
  }
}

extension MailHost {
  fileprivate init(_ name: String, _ reader: YAMLReader) throws(WorldFileError) {
    hostname = try reader.optional("hostname")?.text() ?? name
    domain = try reader.optional("domain")?.text()
    catches = try reader.optional("catch")?.flag() ?? false
    if domain == nil, !catches { throw reader.error("`domain` is missing; only a host with `catch: true` has none") }
    mailboxes = []
    for (address, password) in try reader.optional("mailboxes")?.entries() ?? [] {
      guard address.contains("@") else { throw password.error("a mailbox is named by its whole address") }
      mailboxes.append(Mailbox(address: address, password: try password.text()))
    }
  }
}

extension PeerHost {
  fileprivate init(_ reader: YAMLReader) throws(WorldFileError) {
    tracker = try reader.optional("tracker")?.text()
    shares = []
    for (name, value) in try reader.optional("shares")?.entries() ?? [] {
      guard let size = DataSize(argument: try value.text()), size.octets <= 1 << 30 else {
        throw value.error("a size of at most 1GiB was expected, such as 8MiB")
      }
      guard !name.isEmpty, name.utf8.allSatisfy({ $0.belongsToFileName }), name.utf8.first != UInt8(ascii: ".") else {
        throw value.error("a file's name is made of letters, digits, hyphens and dots")
      }
      shares.append(Share(name: name, size: size))
    }
  }
}

/// "127.0.9.1" or "127.0.9.1-13", which counts in the last number.
private func addressRange(_ text: String) -> [IPAddress]? {
  let parts = text.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
  guard let first = parts.first.flatMap({ IPAddress($0) }), first.isV4 else { return nil }
  guard parts.count == 2 else { return [first] }
  let bytes = first.bytes
  guard let last = UInt8(parts[1]), last >= bytes[3] else { return nil }
  return (bytes[3]...last).compactMap { IPAddress(bytes: [bytes[0], bytes[1], bytes[2], $0]) }
}

extension UInt8 {
  fileprivate var belongsToFileName: Bool {
    switch self {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"):
      true
    default: false
    }
  }
}
