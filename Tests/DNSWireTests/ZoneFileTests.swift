import Octets
import Testing

@testable import DNSWire

struct ZoneFileTests {
  static let origin = Name("example.com") ?? .root

  /// The shape of RFC 1035 §5.3, with the additions of later RFCs.
  static let sample = #"""
    $TTL 1h
    @   IN  SOA     VENERA      Action\.domains (
                                     20     ; SERIAL
                                     7200   ; REFRESH
                                     600    ; RETRY
                                     1w     ; EXPIRE
                                     60)    ; MINIMUM

            NS      A.ISI.EDU.
            NS      VENERA
            300 MX      10      VENERA
    A       A       26.3.0.103
    VENERA  IN 5m A       10.1.0.52
            A       128.9.0.32
    $ORIGIN sub.example.com.
    txt     TXT     "a ; \"quoted\" \100" plain ( "two"
     three ) ; end
    """#

  @Test func theExampleOfRFC1035IsRead() throws {
    let file = try ZoneFile(parsing: Array(ZoneFileTests.sample.utf8), origin: ZoneFileTests.origin)
    let printed = String(decoding: ZoneFile.text(file.records), as: UTF8.self)
    #expect(
      printed == """
        example.com.\t3600\tIN\tSOA\tVENERA.example.com. Action\\.domains.example.com. 20 7200 600 604800 60
        example.com.\t3600\tIN\tNS\tA.ISI.EDU.
        example.com.\t3600\tIN\tNS\tVENERA.example.com.
        example.com.\t300\tIN\tMX\t10 VENERA.example.com.
        A.example.com.\t3600\tIN\tA\t26.3.0.103
        VENERA.example.com.\t300\tIN\tA\t10.1.0.52
        VENERA.example.com.\t3600\tIN\tA\t128.9.0.32
        txt.sub.example.com.\t3600\tIN\tTXT\t"a ; \\"quoted\\" d" "plain" "two" "three"

        """)
    #expect(file.entries.map(\.line) == [2, 9, 10, 11, 12, 13, 14, 16])
    let again = try ZoneFile(parsing: Array(printed.utf8), origin: .root)
    #expect(again.records == file.records)
  }

  @Test func aFileCutAnywhereIsReadOrRefusedWithItsLine() {
    let text = Array(ZoneFileTests.sample.utf8)
    for count in 0...text.count {
      do {
        _ = try ZoneFile(parsing: Array(text[..<count]), origin: ZoneFileTests.origin)
      } catch {
        #expect((1...18).contains(error.line))
      }
    }
  }

  @Test(arguments: [
    ("$INCLUDE other", 1, ZoneFileError.Reason.includeRefused),
    ("\n$GENERATE 1-2 a A 1.2.3.4", 2, .unknownDirective("$GENERATE")),
    ("@ 1 A (1.2.3.4", 1, .unclosedParenthesis),
    ("@ 1 A 1.2.3.4 )", 1, .unopenedParenthesis),
    ("\n\n@ 1 TXT \"abc\n\"", 3, .unclosedQuote),
    (" 1 A 1.2.3.4", 1, .noOwner),
    ("@ A 1.2.3.4", 1, .noTTL),
    ("@ 4294967296 A 1.2.3.4", 1, .badTTL("4294967296")),
    ("@ 2147483648 A 1.2.3.4", 1, .badTTL("2147483648")),
    ("@ 1x A 1.2.3.4", 1, .badTTL("1x")),
    ("@ 1 CH A 1.2.3.4", 1, .badClass("CH")),
    ("@ 1 IN", 1, .noType),
    ("@ 1 NONSENSE x", 1, .badType("NONSENSE")),
    ("@ 1 ANY x", 1, .badType("ANY")),
    ("@ 1 A 1.2.3.4.5", 1, .text(.bad("IPv4 address", "1.2.3.4.5"))),
    ("@ 1 AAAA 1.2.3.4", 1, .text(.bad("IPv6 address", "1.2.3.4"))),
    ("@ 1 MX mail", 1, .text(.bad("preference", "mail"))),
    ("@ 1 MX 65536 mail", 1, .text(.bad("preference", "65536"))),
    ("@ 1 A 1.2.3.4 5", 1, .text(.extra("5"))),
    ("@ 1 NS a..b", 1, .text(.emptyLabel)),
    ("@ 1 SRV 1 2 3", 1, .text(.missing("target"))),
    ("@ 1 TYPE65280 abc", 1, .text(.noPresentation(RecordType(rawValue: 65280)))),
    ("@ 1 TYPE65280 \\# 2 abc", 1, .text(.bad("hexadecimal data", "abc"))),
    ("@ 1 A \\# 3 010203", 1, .text(.badWireData)),
    ("@ 1 CNAME \\# 2 C000", 1, .text(.badWireData)),
    ("@ 1 TXT " + String(repeating: "a", count: 256), 1, .text(.stringTooLong)),
  ])
  func badLinesAreRefusedByNumberAndReason(text: String, line: Int, reason: ZoneFileError.Reason) {
    #expect(throws: ZoneFileError(line: line, reason: reason)) {
      try ZoneFile(parsing: Array(text.utf8), origin: ZoneFileTests.origin)
    }
  }

  @Test(arguments: [
    (RecordType.a, "192.0.2.1", "192.0.2.1"), (.aaaa, "2001:DB8:0::1", "2001:db8::1"), (.ns, "ns.x.", "ns.x."),
    (.mx, "0 .", "0 ."), (.txt, #"a "b c" "\000""#, #""a" "b c" "\000""#), (.srv, "1 2 53 h.x.", "1 2 53 h.x."),
    (.caa, "0 issue \"ca.x; a=b\"", "0 issue \"ca.x; a=b\""), (.caa, "0 issue ca.x", "0 issue \"ca.x\""),
    (.soa, "a. b. 1 1h 1m 1w 1d", "a. b. 1 3600 60 604800 86400"), (.dname, "x.", "x."), (.ptr, "x.", "x."),
    (.a, "\\# 4 0A000001", "10.0.0.1"), (RecordType(rawValue: 731), "\\# 6 abcd ef 01 2345", "\\# 6 abcdef012345"),
    (RecordType(rawValue: 62347), "\\# 0", "\\# 0"),
    (.ds, "60485 5 1 2BB183AF5F22588179A53B0A 98631FAD1A292118", "60485 5 1 2bb183af5f22588179a53b0a98631fad1a292118"),
    (RecordType(rawValue: 48), "256 3 5 AQPSKmynfzW4 kyBv015MUG2D", "256 3 5 AQPSKmynfzW4kyBv015MUG2D"),
    (
      RecordType(rawValue: 44), "2 1 123456789abcdef67890123456789abcdef67890",
      "2 1 123456789abcdef67890123456789abcdef67890"
    ),
    (RecordType(rawValue: 52), "3 1 1 d2abde240d7cd3ee", "3 1 1 d2abde240d7cd3ee"),
    (
      RecordType(rawValue: 35), #"100 10 "u" "E2U+sip" "!^.*$!sip:a@b!" ."#, #"100 10 "u" "E2U+sip" "!^.*$!sip:a@b!" ."#
    ),
    (RecordType(rawValue: 13), "PC Linux", #""PC" "Linux""#), (RecordType(rawValue: 18), "1 a.x.", "1 a.x."),
    (RecordType(rawValue: 256), #"10 1 "ftp://a/b""#, #"10 1 "ftp://a/b""#),
    (.ds, "\\# 2 abcd", "\\# 2 abcd"),
  ])
  func rdataIsReadAndPrinted(type: RecordType, text: String, printed: String) throws {
    let data = try RData(type: type, text: text)
    #expect(data.type == type && data.text == printed)
    #expect(try RData(type: type, text: printed) == data)
    #expect(unsafe try RData(decoding: data.wire.span.bytes, range: 0..<data.wire.count, type: type) == data)
  }

  /// RFC 9460 Appendix D.
  @Test(arguments: [
    ("0 foo.example.com.", "0000 03666f6f076578616d706c6503636f6d00", "0 foo.example.com."),
    ("1 .", "0001 00", "1 ."),
    (
      "16 foo.example.com. port=53", "0010 03666f6f076578616d706c6503636f6d00 0003 0002 0035",
      "16 foo.example.com. port=53"
    ),
    ("1 . key667=hello", "0001 00 029b 0005 68656c6c6f", "1 . key667=hello"),
    (#"1 . key667="hello\210qoo""#, "0001 00 029b 0009 68656c6c6fd2716f6f", #"1 . key667="hello\210qoo""#),
    (
      #"1 . ipv6hint="2001:db8::1,2001:db8::53:1""#,
      "0001 00 0006 0020 20010db8000000000000000000000001 20010db8000000000000000000530001",
      "1 . ipv6hint=2001:db8::1,2001:db8::53:1"
    ),
    (
      "16 . alpn=h2,h3-19 mandatory=ipv4hint,alpn ipv4hint=192.0.2.1",
      "0010 00 0000 0004 0001 0004 0001 0009 02 6832 05 68332d3139 0004 0004 c0000201",
      "16 . mandatory=alpn,ipv4hint alpn=h2,h3-19 ipv4hint=192.0.2.1"
    ),
    (
      #"16 . alpn="f\\\\oo\\,bar,h2""#, "0010 00 0001 000c 08 665c6f6f2c626172 02 6832",
      #"16 . alpn="f\\\\oo\\,bar,h2""#
    ),
    ("1 . no-default-alpn ech=AEX+DQ==", "0001 00 0002 0000 0005 0004 0045fe0d", "1 . no-default-alpn ech=AEX+DQ=="),
  ])
  func serviceParametersAreReadAndPrinted(text: String, wire: String, printed: String) throws {
    let data = try RData(type: RecordType(rawValue: 65), text: text)
    #expect(Hex.encode(data.wire) == wire.filter { $0 != " " })
    #expect(data.text == printed)
    #expect(try RData(type: RecordType(rawValue: 65), text: printed) == data)
  }

  @Test(arguments: [
    "1 . port", "1 . port=65536", "1 . port=1 port=2", "1 . alpn", "1 . alpn=", "1 . nonsense=1", "1 . ipv4hint=::1",
    "1 . no-default-alpn=x", "1 . mandatory=mandatory", "1 . mandatory=alpn,alpn", "1 . key65536=x",
  ])
  func wrongServiceParametersAreRefused(text: String) {
    #expect(throws: TextError.self) { try RData(type: RecordType(rawValue: 64), text: text) }
  }

  @Test func serviceParametersOutOfOrderStayOctets() throws {
    let data = try RData(type: RecordType(rawValue: 64), text: "\\# 13 000100 00030002 0035 00010000")
    #expect(data.text == "\\# 13 00010000030002003500010000")
  }

  @Test func aLongStringIsRefusedOrCut() throws {
    let long = String(repeating: "a", count: 600)
    #expect(throws: TextError.stringTooLong) { try RData(type: .txt, text: long) }
    let cut = try RData(type: .txt, text: "\(long) \"\"", splitsStrings: true)
    guard case .txt(let strings) = cut else { return #expect(Bool(false), "TXT") }
    #expect(strings.map(\.count) == [255, 255, 90, 0])
  }

  /// What a zone file would cut off in silence, the data of one record may not have.
  @Test(arguments: [
    (RecordType.txt, "v=DKIM1; k=rsa; p=ABC"), (.txt, #""v=DKIM1" ; k=rsa"#), (.txt, "a (b c)"), (.txt, "a)"),
    (.txt, "\"a\"\n\"b\""), (.txt, "a\r\nb"), (.txt, "a\n"), (.txt, "\"a\nb\""),
    (.caa, "0 issue letsencrypt.org; validationmethods=dns-01"), (.a, "192.0.2.1 ; mine"), (.cname, "www.\nx."),
    (.soa, "a. b. (1 2 3 4 5)"), (RecordType(rawValue: 731), "\\# 2 (abcd)"),
  ])
  func theDataOfOneRecordHasNoLayout(type: RecordType, text: String) throws {
    let error = #expect(throws: TextError.self) { try RData(type: type, text: text) }
    #expect(error?.description.contains("quote") == true || text == "\"a\nb\"")
    let quoted = try RData(type: .txt, text: "\"v=DKIM1; k=rsa (or so)\" a\\;b")
    #expect(quoted == .txt([Array("v=DKIM1; k=rsa (or so)".utf8), Array("a;b".utf8)]))
  }

  @Test func withoutAnOriginNamesEndWithADot() {
    #expect(throws: TextError.relativeName) { try RData(type: .cname, text: "www") }
    #expect(throws: TextError.missing("IPv4 address")) { try RData(type: .a, text: "") }
  }

  @Test(
    arguments: [
      ("0", 0), ("1h30m", 5400), ("1W2D", 777_600), ("4294967295", 4_294_967_295), ("", nil), ("h", nil), ("1h1", nil),
      ("7102w", nil), ("-1", nil),
    ] as [(String, UInt32?)])
  func timesHaveUnits(text: String, seconds: UInt32?) {
    #expect(TimeText.parse(Array(text.utf8)) == seconds)
  }
}
