import Testing

@testable import DNSWire

struct NameTests {
  @Test(
    arguments: [
      ("example.com", [7] + Array("example".utf8) + [3] + Array("com".utf8) + [0]),
      ("example.com.", [7] + Array("example".utf8) + [3] + Array("com".utf8) + [0]),
      (".", [0]),
      (#"a\.b.c"#, [3, 0x61, 0x2E, 0x62, 1, 0x63, 0]),
      (#"\000\255.x"#, [2, 0, 255, 1, 0x78, 0]),
      (#"\@.\$"#, [1, 0x40, 1, 0x24, 0]),
    ] as [(String, [UInt8])])
  func presentationFormatIsReadWithEscapes(text: String, wire: [UInt8]) {
    #expect(Name(text)?.wire == wire)
  }

  @Test(arguments: ["", "..", ".a", "a..b", #"a\"#, #"a\25"#, #"a\256"#, String(repeating: "a", count: 64)])
  func badTextIsRefused(text: String) {
    #expect(Name(text) == nil)
  }

  @Test func theLongestNameHas255OctetsAndTheLongestLabel63() throws {
    let label = String(repeating: "a", count: 63)
    let longest = "\(label).\(label).\(label).\(String(repeating: "b", count: 61))"
    #expect(Name(longest)?.wire.count == 255)
    #expect(throws: TextError.nameTooLong) { try Name(text: (longest + "b").utf8) }
    #expect(throws: TextError.nameTooLong) { try Name(text: "x".utf8, origin: Name(longest)) }
    #expect(throws: TextError.labelTooLong) { try Name(text: "a\(label).com".utf8) }
  }

  @Test func namesAreComparedWithoutCaseAndKeepIt() throws {
    let (upper, lower) = (try #require(Name("WWW.Example.COM")), try #require(Name("www.example.com")))
    #expect(upper == lower)
    #expect(upper.hashValue == lower.hashValue)
    #expect(upper.description == "WWW.Example.COM.")
    #expect(Name(#"\193.x"#) != Name(#"\225.x"#), "only ASCII letters have case (RFC 4343 §3)")
  }

  @Test func canonicalOrderIsThatOfRFC4034() throws {
    let ordered = try [
      "example.", "a.example.", "yljkjljk.a.example.", "Z.a.example.", "zABC.a.EXAMPLE.", "z.example.",
      #"\000.z.example."#, #"\000\000.z.example."#, #"\001.z.example."#, #"\001\000.z.example."#, "*.z.example.",
      #"\200.z.example."#,
    ].map { try #require(Name($0)) }
    #expect(ordered.reversed().sorted() == ordered)
    let keyed = ordered.reversed().sorted { $0.canonicalKey.lexicographicallyPrecedes($1.canonicalKey) }
    #expect(keyed == ordered)
  }

  @Test func descriptionReadsBackAsTheSameName() throws {
    for octet in UInt8.min...UInt8.max {
      let name = try #require(Name(labels: [[octet, 0x61], [0x62]]))
      #expect(Name(name.description)?.wire == name.wire)
    }
  }

  @Test func relationsBetweenNamesHoldByLabel() throws {
    let name = try #require(Name("a.b.example.com"))
    let zone = try #require(Name("EXAMPLE.com"))
    #expect(name.isBelow(zone) && zone.isAtOrBelow(zone) && !zone.isBelow(zone))
    #expect(try !#require(Name("aexample.com")).isAtOrBelow(zone))
    #expect(name.isBelow(.root) && name.labelCount == 4)
    #expect(name.suffix(labels: 2) == zone && name.suffix(labels: 0) == .root)
    #expect(name.parent == Name("b.example.com") && Name.root.parent == nil)
    #expect(name.replacing(suffix: zone, with: try #require(Name("org"))) == Name("a.b.org"))
    #expect(name.text(relativeTo: zone) == Array("a.b".utf8) && zone.text(relativeTo: zone) == [0x40])
  }
}
