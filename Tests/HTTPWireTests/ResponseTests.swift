import HTTPWire
import Testing

@testable import HTTPWire

@Suite("Responses")
struct ResponseTests {
  @Test(
    "have a head that says how they end",
    arguments: [
      (ResponseFraming.length(0), true, false, "content-length: 0\r\n"),
      (.length(1234), true, false, "content-length: 1234\r\n"),
      (.chunked, true, false, "transfer-encoding: chunked\r\n"),
      (.none, true, false, ""), (.untilClose, false, true, "connection: close\r\n"),
      (.length(5), false, false, "content-length: 5\r\nconnection: close\r\n"),
      (.length(5), true, true, "content-length: 5\r\nconnection: keep-alive\r\n"),
    ])
  func heads(framing: ResponseFraming, keepsAlive: Bool, isHTTP10: Bool, lines: String) {
    var output: [UInt8] = []
    ResponseEncoder.appendHead(
      to: &output, status: .ok, date: Array("date: x\r\n".utf8), fields: ["a": "b"], framing: framing,
      keepsAlive: keepsAlive, isHTTP10: isHTTP10)
    #expect(String(decoding: output, as: UTF8.self) == "HTTP/1.1 200 OK\r\ndate: x\r\na: b\r\n\(lines)\r\n")
  }

  @Test("name any status", arguments: [(404, "404 Not Found"), (299, "299 "), (99, "500 Internal Server Error")])
  func status(code: Int, line: String) {
    var output: [UInt8] = []
    ResponseEncoder.appendHead(
      to: &output, status: Status(code), date: [], fields: [:], framing: .none, keepsAlive: true)
    #expect(String(decoding: output, as: UTF8.self) == "HTTP/1.1 \(line)\r\n\r\n")
  }

  @Test("can't be split by what stands in a field")
  func injection() {
    var fields = FieldBlock()
    fields.append("lo cation:\r\n", "/a\r\nset-cookie: x\u{0}")
    #expect(String(decoding: fields.bytes, as: UTF8.self) == "location: /a  set-cookie: x \r\n")
  }

  @Test("have fields that are found, replaced and removed whatever their case")
  func fields() {
    var fields: FieldBlock = ["ETag": "\"1\"", "vary": "a", "Vary": "b", "x": ""]
    #expect(fields["etag"] == "\"1\"")
    #expect(fields["x"] == "")
    #expect(fields["ta"] == nil)
    fields.set("VARY", "c")
    #expect(fields["vary"] == "c")
    fields.remove("vary")
    #expect(fields["vary"] == nil)
    #expect(fields["etag"] == "\"1\"")
  }

  @Test("of chunks begin with their size in hexadecimal", arguments: [(1, "1"), (15, "f"), (16, "10"), (4096, "1000")])
  func chunkHead(count: Int, digits: String) {
    var output: [UInt8] = []
    ResponseEncoder.appendChunkHead(to: &output, count: count)
    #expect(output == Array("\(digits)\r\n".utf8))
  }

  @Test("of events keep every line of data in its event, and every field on its line")
  func events() {
    let event = ServerSentEvent(
      id: "7\n\u{0}", event: "mail\r\ndata: forged", data: Array("a\r\nb\rc\nd".utf8), retry: 500)
    #expect(
      String(decoding: event.encoded, as: UTF8.self)
        == "id: 7\nevent: maildata: forged\nretry: 500\ndata: a\ndata: b\ndata: c\ndata: d\n\n")
    #expect(String(decoding: ServerSentEvent(data: []).encoded, as: UTF8.self) == "data: \n\n")
  }

  @Test("and requests use the characters that the grammar allows")
  func characters() {
    let alphanumeric = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
    let unreserved = alphanumeric + "-._~"
    let subDelims = "!$&'()*+,;="
    let sets: [(CharacterSet, String)] = [
      (.token, alphanumeric + "!#$%&'*+-.^_`|~"), (.path, unreserved + subDelims + ":@/%[]|"),
      (.registeredName, unreserved + subDelims + "%"),
      (.query, String(decoding: (UInt8(0x21)...0x7e).filter { !Array("\"#<>".utf8).contains($0) }, as: UTF8.self)),
    ]
    for (set, text) in sets {
      #expect((UInt8.min...UInt8.max).filter { set.contains($0) } == text.utf8.sorted())
    }
  }
}
