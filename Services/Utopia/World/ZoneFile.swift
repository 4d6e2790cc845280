import Octets

extension Zone {
  /// A zone of a world file: its whole master file as text, or its servers and records, to which SOA, NS and the servers'
  /// addresses are then added.
  /// - Parameter addresses: of the host that serves it: those of the servers, in their order, unless they say their own.
  init(_ name: String, _ reader: YAMLReader, at addresses: [IPAddress]) throws(WorldFileError) {
    self.name = name.hasSuffix(".") ? name : name + "."
    servers = []
    guard reader.isMapping else {
      text = try reader.text()
      return
    }
    try reader.finish("servers", "ttl", "records")
    let ttl: UInt32 = try reader.optional("ttl")?.number(in: 0...2_147_483_647) ?? 3600
    let list = try reader.required("servers")
    let named = try Zone.servers(list, at: addresses)
    guard let first = named.first else { throw list.error("a zone needs a name server") }
    var lines = [
      "$TTL \(ttl)",
      // What does not exist may be asked for again after a minute: a lesson should not wait an hour.
      "@ SOA \(first.name) hostmaster 1 3600 900 604800 \(min(ttl, 60))",
    ]
    for server in named {
      lines.append("@ NS \(server.name)")
      let absolute = Zone.absolute(server.name, in: self.name)
      servers.append(Registry.Nameserver(name: String(absolute.dropLast()), address: server.address))
      if absolute.hasSuffix("." + self.name) || self.name == "." {
        lines.append("\(server.name) A \(server.address)")
      }
    }
    text = lines.joined(separator: "\n") + "\n" + (try reader.optional("records")?.text() ?? "")
  }

  /// `[dns1, dns2]`, whose addresses are the host's in their order, or `{ dns1: 127.0.11.2 }`.
  private static func servers(
    _ reader: YAMLReader, at addresses: [IPAddress]
  ) throws(WorldFileError) -> [Registry.Nameserver] {
    var servers: [Registry.Nameserver] = []
    if reader.isMapping {
      for (name, address) in try reader.entries() {
        guard let address = IPAddress(try address.text()) else { throw address.error("an address was expected") }
        servers.append(Registry.Nameserver(name: name, address: address))
      }
      return servers
    }
    let names = try reader.texts()
    guard names.count <= addresses.count else {
      throw reader.error("\(names.count) name servers, but the host has \(addresses.count) addresses")
    }
    for (name, address) in zip(names, addresses) {
      servers.append(Registry.Nameserver(name: name, address: address))
    }
    return servers
  }

  private static func absolute(_ name: String, in zone: String) -> String {
    if name.hasSuffix(".") { return name }
    return zone == "." ? name + "." : "\(name).\(zone)"
  }
}
