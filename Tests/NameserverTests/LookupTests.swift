import DNSWire
import Testing

@testable import Nameserver

struct LookupTests {
  static let zones = [
    (
      ".",
      """
      . NS a.root.
      a.root. A 198.41.0.4
      com. NS ns1.nic.com.
      com. NS ns.elsewhere.net.
      ns1.nic.com. A 192.5.6.30
      ns1.nic.com. AAAA 2001:503::30
      net. NS ns.elsewhere.net.
      ns.elsewhere.net. A 192.5.6.31
      """
    ),
    (
      "example.org",
      """
      @ NS ns1
      @ NS ns.other.example.
      @ MX 10 mail
      @ MX 20 mx.other.example.
      ns1 A 192.0.2.1
      mail A 192.0.2.2
      mail AAAA 2001:db8::2
      www CNAME host.example.org.
      host A 192.0.2.3
      host A 192.0.2.4
      a.deep.tree TXT "leaf"
      sub NS ns.sub
      sub NS ns2.sib
      ns.sub A 192.0.2.10
      sib NS ns2.sib
      ns2.sib A 192.0.2.11
      out CNAME www.example.com.
      far CNAME x.example.net.
      gone CNAME nothing.example.org.
      intosub CNAME x.sub.example.org.
      loop1 CNAME loop2
      loop2 CNAME loop1
      old DNAME new.example.org.
      old TXT "beside"
      h.new A 192.0.2.20
      swap DNAME example.net.
      _sip._tcp SRV 1 2 5060 host
      """
    ),
    ("example.net", "x A 198.51.100.1\n* A 198.51.100.9\n"),
  ]

  @Test(arguments: [
    // Step 3.a
    (
      "host.example.org", RecordType.a,
      "NOERROR aa | host.example.org. A 192.0.2.3, host.example.org. A 192.0.2.4 |  | "
    ),
    ("HOST.example.ORG", .a, "NOERROR aa | HOST.example.ORG. A 192.0.2.3, HOST.example.ORG. A 192.0.2.4 |  | "),
    (
      "example.org", .mx,
      "NOERROR aa | example.org. MX 10 mail.example.org., example.org. MX 20 mx.other.example. |  | mail.example.org. A 192.0.2.2, mail.example.org. AAAA 2001:db8::2"
    ),
    (
      "example.org", .ns,
      "NOERROR aa | example.org. NS ns.other.example., example.org. NS ns1.example.org. |  | ns1.example.org. A 192.0.2.1"
    ),
    ("example.org", .soa, "NOERROR aa | example.org. SOA 3600 |  | "),
    (
      "_sip._tcp.example.org", .srv,
      "NOERROR aa | _sip._tcp.example.org. SRV 1 2 5060 host.example.org. |  | host.example.org. A 192.0.2.3, host.example.org. A 192.0.2.4"
    ),
    // NODATA and NXDOMAIN, RFC 2308; the empty non-terminal, RFC 8020
    ("host.example.org", .aaaa, "NOERROR aa |  | example.org. SOA 300 | "),
    ("nothing.example.org", .a, "NXDOMAIN aa |  | example.org. SOA 300 | "),
    ("deep.tree.example.org", .txt, "NOERROR aa |  | example.org. SOA 300 | "),
    ("tree.example.org", .any, "NOERROR aa |  | example.org. SOA 300 | "),
    ("x.tree.example.org", .txt, "NXDOMAIN aa |  | example.org. SOA 300 | "),
    ("below.host.example.org", .a, "NXDOMAIN aa |  | example.org. SOA 300 | "),
    // Aliases, within and across zones
    (
      "www.example.org", .a,
      "NOERROR aa | host.example.org. A 192.0.2.3, host.example.org. A 192.0.2.4, www.example.org. CNAME host.example.org. |  | "
    ),
    ("www.example.org", .cname, "NOERROR aa | www.example.org. CNAME host.example.org. |  | "),
    ("www.example.org", .mx, "NOERROR aa | www.example.org. CNAME host.example.org. | example.org. SOA 300 | "),
    (
      "far.example.org", .a,
      "NOERROR aa | far.example.org. CNAME x.example.net., x.example.net. A 198.51.100.1 |  | "
    ),
    (
      "gone.example.org", .a,
      "NXDOMAIN aa | gone.example.org. CNAME nothing.example.org. | example.org. SOA 300 | "
    ),
    (
      "out.example.org", .a,
      "NOERROR aa | out.example.org. CNAME www.example.com. | com. NS ns.elsewhere.net., com. NS ns1.nic.com. | ns.elsewhere.net. A 192.5.6.31, ns1.nic.com. A 192.5.6.30, ns1.nic.com. AAAA 2001:503::30"
    ),
    (
      "intosub.example.org", .a,
      "NOERROR aa | intosub.example.org. CNAME x.sub.example.org. | sub.example.org. NS ns.sub.example.org., sub.example.org. NS ns2.sib.example.org. | ns.sub.example.org. A 192.0.2.10, ns2.sib.example.org. A 192.0.2.11"
    ),
    // Step 3.b: referrals, with glue and sibling glue
    (
      "a.b.sub.example.org", .a,
      "NOERROR |  | sub.example.org. NS ns.sub.example.org., sub.example.org. NS ns2.sib.example.org. | ns.sub.example.org. A 192.0.2.10, ns2.sib.example.org. A 192.0.2.11"
    ),
    (
      "sub.example.org", .ns,
      "NOERROR |  | sub.example.org. NS ns.sub.example.org., sub.example.org. NS ns2.sib.example.org. | ns.sub.example.org. A 192.0.2.10, ns2.sib.example.org. A 192.0.2.11"
    ),
    (
      "ns.sub.example.org", .a,
      "NOERROR |  | sub.example.org. NS ns.sub.example.org., sub.example.org. NS ns2.sib.example.org. | ns.sub.example.org. A 192.0.2.10, ns2.sib.example.org. A 192.0.2.11"
    ),
    ("sub.example.org", .ds, "NOERROR aa |  | example.org. SOA 300 | "),
    ("example.org", .ds, "NXDOMAIN aa |  | . SOA 300 | "),
    // DNAME, RFC 6672
    (
      "h.old.example.org", .a,
      "NOERROR aa | h.new.example.org. A 192.0.2.20, h.old.example.org. CNAME h.new.example.org., old.example.org. DNAME new.example.org. |  | "
    ),
    ("old.example.org", .txt, "NOERROR aa | old.example.org. TXT \"beside\" |  | "),
    ("old.example.org", .dname, "NOERROR aa | old.example.org. DNAME new.example.org. |  | "),
    ("old.example.org", .a, "NOERROR aa |  | example.org. SOA 300 | "),
    (
      "h.old.example.org", .cname,
      "NOERROR aa | h.old.example.org. CNAME h.new.example.org., old.example.org. DNAME new.example.org. |  | "
    ),
    (
      "n.old.example.org", .a,
      "NXDOMAIN aa | n.old.example.org. CNAME n.new.example.org., old.example.org. DNAME new.example.org. | example.org. SOA 300 | "
    ),
    (
      "q.swap.example.org", .a,
      "NOERROR aa | q.example.net. A 198.51.100.9, q.swap.example.org. CNAME q.example.net., swap.example.org. DNAME example.net. |  | "
    ),
    // The root
    (".", .ns, "NOERROR aa | . NS a.root. |  | a.root. A 198.41.0.4"),
    (
      "www.gaia.com", .a,
      "NOERROR |  | com. NS ns.elsewhere.net., com. NS ns1.nic.com. | ns.elsewhere.net. A 192.5.6.31, ns1.nic.com. A 192.5.6.30, ns1.nic.com. AAAA 2001:503::30"
    ),
    ("nosuchtld", .a, "NXDOMAIN aa |  | . SOA 300 | "),
  ])
  func theAlgorithmOfRFC1034IsFollowed(name: String, type: RecordType, expected: String) throws {
    var server = try TestServer(LookupTests.zones)
    #expect(try server.ask(name, type).sortedSummary == expected)
    #expect(try server.ask(name, type, edns: nil, over: .tcp).sortedSummary == expected)
  }

  /// The zone and the answers of RFC 4592 §2.2.1.
  @Test(arguments: [
    (
      "host3.example", RecordType.mx, "NOERROR aa | host3.example. MX 10 host1.example. |  | host1.example. A 192.0.2.1"
    ),
    ("host3.example", .a, "NOERROR aa |  | example. SOA 300 | "),
    ("foo.bar.example", .txt, "NOERROR aa | foo.bar.example. TXT \"this is a wild card\" |  | "),
    ("host1.example", .mx, "NOERROR aa |  | example. SOA 300 | "),
    ("sub.*.example", .mx, "NOERROR aa |  | example. SOA 300 | "),
    ("_telnet._tcp.host1.example", .srv, "NXDOMAIN aa |  | example. SOA 300 | "),
    (
      "host.subdel.example", .a,
      "NOERROR |  | subdel.example. NS ns.example.com., subdel.example. NS ns.example.net. | "
    ),
    ("ghost.*.example", .mx, "NXDOMAIN aa |  | example. SOA 300 | "),
    ("*.example", .txt, "NOERROR aa | *.example. TXT \"this is a wild card\" |  | "),
  ])
  func wildcardsFollowRFC4592(name: String, type: RecordType, expected: String) throws {
    var server = try TestServer([
      (
        "example",
        """
        @ NS ns.example.com.
        @ NS ns.example.net.
        *.example. TXT "this is a wild card"
        *.example. MX 10 host1.example.
        sub.*.example. TXT "this is not a wild card"
        host1.example. A 192.0.2.1
        _ssh._tcp.host1.example. SRV 0 0 22 host1.example.
        _ssh._tcp.host2.example. SRV 0 0 22 host2.example.
        subdel.example. NS ns.example.com.
        subdel.example. NS ns.example.net.
        """
      )
    ])
    let text = try server.ask(name, type).sortedSummary
    #expect(text == expected || text == expected + " ")
  }

  @Test func aWildcardAliasIsExpandedAndFollowed() throws {
    var server = try TestServer([("example", "*.w CNAME host\nhost A 192.0.2.1\n")])
    #expect(
      try server.ask("x.y.w.example").summary
        == "NOERROR aa | x.y.w.example. CNAME host.example., host.example. A 192.0.2.1 |  | ")
  }

  @Test func loopsEndAndForeignNamesAreRefused() throws {
    var server = try TestServer(Array(LookupTests.zones.dropFirst()))
    #expect(
      try server.ask("loop1.example.org").summary
        == "NOERROR aa | loop1.example.org. CNAME loop2.example.org., loop2.example.org. CNAME loop1.example.org. |  | "
    )
    #expect(try server.ask("example.com").summary == "REFUSED |  |  | ")
    #expect(try server.ask("org").summary == "REFUSED |  |  | ")
    #expect(try server.ask("out.example.org").summary == "NOERROR aa | out.example.org. CNAME www.example.com. |  | ")
  }

  @Test func chainsOfDNAMEsEndAndRepeatNothing() throws {
    var server = try TestServer([("example", "a DNAME b\nb DNAME a\ngrow DNAME x.grow\n")])
    #expect(
      try server.ask("h.a.example").summary
        == "NOERROR aa | a.example. DNAME b.example., h.a.example. CNAME h.b.example., b.example. DNAME a.example., h.b.example. CNAME h.a.example. |  | "
    )
    let growing = try server.ask("h.grow.example", over: .tcp)
    #expect(growing.answers.count { $0.type == .dname } == 1)
    #expect(growing.answers.count { $0.type == .cname } == Responder.maximumLinks + 1)
  }

  @Test func aLongChainIsFollowedSoFar() throws {
    let text = (0..<30).map { "c\($0) CNAME c\($0 + 1)\n" }.joined()
    var server = try TestServer([("example", text)])
    let response = try server.ask("c0.example")
    #expect(response.header.responseCode == .noError && response.answers.count == Responder.maximumLinks + 1)
  }

  @Test func aDNAMEThatMakesTheNameTooLongIsYXDOMAIN() throws {
    let long = Array(repeating: String(repeating: "a", count: 60), count: 3).joined(separator: ".")
    var server = try TestServer([("example", "d DNAME \(long).example.\n")])
    let response = try server.ask(String(repeating: "b", count: 63) + ".d.example")
    #expect(response.header.responseCode == .yxDomain && response.answers.map(\.type) == [.dname])
  }

  @Test func anyIsAnsweredWithOneRRset() throws {
    var server = try TestServer(LookupTests.zones)
    #expect(try server.ask("mail.example.org", .any).answers.map(\.type) == [.a])
    #expect(try server.ask("www.example.org", .any).answers.map(\.type) == [.cname])
  }

  @Test func theOrderOfAnRRsetRotates() throws {
    var server = try TestServer([("example", "h A 192.0.2.1\nh A 192.0.2.2\nh A 192.0.2.3\n")])
    let firsts = try (0..<6).map { _ in try server.ask("h.example").answers[0].data.text }
    #expect(Set(firsts).count == 3 && Array(firsts[..<3]) == Array(firsts[3...]))
  }

  @Test func everyRRsetRotatesByItselfInEverySection() throws {
    var server = try TestServer([
      (
        "example",
        """
        h A 192.0.2.1
        h A 192.0.2.2
        h AAAA 2001:db8::1
        h AAAA 2001:db8::2
        sub NS ns1.sub
        sub NS ns2.sub
        ns1.sub A 192.0.2.3
        ns1.sub A 192.0.2.4
        ns2.sub A 192.0.2.5
        """
      )
    ])
    // As clients ask: for A and AAAA in turn.
    let firsts = try (0..<4).map { index in
      try server.ask("h.example", index % 2 == 0 ? .a : .aaaa).answers[0].data.text
    }
    #expect(firsts[0] != firsts[2] && firsts[1] != firsts[3])
    let referrals = try (0..<2).map { try server.ask("www\($0).sub.example") }
    #expect(referrals[0].authorities[0] != referrals[1].authorities[0])
    let glue = referrals.map { $0.additionals.first { $0.name == Name("ns1.sub.example") } }
    #expect(glue[0] != glue[1])
  }

  /// The thirteen servers of a TLD in the root zone, and all their IPv4 addresses, fit into 512 octets.
  @Test func namesOfOneProviderAreCompressed() throws {
    let letters = "abcdefghijklm".map(String.init)
    let text = letters.map { "com NS \($0).gtld-servers.net.\n\($0).gtld-servers.net. A 192.0.2.1\n" }.joined()
    var server = try TestServer([
      (".", text + "@ MX 1 a.mail.example.\n@ MX 2 mail.example.\n@ MX 3 b.c.mail.example.\n")
    ])
    for _ in letters {
      let response = try server.ask("www.example.com", edns: nil)
      #expect(!response.header.isTruncated && response.authorities.count == 13 && response.additionals.count == 13)
      #expect(Set(response.authorities.map(\.data.text)) == Set(letters.map { "\($0).gtld-servers.net." }))
      #expect(Set(response.additionals.map(\.name.description)) == Set(letters.map { "\($0).gtld-servers.net." }))
      #expect(
        try server.ask(".", .mx).sortedSummary
          == "NOERROR aa | . MX 1 a.mail.example., . MX 2 mail.example., . MX 3 b.c.mail.example. |  | ")
    }
  }

  @Test func theChildZoneIsServedFromItsApexDown() throws {
    var server = try TestServer([
      ("example", "sub NS ns.sub\nns.sub A 192.0.2.1\n"), ("sub.example", "@ NS ns\nns A 192.0.2.1\nwww A 192.0.2.2\n"),
    ])
    #expect(try server.ask("www.sub.example").summary == "NOERROR aa | www.sub.example. A 192.0.2.2 |  | ")
    #expect(try server.ask("sub.example", .ds).summary == "NOERROR aa |  | example. SOA 300 | ")
  }
}
