import Octets
import Testing

@testable import Utopia

@Suite struct LaunchTests {
  private func arguments(_ host: String, _ placement: Placement = .loopback(0), supervised: Bool = true) throws
    -> [String]
  {
    let world = try World(DefaultWorld.yaml, file: "the default world", at: placement)
    let host = try #require(world.host(named: host))
    return world.launch(host, data: "d/\(host.name)", token: "d/admin-token", supervised: supervised).arguments
  }

  @Test func aNameServerListensOnEachOfItsAddresses() throws {
    #expect(
      try arguments("hosting") == [
        "--listen", "127.0.0.1:8054", "--data", "d/hosting", "--lab", "--loops", "1", "--admin-token-file",
        "d/admin-token", "--allow-egress", "127.0.0.0/16", "--exit-with-parent", "--dns", "127.0.11.1:5300", "--dns",
        "127.0.11.2:5300",
      ])
  }

  @Test func theResolverKnowsTheRootsAndItsClients() throws {
    let line = try arguments("resolver", .loopback(7)).joined(separator: " ")
    #expect(line.contains("--dns 127.7.12.1:5300 --allow 127.7.0.0/16 --allow 127.0.0.1 --root-hint 127.7.9.1 "))
    #expect(line.hasSuffix("--root-hint 127.7.9.13 --dns-port 5300"))
  }

  @Test func theRegistrarKnowsEveryTopLevelServer() throws {
    let line = try arguments("registrar").joined(separator: " ")
    #expect(line.contains("--tld com=http://127.0.0.1:8051 "))
    #expect(line.contains("--tld fr=http://127.0.0.1:8053 "))
    #expect(line.hasSuffix("--tld jp=http://127.0.0.1:8053"))
  }

  @Test func aMailHostRelaysByTheWorldsResolverAndPort() throws {
    let line = try arguments("mail.crepes.fr", .loopback(7)).joined(separator: " ")
    #expect(
      line.hasSuffix(
        "--hostname mail.crepes.fr --smtp 127.7.20.2:2525 --domain crepes.fr --submission 127.7.20.2:2587 --pop3 127.7.20.2:2110 --resolver http://127.7.0.1:8055 --relay-port 2525"
      ))
  }

  @Test func theCatchHostRelaysNothing() throws {
    let line = try arguments("catch").joined(separator: " ")
    #expect(line.hasSuffix("--hostname mail.example.com --smtp 127.0.20.3:2525 --catch"))
  }

  @Test func aTrackerAndAPeerListenAtTheirAddresses() throws {
    let tracker = try arguments("tracker", .loopback(7)).joined(separator: " ")
    #expect(tracker.hasSuffix("--http 127.7.30.1:6969 --udp 127.7.30.1:6969 --interval 60"))
    let peer = try arguments("peer2", .loopback(7)).joined(separator: " ")
    #expect(peer.hasSuffix("--bittorrent 127.7.30.12:6881"))
  }

  @Test func aContainerOutlivesItsStandardInput() throws {
    let line = try arguments("catch", .containers(Network(10, 77)), supervised: false).joined(separator: " ")
    #expect(line.hasPrefix("--listen 10.77.20.3:8027 "))
    #expect(line.hasSuffix("--smtp 10.77.20.3:25 --insecure-passwords --catch"))
    #expect(line.contains("--allow-host localhost --allow-host 127.0.0.1 "))
    #expect(!line.contains("--exit-with-parent"))
  }

  @Test func doorsOnAnyAddressAreReachedByLoopback() throws {
    let world = try World(DefaultWorld.yaml, file: "", at: .loopback(0, doors: .anyV4))
    let root = try #require(world.host(named: "root"))
    #expect("\(world.door(of: root))" == "0.0.0.0:8050")
    #expect(world.url(of: root) == "http://127.0.0.1:8050")
  }
}

@Suite struct TableTests {
  @Test func columnsAreAsWideAsTheirWidestCell() {
    var table = Table(["HOST", "REST"])
    table.add("a", "http://127.0.0.1:1")
    table.add("long-name", "")
    #expect(table.text == "HOST       REST\na          http://127.0.0.1:1\nlong-name\n")
  }

  @Test func everyHostHasItsRow() throws {
    let lines = try World(DefaultWorld.yaml, file: "", at: .loopback(0)).table.split(separator: "\n")
    #expect(lines.count == 16)
    #expect(lines[1].hasPrefix("root "))
    #expect(lines[1].contains("DNS 127.0.9.1-13:5300"))
    #expect(lines[1].hasSuffix("http://127.0.0.1:8050"))
  }
}
