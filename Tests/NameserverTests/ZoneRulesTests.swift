import DNSWire
import Testing

@testable import Nameserver

struct ZoneRulesTests {
  @Test(arguments: [
    ("www CNAME a\nwww A 192.0.2.1", "www.example./CNAME"),
    ("www CNAME a\nwww CNAME b", "www.example./CNAME"),
    ("@ CNAME a", "example./CNAME"),
    ("www.other. A 192.0.2.1", "www.other./A"),
    ("sub SOA a. b. 1 2 3 4 5", "sub.example./SOA"),
    ("@ SOA a. b. 1 2 3 4 5", "example./SOA"),
    ("d DNAME x.\nd DNAME y.", "d.example./DNAME"),
    ("d DNAME x.\na.d A 192.0.2.1", "a.d.example./A"),
    ("d DNAME x.\nc A 192.0.2.1\ndd A 192.0.2.1\ny.x.d TXT a", "y.x.d.example./TXT"),
    ("d DNAME x.\nd A 192.0.2.1\ne DNAME x.\ne.e DNAME x.", "e.e.example./DNAME"),
    ("d DNAME x.\nd NS y.", "d.example./DNAME"),
  ])
  func badDataIsRefusedByName(text: String, record: String) throws {
    let zone = try TestServer.zone("example", text)
    let violation = #expect(throws: ZoneViolation.self) { try ZoneCompiler.compile(zone, by: TestServer.hash) }
    #expect(violation?.record == record)
  }

  @Test func aNameHasAsManyTypesAsAreAllowedAndNoMore() throws {
    var zone = try TestServer.zone("example", "")
    func add(_ types: Range<Int>) {
      for number in types {
        let data = RData.unknown(RecordType(rawValue: UInt16(1000 + number)), [1])
        zone.add([ResourceRecord(name: zone.name, ttl: 1, data: data)])
      }
    }
    // Beside the SOA.
    add(0..<(Zone.maximumTypes - 1))
    var server = try TestServer(serving: [zone])
    let last = RecordType(rawValue: UInt16(1000 + Zone.maximumTypes - 2))
    #expect(try server.ask("example", last).answers.map(\.type) == [last])
    add((Zone.maximumTypes - 1)..<Zone.maximumTypes)
    let violation = #expect(throws: ZoneViolation.self) { try ZoneCompiler.compile(zone, by: TestServer.hash) }
    #expect(violation?.record == "example./TYPE\(1000 + Zone.maximumTypes - 1)")
    add(Zone.maximumTypes..<40_000)
    #expect(throws: ZoneViolation.self) { try ZoneCompiler.compile(zone, by: TestServer.hash) }
  }

  /// A name of a hundred labels has a hundred names above it, each as long as what is left.
  @Test func aZoneLargerThanIsServedIsRefusedByName() throws {
    let deep = String(repeating: "a.", count: 100)
    let zone = try TestServer.zone("example", (0..<10).map { "\(deep)n\($0) A 192.0.2.1\n" }.joined())
    let tree = try ZoneCompiler.compile(zone, by: TestServer.hash)
    #expect(tree.octets.count > 100_000)
    #expect(throws: Never.self) { try ZoneCompiler.compile(zone, by: TestServer.hash, limit: tree.octets.count) }
    let violation = #expect(throws: ZoneViolation.self) {
      try ZoneCompiler.compile(zone, by: TestServer.hash, limit: 50_000)
    }
    #expect(violation?.record.hasPrefix(deep) == true)
  }

  @Test func aZoneWithoutSOAIsRefused() {
    #expect(throws: ZoneViolation.self) { try ZoneCompiler.compile(Zone(name: .root), by: TestServer.hash) }
  }

  @Test func disabledRecordsAreNotServed() throws {
    var zone = try TestServer.zone("example", "www A 192.0.2.1\nwww A 192.0.2.2\n")
    let key = RRsetKey(name: try #require(Name("www.example")), type: .a)
    zone.rrsets[key]?.records[0].isDisabled = true
    var server = try TestServer(serving: [zone])
    #expect(try server.ask("www.example").answers.map(\.data.text) == ["192.0.2.2"])
    zone.rrsets[key]?.records[1].isDisabled = true
    server = try TestServer(serving: [zone])
    #expect(try server.ask("www.example").header.responseCode == .nameError)
  }

  @Test func aDisabledSOAIsNotTheZones() throws {
    var zone = try TestServer.zone("example", "")
    let key = RRsetKey(name: zone.name, type: .soa)
    let old = RRset.Record(data: try RData(type: .soa, text: "old. old. 9 1 1 1 7"), isDisabled: true)
    zone.rrsets[key]?.records.insert(old, at: 0)
    #expect(zone.soa?.serial == 1)
    var server = try TestServer(serving: [zone])
    #expect(try server.ask("nothing.example").authorities.map(\.ttl) == [300])
    zone.advanceSerial(from: 1, date: 20_261_123, seconds: 1)
    #expect(zone.soa?.serial == 2_026_112_301)
    #expect(zone.rrsets[key]?.records.first == old)
  }

  @Test func zonesOfAnyDepthAreFound() throws {
    let names = (0..<100).map { "z\($0)." + (0...($0 % 5)).map { "l\($0)" }.joined(separator: ".") }
    var server = try TestServer(names.map { ($0, "www A 192.0.2.1\n") })
    for name in names {
      #expect(try server.ask("www.\(name)").answers.count == 1)
      #expect(try server.ask("x.\(name)").header.responseCode == .nameError)
    }
  }
}
