import DNSWire
import Testing

@testable import Nameserver

struct ZoneChangeTests {
  static func change(
    _ kind: RRsetChange.Kind, _ name: String, _ type: RecordType, ttl: UInt32? = 60, _ records: [String]?
  ) throws -> RRsetChange {
    RRsetChange(
      kind: kind, name: try #require(Name(name)), type: type, ttl: ttl,
      records: try records?.map { RRset.Record(data: try RData(type: type, text: $0)) })
  }

  static func contents(_ zone: Zone, _ name: String, _ type: RecordType) throws -> [String]? {
    let key = RRsetKey(name: try #require(Name(name)), type: type)
    return zone.rrsets[key]?.records.map(\.data.text)
  }

  @Test func eachKindOfChangeDoesWhatItSays() throws {
    var zone = try TestServer.zone("example", "www A 192.0.2.1\n")
    try zone.apply([ZoneChangeTests.change(.extend, "www.example", .a, ["192.0.2.2", "192.0.2.1"])])
    #expect(try ZoneChangeTests.contents(zone, "www.example", .a) == ["192.0.2.1", "192.0.2.2"])
    try zone.apply([ZoneChangeTests.change(.prune, "www.example", .a, ["192.0.2.1"])])
    #expect(try ZoneChangeTests.contents(zone, "www.example", .a) == ["192.0.2.2"])
    try zone.apply([ZoneChangeTests.change(.replace, "WWW.example", .a, ["192.0.2.9"])])
    #expect(try ZoneChangeTests.contents(zone, "www.example", .a) == ["192.0.2.9"])
    try zone.apply([ZoneChangeTests.change(.replace, "www.example", .a, [])])
    #expect(try ZoneChangeTests.contents(zone, "www.example", .a) == nil)
    try zone.apply([ZoneChangeTests.change(.delete, "www.example", .a, nil)])
  }

  @Test func commentsAloneLeaveRecordsAlone() throws {
    var zone = try TestServer.zone("example", "www A 192.0.2.1\n")
    var change = try ZoneChangeTests.change(.replace, "www.example", .a, ttl: nil, nil)
    change.comments = [RRset.Comment(content: "ours", account: "ops", modifiedAt: 1)]
    try zone.apply([change])
    #expect(zone.rrsets[change.key]?.comments == change.comments && zone.rrsets[change.key]?.records.count == 1)
  }

  @Test func foreignNamesMissingTTLsAndRepeatedRRsetsAreRefused() throws {
    var zone = try TestServer.zone("example", "")
    let foreign = try ZoneChangeTests.change(.replace, "www.other", .a, ["192.0.2.1"])
    #expect(throws: ZoneViolation.self) { try zone.apply([foreign]) }
    let timeless = try ZoneChangeTests.change(.replace, "www.example", .a, ttl: nil, ["192.0.2.1"])
    #expect(throws: ZoneViolation.self) { try zone.apply([timeless]) }
    let good = try ZoneChangeTests.change(.replace, "www.example", .a, ["192.0.2.1"])
    #expect(throws: ZoneViolation.self) { try zone.apply([good, good]) }
  }

  @Test(
    arguments: [
      (1, "DEFAULT", 2_026_112_301), (2_026_112_301, "DEFAULT", 2_026_112_302),
      (2_026_112_399, "DEFAULT", 2_026_112_400),
      (5, "INCREASE", 6), (UInt32.max, "INCREASE", 0), (5, "EPOCH", 1_800_000_000),
      (1_800_000_000, "EPOCH", 1_800_000_001),
      (7, "SOA-EDIT", 8), (7, "OFF", 7), (7, "", 7),
    ] as [(UInt32, String, UInt32)])
  func serialsAdvanceByPolicy(old: UInt32, policy: String, new: UInt32) throws {
    var zone = try TestServer.zone("example", "")
    zone.soaEditAPI = policy
    zone.rrsets[RRsetKey(name: zone.name, type: .soa)]?.records = [
      RRset.Record(
        data: try RData(type: .soa, text: "a. b. \(old) 1 1 1 1"))
    ]
    zone.advanceSerial(from: old, date: 20_261_123, seconds: 1_800_000_000)
    #expect(zone.soa?.serial == new)
  }

  @Test func aNewerSerialOfTheClientStays() throws {
    var zone = try TestServer.zone("example", "")
    zone.rrsets[RRsetKey(name: zone.name, type: .soa)]?.records = [
      RRset.Record(data: try RData(type: .soa, text: "a. b. 77 1 1 1 1"))
    ]
    zone.advanceSerial(from: 76, date: 20_261_123, seconds: 1)
    #expect(zone.soa?.serial == 77)
  }

  @Test(
    arguments: [
      ("example.com", "example.com."), ("example.com.", "example.com."), ("=2E", "."),
      ("2=2F24.in-addr.arpa.", "2/24.in-addr.arpa."),
      ("a=2", nil), ("..", nil), ("", nil),
    ] as [(String, String?)])
  func zoneIdentifiersAreNames(text: String, name: String?) {
    #expect(ZoneID.name(text)?.description == name)
    if let name = ZoneID.name(text) { #expect(ZoneID.name(ZoneID.text(name)) == name) }
  }
}
