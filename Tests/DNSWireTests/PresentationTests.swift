import Octets
import Testing

@testable import DNSWire

/// Types whose data stay octets, with the examples of their RFCs.
struct PresentationTests {
  static func type(_ text: String) throws -> RecordType { try #require(RecordType(text)) }

  @Test(arguments: [
    // RFC 4034 §2.3, §5.4, §3.3, §4.3.
    (
      "DNSKEY", "256 3 RSASHA1 AQPSKmynfzW4 kyBv015MUG2D", "0100 03 05 01 03d22a6ca77f35b893206fd35e4c506d83",
      "256 3 5 AQPSKmynfzW4kyBv015MUG2D"
    ),
    (
      "DS", "60485 5 1 2BB183AF5F22588179A53B0A 98631FAD1A292118",
      "ec45 05 01 2bb183af5f22588179a53b0a98631fad1a292118", "60485 5 1 2bb183af5f22588179a53b0a98631fad1a292118"
    ),
    (
      "RRSIG", "A 5 3 86400 20030322173103 20030220173103 2642 example.com. oJB1W6WNGv+ldvQ3WDG0MQ==",
      "0001 05 03 00015180 3e7c9dd7 3e5510d7 0a52 076578616d706c6503636f6d00 a090755ba58d1affa576f4375831b431",
      "A 5 3 86400 20030322173103 20030220173103 2642 example.com. oJB1W6WNGv+ldvQ3WDG0MQ=="
    ),
    (
      "RRSIG", "TYPE1234 ed25519 3 0 4294967295 0 1 . AA==",
      "04d2 0f 03 00000000 ffffffff 00000000 0001 00 00",
      "TYPE1234 15 3 0 21060207062815 19700101000000 1 . AA=="
    ),
    (
      "NSEC", "host.example.com. A MX RRSIG NSEC TYPE1234",
      "04686f7374076578616d706c6503636f6d00 0006 400100000003 041b 000000000000000000000000000000000000000000000000000020",
      "host.example.com. A MX RRSIG NSEC TYPE1234"
    ),
    // RFC 5155 Appendix A.
    (
      "NSEC3", "1 1 12 aabbccdd 2t7b4g4vsa5smi47k61mv5bv1a22bojr MX DNSKEY NS SOA NSEC3PARAM RRSIG",
      "01 01 000c 04 aabbccdd 14 174eb2409fe28bcb4887a1836f957f0a8425e27b 0007 22010000000290",
      "1 1 12 aabbccdd 2t7b4g4vsa5smi47k61mv5bv1a22bojr NS SOA MX RRSIG DNSKEY NSEC3PARAM"
    ),
    (
      "NSEC3", "1 0 0 - 2T7B4G4VSA5SMI47K61MV5BV1A22BOJR", "01 00 0000 00 14 174eb2409fe28bcb4887a1836f957f0a8425e27b",
      "1 0 0 - 2t7b4g4vsa5smi47k61mv5bv1a22bojr"
    ),
    ("NSEC3PARAM", "1 0 12 AABBCCDD", "01 00 000c 04 aabbccdd", "1 0 12 aabbccdd"),
    ("NSEC3PARAM", "1 0 0 -", "01 00 0000 00", "1 0 0 -"),
    ("CERT", "PKIX 0 RSASHA256 AQID", "0001 0000 08 010203", "1 0 8 AQID"),
    ("CERT", "65534 65535 254 AQID", "fffe ffff fe 010203", "65534 65535 254 AQID"),
    ("OPENPGPKEY", "mQEN BFVZ", "99010d045559", "mQENBFVZ"),
    ("SPF", #""v=spf1 -all" b"#, "0b 763d73706631202d616c6c 01 62", #""v=spf1 -all" "b""#),
    // RFC 7477 §2.1.2, RFC 8976 Appendix A.1.
    ("CSYNC", "66 3 A NS AAAA", "00000042 0003 0004 60000008", "66 3 A NS AAAA"),
    (
      "ZONEMD", "2018031900 1 1 c68090d90a7aed71 6bc459f9340e3d7c", "7848b91c 01 01 c68090d90a7aed716bc459f9340e3d7c",
      "2018031900 1 1 c68090d90a7aed716bc459f9340e3d7c"
    ),
    // RFC 1876 §4.
    (
      "LOC", "42 21 54 N 71 06 18 W -24m 30m", "00 33 16 13 89172dd0 70be15f0 00988d20",
      "42 21 54.000 N 71 6 18.000 W -24.00m 30.00m 10000.00m 10.00m"
    ),
    (
      "LOC", "42 21 43.952 N 71 5 6.344 W -24m 1m 200m", "00 12 24 13 89170690 70bf2dd8 00988d20",
      "42 21 43.952 N 71 5 6.344 W -24.00m 1.00m 200.00m 10.00m"
    ),
    (
      "LOC", "90 S 180 E 42849672.95 0 90000000m 0.01m", "00 00 99 10 6cb02700 a69fb200 ffffffff",
      "90 0 0.000 S 180 0 0.000 E 42849672.95m 0.00m 90000000.00m 0.01m"
    ),
  ])
  func dataIsReadAndPrinted(type: String, text: String, wire: String, printed: String) throws {
    let type = try PresentationTests.type(type)
    let data = try RData(type: type, text: text)
    #expect(Hex.encode(data.wire) == wire.filter { $0 != " " })
    #expect(data.text == printed)
    #expect(try RData(type: type, text: printed) == data)
  }

  @Test(arguments: [
    ("RRSIG", "A 5 3 86400 20030229000000 20030220173103 2642 . AA=="),
    ("RRSIG", "A 5 3 86400 2003022017310 1 1 . AA=="),
    ("RRSIG", "A 5 3 86400 20030220240000 1 1 . AA=="), ("RRSIG", "NONSENSE 5 3 1 1 1 1 . AA=="),
    ("RRSIG", "A 5 3 1 1 1 1 ."), ("DNSKEY", "256 3 NONSENSE AA=="), ("NSEC", "a. A NONSENSE"), ("NSEC", "relative A"),
    ("NSEC3", "1 1 12 aabbccdd 2t7w A"), ("NSEC3", "1 1 12 aabbccdd 0"), ("NSEC3", "1 1 12 aabbccdd 01 A"),
    ("NSEC3PARAM", "1 0 0"), ("NSEC3PARAM", "1 0 0 abc"),
    ("NSEC3PARAM", "1 0 0 " + String(repeating: "ab", count: 256)),
    ("CERT", "NONSENSE 0 8 AQID"), ("CERT", "1 0 8"), ("OPENPGPKEY", "m!"), ("SPF", ""), ("ZONEMD", "-1 1 1 aa"),
    ("LOC", "91 N 0 E 0m"), ("LOC", "90 0 0.001 N 0 E 0m"), ("LOC", "1 60 N 0 E 0m"), ("LOC", "1 1 60 N 0 E 0m"),
    ("LOC", "1 1 1 1 N 0 E 0m"), ("LOC", "N 0 E 0m"), ("LOC", "1 E 0 N 0m"), ("LOC", "--1 N 1 E 0m"),
    ("LOC", "-1 N 1 E 0m"), ("LOC", "1 N 1 E"),
    ("LOC", "1 N 1 E 1.234m"),
    ("LOC", "1 N 1 E -100000.01m"), ("LOC", "1 N 1 E 42849672.96m"), ("LOC", "1 N 1 E 0m -1m"),
    ("LOC", "1 N 1 E 0m 90000001m"),
    ("LOC", "1 N 1 E 0m 1m 1m 1m 1m"), ("LOC", "1. N 1 E 0m"), ("LOC", "1 N 1 E 1.m"), ("LOC", "1 1.5 N 1 E 1m"),
  ])
  func whatIsWrongIsRefused(type: String, text: String) throws {
    let type = try PresentationTests.type(type)
    #expect(throws: TextError.self) { try RData(type: type, text: text) }
  }

  /// What the fields do not say is printed as octets, and is read again as the same.
  @Test(arguments: [
    ("NSEC", "00 0000"), ("NSEC", "00 0001 00"), ("NSEC", "00 0102 6000 0001 40"),
    ("NSEC", "00 0021" + String(repeating: "01", count: 33)),
    ("NSEC3", "01 00 0000 00 00"), ("NSEC3PARAM", "01 00 0000 02 aa"), ("SPF", ""), ("SPF", "05 61"), ("RRSIG", "0001"),
    ("LOC", "01 33 16 13 89172dd0 70be15f0 00988d20"), ("LOC", "00 a3 16 13 89172dd0 70be15f0 00988d20"),
    ("LOC", "00 33 16 13 ffffffff 70be15f0 00988d20"),
    ("LOC", "00 03 16 13 89172dd0 70be15f0 00988d20"), ("LOC", "00"), ("CERT", "0001 0000 08"),
  ])
  func octetsThatFitNoFormatStayOctets(type: String, wire: String) throws {
    let type = try PresentationTests.type(type)
    let octets = try #require(Hex.decode(wire.filter { $0 != " " }))
    let data = RData.unknown(type, octets)
    #expect(data.text.hasPrefix("\\# \(octets.count)"))
    #expect(try RData(type: type, text: data.text) == data)
  }

  @Test func aSignedZoneFileIsRead() throws {
    let text = """
      @ 3600 SOA ns host 1 2 3 4 5
      @ 3600 RRSIG SOA 8 2 3600 (
          20260101000000 20251201000000 1 example.com. AQID
          BAUG ) ; the signature
      @ 0 NSEC3PARAM 1 0 0 -
      @ 3600 DNSKEY 257 3 13 AQID
      a 3600 NSEC b A RRSIG NSEC
      """
    let file = try ZoneFile(parsing: Array(text.utf8), origin: ZoneFileTests.origin)
    #expect(file.records.count == 5)
    #expect(file.records[1].data.text.hasSuffix("1 example.com. AQIDBAUG"))
    #expect(file.records[4].data.text == "b.example.com. A RRSIG NSEC")
    #expect(try ZoneFile(parsing: ZoneFile.text(file.records), origin: .root).records == file.records)
  }
}
