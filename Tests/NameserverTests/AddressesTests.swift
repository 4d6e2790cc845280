import DNSWire
import Testing

@testable import Nameserver

/// The additional section: RFC 1034 §4.3.2 steps 3.b and 6, RFC 9471.
struct AddressesTests {
  static let zones = [
    (
      "com",
      """
      @ NS a.nic.net.
      shop NS ns.shop
      shop NS ns.hoster.net.
      ns.shop A 192.0.2.1
      both NS ns.hoster.net.
      both NS www.hoster.net.
      own NS ns.own
      lost NS nowhere.test.
      @ MX 10 mail.example.org.
      """
    ),
    ("own.com", "@ NS ns\nns A 192.0.2.2\n"),
    ("net", "hoster NS ns.hoster\nns.hoster A 192.0.2.3\nns.hoster AAAA 2001:db8::3\nwww.hoster TXT occluded\n"),
    (
      "example.org",
      """
      mail A 192.0.2.4
      @ MX 10 mail
      @ MX 20 mail
      @ MX 30 ns.hoster.net.
      two SRV 0 0 1 mail
      two SRV 0 0 2 mail
      wild MX 10 any.hosts
      *.hosts A 192.0.2.5
      far MX 10 a.away.example.net.
      none SRV 0 0 0 .
      """
    ),
    ("example.net", "*.away A 192.0.2.6\n"),
  ]

  @Test(arguments: [
    // Sibling glue from the zone that has it, beside the delegation's own.
    (
      "www.shop.com", RecordType.a,
      "ns.hoster.net. A 192.0.2.3, ns.hoster.net. AAAA 2001:db8::3, ns.shop.com. A 192.0.2.1"
    ),
    ("www.both.com", .a, "ns.hoster.net. A 192.0.2.3, ns.hoster.net. AAAA 2001:db8::3"),
    ("www.lost.com", .a, ""),
    // A host named twice has its addresses once; glue is for name servers only.
    ("example.org", .mx, "mail.example.org. A 192.0.2.4"),
    ("two.example.org", .srv, "mail.example.org. A 192.0.2.4"),
    // The host of another zone, with authority; by a wildcard here and there.
    ("com", .mx, "mail.example.org. A 192.0.2.4"),
    ("wild.example.org", .mx, "any.hosts.example.org. A 192.0.2.5"),
    ("far.example.org", .mx, "a.away.example.net. A 192.0.2.6"),
    ("none.example.org", .srv, ""),
  ])
  func addressesComeFromWhateverZoneHasThem(name: String, type: RecordType, expected: String) throws {
    var server = try TestServer(AddressesTests.zones)
    let additionals = try server.ask(name, type).sortedSummary.split(separator: "|", omittingEmptySubsequences: false)[
      3]
    #expect(additionals.drop { $0 == " " } == expected)
  }

  /// The parent's own glue is missing, and the child is served here too.
  @Test func glueOfAChildZoneServedHereIsFound() throws {
    var server = try TestServer(AddressesTests.zones)
    #expect(
      try server.ask("own.com", .ds).summary == "NOERROR aa |  | com. SOA 300 | ", "the parent's side")
    var parent = try TestServer([AddressesTests.zones[0], ("ns.own.com", "@ A 192.0.2.2\n")])
    #expect(
      try parent.ask("www.own.com").summary
        == "NOERROR |  | own.com. NS ns.own.com. | ns.own.com. A 192.0.2.2")
  }

  @Test func moreServersThanUsualAllHaveTheirGlue() throws {
    let text = (0..<200).map { "sub NS n\($0).sub\nn\($0).sub A 192.0.2.\($0)\n" }.joined()
    var server = try TestServer([("example", text)])
    let whole = try server.ask("www.sub.example", over: .tcp)
    #expect(!whole.header.isTruncated && whole.authorities.count == 200 && whole.additionals.count == 200)
  }
}
