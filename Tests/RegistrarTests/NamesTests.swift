import Octets
import ServiceKit
import Testing

@testable import Registrar

@Suite struct NamesTests {
  @Test(arguments: [
    ("NetworkUtopia.COM", "networkutopia.com"), ("a.b.", "a.b"), ("xn--bcher-kva.fr", "xn--bcher-kva.fr"),
    ("3com.com", "3com.com"),
    ("ab-c-d.org", "ab-c-d.org"),
  ])
  func aHostNameIsReadWithoutRegardToCase(text: String, name: String) {
    #expect(DomainName(text)?.text == name)
  }

  @Test(arguments: [
    "", ".", "a..b", ".a", "-a.com", "a-.com", "ab--c.com", "a_b.com", "a b.com", "bücher.fr", "127.0.0.1", "a.b\u{0}",
    String(repeating: "a", count: 64) + ".com", Array(repeating: "abcdefg", count: 32).joined(separator: "."),
    "a.com..",
  ])
  func whatIsNoHostNameIsNotRead(text: String) {
    #expect(DomainName(text) == nil)
  }

  @Test func aNameBelongsToTheTopLevelDomainRightAboveIt() throws {
    let com = try #require(DomainName("com"))
    let domains = TopLevelDomains([com: "http://127.0.0.1:1"])
    #expect(try domains.owner(of: try #require(DomainName("a.com"))) == com)
    for text in ["com", "a.b.com", "a.net", "acom"] {
      let name = try #require(DomainName(text))
      #expect(throws: RuleError.self) { try domains.owner(of: name) }
    }
  }

  @Test func aTermEndsOnTheSameDayOfItsLastYear() throws {
    let start = try #require(WorldTime(rfc3339: "2026-11-23T10:11:12Z"))
    #expect(Term.end(of: start, years: 2)?.rfc3339 == "2028-11-23T10:11:12Z")
    let leap = try #require(WorldTime(rfc3339: "2028-02-29T00:00:00Z"))
    #expect(Term.end(of: leap, years: 1)?.rfc3339 == "2029-02-28T00:00:00Z")
    #expect(Term.end(of: leap, years: 4)?.rfc3339 == "2032-02-29T00:00:00Z")
  }
}

@Suite struct DelegationTests {
  private func server(_ name: String, _ addresses: String...) throws -> NameServer {
    NameServer(name: try #require(DomainName(name)), addresses: addresses.compactMap { IPAddress($0) })
  }

  @Test func glueIsWrittenForNameServersWithinTheDomainOnly() throws {
    let domain = try #require(DomainName("networkutopia.com"))
    let servers = [
      try server("dns1.networkutopia.com", "212.212.212.1", "2001:db8::1"), try server("ns.example.net"),
      try server("ns.othernetworkutopia.com"),
    ]
    try Delegation.check(servers, of: domain)
    let sets = Delegation.recordSets(servers, of: domain)
    #expect(
      sets.map { "\($0.key.name) \($0.key.type)" } == [
        "networkutopia.com NS", "dns1.networkutopia.com A", "dns1.networkutopia.com AAAA",
      ])
    #expect(sets[0].contents == ["dns1.networkutopia.com.", "ns.example.net.", "ns.othernetworkutopia.com."])
    #expect(sets[1].contents == ["212.212.212.1"])
    #expect(sets[2].contents == ["2001:db8::1"])
  }

  @Test func aNameServerWithinNeedsAnAddressAndOneOutsideMayHaveNone() throws {
    let domain = try #require(DomainName("a.com"))
    let wrong: [([NameServer], String)] = [
      ([], "name_servers"), ([try server("ns.a.com")], "name_servers[0].addresses"),
      ([try server("a.com")], "name_servers[0].addresses"),
      ([try server("ns.b.com"), try server("ns.c.com", "127.0.0.1")], "name_servers[1].addresses"),
      ([try server("ns.b.com"), try server("ns.b.com")], "name_servers[1].name"),
      ([try server("ns.a.com", "127.0.0.1", "127.0.0.1")], "name_servers[0].addresses"),
      ([try server("ns.a.com", "0.0.0.0")], "name_servers[0].addresses"),
      (try (0..<14).map { try server("ns\($0).b.com") }, "name_servers"),
    ]
    for (servers, field) in wrong {
      let error = #expect(throws: RuleError.self) { try Delegation.check(servers, of: domain) }
      #expect(error?.field == field)
    }
  }

  @Test func whatIsWrittenIsReadBack() throws {
    let servers = [try server("ns.a.com", "127.0.0.1", "::1"), try server("ns.b.net")]
    #expect(DelegationText.nameServers(DelegationText.write(servers)) == servers)
    let keys = Set(Delegation.recordSets(servers, of: try #require(DomainName("a.com"))).map(\.key))
    #expect(DelegationText.keys(DelegationText.write(keys)) == keys)
    #expect(DelegationText.keys("") == [])
  }
}
