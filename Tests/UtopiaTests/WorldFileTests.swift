import Octets
import Testing

@testable import Utopia

private func world(_ text: String, _ placement: Placement = .loopback(0)) throws -> World {
  try World(text, file: "world.yaml", at: placement)
}

private func small(_ hosts: String) -> String {
  """
  network: 127.0
  ports: { dns: 5300, smtp: 2525, submission: 2587, pop3: 2110 }
  hosts:
  \(hosts)
  """
}

@Suite struct WorldFileTests {
  @Test func theDefaultWorldIsTheTableOfTheDesign() throws {
    let world = try world(DefaultWorld.yaml)
    #expect(
      world.hosts.map(\.name) == [
        "root", "tld-generic", "tld-edu", "tld-country", "hosting", "resolver", "registrar", "mail.hamburger.edu",
        "mail.crepes.fr", "catch", "tracker", "peer1", "peer2", "peer3", "peer4",
      ])
    #expect(world.hosts.map { world.url(of: $0) }.last == "http://127.0.0.1:8064")
    let root = try #require(world.host(named: "root"))
    #expect(root.addresses.count == 13)
    #expect(root.addresses.last == IPAddress("127.0.9.13"))
    #expect(world.resolver?.role == .resolver(hints: root.addresses))
    #expect(world.ports == Ports(dns: 5300, smtp: 2525, submission: 2587, pop3: 2110))
    #expect(
      world.host(named: "peer1")?.role
        == .peer(PeerHost(tracker: "tracker", shares: [.init(name: "trailer.bin", size: DataSize(octets: 8 << 20))])))
    let hamburger = try #require(world.host(named: "mail.hamburger.edu"))
    #expect(
      hamburger.role
        == .mail(
          MailHost(
            hostname: "mail.hamburger.edu", domain: "hamburger.edu",
            mailboxes: [.init(address: "bob@hamburger.edu", password: "hungry")], catches: false)))
  }

  @Test func aSharedZoneTextBelongsToEachOfItsZones() throws {
    let generic = try #require(try world(DefaultWorld.yaml).host(named: "tld-generic"))
    guard case .nameserver(let zones) = generic.role else {
      Issue.record("not a name server")
      return
    }
    #expect(zones.map(\.name) == ["com.", "org.", "aero.", "jobs.", "museum.", "net."])
    #expect(zones[0].text == zones[1].text)
  }

  @Test func aZoneMayBeItsServersAndRecords() throws {
    let hosts = """
        a:
          service: nameserver
          addresses: 127.0.9.1-2
          rest: 1
          zones:
            crepes.fr: { servers: [dns1, ns.example.com.], records: "www A 127.0.50.1" }
            kingcdn.com: { ttl: 20, servers: { dns1: 127.0.9.2 } }
            whole.com: "@ SOA x y 1 2 3 4 5"
        b:
          service: registrar
          addresses: 127.0.9.3
          rest: 2
          tlds: { com: a }
          registrants: { alice: alice@crepes.fr }
          domains:
            kingcdn.com: alice
            other.com: { registrant: alice, nameservers: { ns.other.com: 127.0.9.1 } }
      """
    let world = try world(small(hosts))
    guard case .nameserver(let zones) = world.hosts[0].role, case .registrar(let registry) = world.hosts[1].role else {
      Issue.record("not the two hosts")
      return
    }
    #expect(
      zones[0].text == """
        $TTL 3600
        @ SOA dns1 hostmaster 1 3600 900 604800 60
        @ NS dns1
        dns1 A 127.0.9.1
        @ NS ns.example.com.
        www A 127.0.50.1
        """)
    #expect(zones[1].text.hasPrefix("$TTL 20\n@ SOA dns1 hostmaster 1 3600 900 604800 20\n"))
    #expect(zones[2].text == "@ SOA x y 1 2 3 4 5")
    #expect(registry.domains[0].nameservers == zones[1].servers)
    #expect(zones[1].servers.map(\.name) == ["dns1.kingcdn.com"])
    #expect(registry.domains[1].nameservers.map(\.name) == ["ns.other.com"])
  }

  @Test func everyRegisteredDomainHasItsTopLevelAndItsZone() throws {
    let world = try world(DefaultWorld.yaml)
    guard case .registrar(let registry) = world.registrar?.role,
      case .nameserver(let zones) = world.host(named: "hosting")?.role
    else {
      Issue.record("registrar and hosting are missing")
      return
    }
    #expect(registry.domains.count == 11)
    for domain in registry.domains {
      #expect(!domain.nameservers.isEmpty)
      let top = domain.name.split(separator: ".").last.map(String.init)
      #expect(registry.topLevels.contains { $0.name == top })
      let zone = try #require(zones.first { $0.name == domain.name + "." })
      for server in domain.nameservers { #expect(zone.text.contains("\(server.address)")) }
    }
  }

  @Test func worldSevenLivesOnItsOwnNetwork() throws {
    let world = try world(DefaultWorld.yaml, .loopback(7))
    let root = try #require(world.host(named: "root"))
    #expect(root.address == IPAddress("127.7.9.1"))
    #expect(world.url(of: root) == "http://127.7.0.1:8050")
    for host in world.hosts {
      #expect(host.addresses.allSatisfy { world.placement.network.contains($0) })
      if case .nameserver(let zones) = host.role {
        #expect(!zones.contains { $0.text.contains("127.0.") })
      }
    }
  }

  @Test func aContainerHasOneAddressAndTheRegisteredPorts() throws {
    let world = try world(DefaultWorld.yaml, .containers(Network(10, 77)))
    let root = try #require(world.host(named: "root"))
    #expect(root.addresses == [IPAddress("10.77.9.1")])
    #expect(world.url(of: root) == "http://10.77.9.1:8050")
    #expect(world.resolver?.role == .resolver(hints: root.addresses))
    #expect(world.ports == .registered)
    guard case .nameserver(let zones) = root.role else {
      Issue.record("not a name server")
      return
    }
    #expect(zones[0].text.contains("m.root-servers.net. A 10.77.9.1\n"))
  }

  @Test(arguments: [
    ("127.0.9.1", "127.7.9.1"),
    ("a A 127.0.9.1\nb A 127.0.9.13", "a A 127.7.9.1\nb A 127.7.9.13"),
    ("127.0.9.1-13", "127.7.9.1-13"),
    ("{ a: 127.0.9.1, b: [127.0.9.2,127.0.9.3] }", "{ a: 127.7.9.1, b: [127.7.9.2,127.7.9.3] }"),
    ("1.127.0.0.1", "1.127.0.0.1"),
    ("127.0.0.1.example", "127.0.0.1.example"),
    ("x127.0.0.1", "x127.0.0.1"),
    ("127.1.9.1 10.0.0.1", "127.1.9.1 10.0.0.1"),
    ("127.0", "127.0"),
    ("crêpes 127.0.0.2", "crêpes 127.7.0.2"),
    ("", ""),
  ])
  func onlyWholeAddressesOfTheNetworkMove(text: String, expected: String) {
    #expect(replacingAddresses(in: text) { Network(127, 7).move($0, from: Network(127, 0)) } == expected)
  }

  @Test(arguments: [
    (
      "  a: { service: nameserver, addresses: 127.0.9.1, rest: 1, zone: {} }", "world.yaml:4: hosts.a.zone: unknown key"
    ),
    ("  a: { service: teapot, addresses: 127.0.9.1, rest: 1 }", "hosts.a.service: nameserver, resolver"),
    ("  a: { service: nameserver, addresses: 127.0.9, rest: 1 }", "127.0.9: an address or a range"),
    ("  a: { service: nameserver, addresses: 127.0.9.9-8, rest: 1 }", "127.0.9.9-8: an address or a range"),
    ("  a: { service: nameserver, addresses: [], rest: 1 }", "hosts.a.addresses: a host needs an address"),
    ("  a: { service: nameserver, rest: 1 }", "`addresses` is missing"),
    ("  a: { service: nameserver, addresses: 127.0.9.1, rest: 70000 }", "a number from 1 to 65535"),
    ("  a/b: { service: nameserver, addresses: 127.0.9.1, rest: 1 }", "a host's name is made of"),
    ("  a: { service: resolver, addresses: 127.0.9.1, rest: 1, hints: b }", "hosts.a.hints: no host has this name"),
    ("  a: { service: mail, addresses: 127.0.9.1, rest: 1 }", "`domain` is missing"),
    ("  a: [", "not YAML"),
    (
      "  a: { service: nameserver, addresses: 127.0.9.1, rest: 1 }\n  b: { service: nameserver, addresses: 127.0.9.2, rest: 1 }",
      "world.yaml:5: hosts.b: REST port 1 belongs to a"
    ),
    (
      "  a: { service: nameserver, addresses: 127.0.9.1, rest: 1 }\n  b: { service: nameserver, addresses: 127.0.9.1, rest: 2 }",
      "hosts.b: an address of this host belongs to a"
    ),
    (
      "  a: { service: registrar, addresses: 127.0.9.1, rest: 1, tlds: { com: b } }", "com: no host is named b"
    ),
    (
      "  a: { service: nameserver, addresses: 127.0.9.1, rest: 1, zones: { x.com: { servers: [a, b] } } }",
      "hosts.a.zones.x.com.servers: 2 name servers, but the host has 1 addresses"
    ),
    (
      "  a: { service: nameserver, addresses: 127.0.9.1, rest: 1, zones: { x.com: { records: x } } }",
      "hosts.a.zones.x.com: `servers` is missing"
    ),
    (
      "  a: { service: peer, addresses: 127.0.9.1, rest: 1, tracker: b }", "hosts.a.tracker: no tracker has this name"
    ),
    (
      "  a: { service: peer, addresses: 127.0.9.1, rest: 1, shares: { x: many } }",
      "hosts.a.shares.x: a size of at most 1GiB was expected"
    ),
    (
      "  a: { service: peer, addresses: 127.0.9.1, rest: 1, shares: { ../x: 1MiB } }",
      "a file's name is made of letters"
    ),
    (
      "  a: { service: registrar, addresses: 127.0.9.1, rest: 1, tlds: {}, registrants: { b: b@c }, domains: { x.com: b } }",
      "x.com: no zone of this name names its servers"
    ),
  ])
  func aMistakeIsNamedWithItsPlace(hosts: String, expected: String) {
    let error = #expect(throws: WorldFileError.self) { try world(small(hosts)) }
    #expect(error?.description.contains(expected) == true, "\(error?.description ?? "")")
  }
}
