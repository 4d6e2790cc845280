import DNSWire
import HTTPWire
import ServiceKit
import Testing

@testable import Nameserver

/// What the API makes of bodies.
struct ZoneRequestsTests {
  static func comments(_ count: Int, of length: Int, account: Int = 0) -> String {
    let text = { (count: Int) in String(repeating: "c", count: count) }
    let one = #"{"content":"\#(text(length))","account":"\#(text(account))"}"#
    let all = Array(repeating: one, count: count).joined(separator: ",")
    let set = #"{"name":"a.example.org.","type":"A","ttl":1,"records":[{"content":"1.2.3.4"}],"comments":[\#(all)]}"#
    return #"{"name":"example.org.","rrsets":[\#(set)]}"#
  }

  static func zone(_ json: String) throws -> Zone {
    try JSON.decode(ZoneBody.self, from: Array(json.utf8)).newZone(now: 1, date: 20_261_123)
  }

  static let newZone =
    #"{"name":"example.org.","kind":"master","nameservers":["ns1.example.net."],"masters":[],"serial":0,"soa_edit_api":"default""#

  @Test func aZoneWithoutSOAGetsOneThatNamesItsServer() throws {
    let zone = try ZoneRequestsTests.zone(ZoneRequestsTests.newZone + "}")
    #expect(zone.kind == "Master" && zone.soaEditAPI == "DEFAULT")
    #expect(zone.soa?.serial == 2_026_112_301 && zone.soa?.primary == Name("ns1.example.net"))
    #expect(try ZoneChangeTests.contents(zone, "example.org", .ns) == ["ns1.example.net."])
  }

  @Test func recordsComeFromRRsetsOrFromText() throws {
    let rrsets =
      #","rrsets":[{"name":"www.example.org.","type":"A","ttl":60,"changetype":"REPLACE","records":[{"content":"192.0.2.1"},{"content":"192.0.2.2","disabled":true}],"comments":[{"content":"ours"}]}]}"#
    let zone = try ZoneRequestsTests.zone(ZoneRequestsTests.newZone + rrsets)
    let set = zone.rrsets[RRsetKey(name: try #require(Name("www.example.org")), type: .a)]
    #expect(set?.records.map(\.isDisabled) == [false, true] && set?.comments.first?.modifiedAt == 1 && set?.ttl == 60)
    let text = try ZoneRequestsTests.zone(ZoneRequestsTests.newZone + #","zone":"www 60 A 192.0.2.1\n"}"#)
    #expect(try ZoneChangeTests.contents(text, "www.example.org", .a) == ["192.0.2.1"])
  }

  @Test func aLongStringIsCut() throws {
    let long = String(repeating: "a", count: 300)
    let rrsets =
      #","rrsets":[{"name":"k.example.org.","type":"TXT","ttl":60,"records":[{"content":"\"\#(long)\" \"b\""}]}]}"#
    let zone = try ZoneRequestsTests.zone(ZoneRequestsTests.newZone + rrsets)
    let cut = [String(repeating: "a", count: 255), String(repeating: "a", count: 45), "b"]
    let printed = cut.map { "\"\($0)\"" }.joined(separator: " ")
    #expect(try ZoneChangeTests.contents(zone, "k.example.org", .txt) == [printed])
  }

  @Test(arguments: [
    (#"{"kind":"Native"}"#, "name"),
    (#"{"name":"example.org"}"#, "name"),
    (#"{"name":"example.org.","kind":"Sometimes"}"#, "kind"),
    ("{\"name\":\"example.org.\",\"account\":\"\(String(repeating: "a", count: 256))\"}", "account"),
    (comments(21, of: 1), "comments"), (comments(1, of: 4097), "comments"),
    (comments(1, of: 1, account: 256), "comments"),
    (#"{"name":"example.org.","soa_edit_api":"never"}"#, "soa_edit_api"),
    (#"{"name":"example.org.","nameservers":["ns1"]}"#, "name"),
    (#"{"name":"example.org.","zone":"www A 192.0.2"}"#, "zone"),
    (#"{"name":"example.org.","zone":"@ A 1.2.3.4","rrsets":[{"name":"a.","type":"A"}]}"#, "zone"),
    (#"{"name":"example.org.","rrsets":[{"name":"a.example.org.","type":"NONSENSE"}]}"#, "type"),
    (#"{"name":"example.org.","rrsets":[{"name":"a.example.org.","type":"A","ttl":-1,"records":[]}]}"#, "ttl"),
    (#"{"name":"example.org.","rrsets":[{"name":"a.example.org.","type":"A","ttl":2147483648}]}"#, "ttl"),
    (#"{"name":"example.org.","rrsets":[{"name":"a.example.org.","type":"A","ttl":60.5,"records":[]}]}"#, "ttl"),
    (#"{"name":"example.org.","rrsets":[{"name":"a.example.org.","type":"A","ttl":1e400,"records":[]}]}"#, "ttl"),
    (#"{"name":"example.org.","rrsets":[{"name":"a.example.org.","type":"A","ttl":"60","records":[]}]}"#, "ttl"),
    (
      #"{"name":"example.org.","rrsets":[{"name":"a.example.org.","type":"A","ttl":1,"records":[{"content":"x"}]}]}"#,
      "content"
    ),
    (#"{"name":"example.org.","rrsets":[{"name":"a.example.org.","type":"A","changetype":"PERHAPS"}]}"#, "changetype"),
  ])
  func aBadBodyIsRefusedByField(json: String, field: String) throws {
    let problem = #expect(throws: APIProblem.self) { try ZoneRequestsTests.zone(json) }
    #expect(problem?.field == field && problem?.status == 422)
  }

  @Test(arguments: [
    (#""type":"A","ttl":60.5,"records":[{"content":"192.0.2.1"}]"#, "RRset a.example.org./A"),
    (#""type":"TXT","ttl":60,"records":[{"content":"v=DKIM1; k=rsa"}]"#, "Record a.example.org./TXT 'v=DKIM1; k=rsa'"),
    (
      #""type":"CAA","ttl":60,"records":[{"content":"0 issue x.org; a=b"}]"#,
      "Record a.example.org./CAA '0 issue x.org; a=b'"
    ),
  ])
  func aBadRecordIsNamed(members: String, record: String) throws {
    let json = #"{"name":"example.org.","rrsets":[{"name":"a.example.org.",\#(members)}]}"#
    let problem = #expect(throws: APIProblem.self) { try ZoneRequestsTests.zone(json) }
    #expect(problem?.status == 422 && problem?.detail.hasPrefix(record) == true)
  }

  @Test func aPatchNeedsAChangetypeAndADeleteNothingElse() throws {
    let set = RRsetBody(name: "a.example.", type: "A", ttl: nil, changetype: nil, records: nil, comments: nil)
    #expect(throws: APIProblem.self) { try set.change(default: nil, now: 1) }
    var delete = set
    delete.changetype = "delete"
    delete.ttl = SecondsBody(-5)
    delete.records = [RecordBody(content: "anything", disabled: nil)]
    #expect(try delete.change(default: nil, now: 1).kind == .delete)
  }

  @Test func aForeignNameIsRefusedByRecord() throws {
    let json =
      #"{"name":"example.org.","rrsets":[{"name":"a.example.com.","type":"A","ttl":1,"records":[{"content":"1.2.3.4"}]}]}"#
    let violation = #expect(throws: ZoneViolation.self) { try ZoneRequestsTests.zone(json) }
    #expect(violation?.record == "a.example.com./A")
  }
}
