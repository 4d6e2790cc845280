import HTTPWire
import Testing

@Suite("Request heads")
struct RequestParserTests {
  static let full =
    "POST /v1/mailboxes/alice%40crepes.fr?limit=2&after=x HTTP/1.1\r\nHost: mail.crepes.fr:8026\r\n"
    + "Content-Type:application/json\r\nX-Empty:\r\nX-Odd: \t a \u{e9} b \t\r\ncontent-length: 12\r\nAccept: a\r\n"
    + "accept: b\r\n\r\n"

  @Test("are the same wherever they are cut", arguments: 0...Self.full.utf8.count)
  func everySplit(cut: Int) throws {
    let (head, rest) = try #require(try parseHead(Self.full, cut: cut))
    #expect(rest.isEmpty)
    #expect(head.method == .post)
    #expect(head.version == .http11)
    #expect(head.text(head.target) == "/v1/mailboxes/alice%40crepes.fr?limit=2&after=x")
    #expect(head.text(head.path) == "/v1/mailboxes/alice@crepes.fr")
    #expect(head.queryValue("limit") == "2")
    #expect(head.text(head.authority) == "mail.crepes.fr:8026")
    #expect(head.framing == .length(12))
    #expect(head.value("content-type") == "application/json")
    #expect(head.value("x-empty") == "")
    #expect(head.value("x-odd") == "a \u{e9} b")
    #expect(head.value("accept") == "a, b")
    #expect(head.value("absent") == nil)
    #expect(head.allFields.map(\.name).first == "Host")
  }

  @Test("end where they end: what follows stays, whatever it is")
  func pipelined() throws {
    let text = "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n\u{0}garbage"
    let bytes = Array(text.utf8)
    var parser = RequestParser()
    var index = 0
    for path in ["/1", "/2"] {
      index += try parser.feed(Array(bytes[index...]))
      #expect(parser.isComplete)
      #expect(parser.head.text(parser.head.path) == path)
      parser.reset()
      #expect(parser.isEmpty)
    }
    #expect(bytes.count - index == 8)
  }

  @Test("keep their bytes for those who hold a copy while the parser goes on")
  func copiesStay() throws {
    var parser = RequestParser()
    _ = try parser.feed(Array("GET /first HTTP/1.1\r\nHost: a\r\n\r\n".utf8))
    let kept = parser.head
    parser.reset()
    _ = try parser.feed(Array("GET /other HTTP/1.1\r\nHost: b\r\n\r\n".utf8))
    #expect(kept.text(kept.path) == "/first")
    #expect(kept.value("host") == "a")
  }

  @Test("may follow an empty line or two")
  func blankLines() throws {
    let text = "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"
    for cut in 0...text.utf8.count { #expect(try parseHead(text, cut: cut) != nil) }
    #expect(throws: RequestError.malformedRequestLine) {
      try parseHead("\r\n\r\n\r\n", cut: 0)
    }
  }

  @Test("that can't be HTTP are known by their first octet", arguments: [0x16, 0x00, 0x80, 0x20, 0x28] as [UInt8])
  func otherProtocols(octet: UInt8) {
    var parser = RequestParser()
    #expect(throws: RequestError.malformedMethod) { try parser.feed([octet]) }
    var afterBlank = RequestParser()
    #expect(throws: RequestError.malformedMethod) { try afterBlank.feed([0x0d, 0x0a, octet]) }
  }

  @Test("are incomplete until the empty line")
  func incomplete() throws {
    #expect(try parseHead("GET / HTTP/1.1\r\nHost: a\r\n", cut: 3) == nil)
  }

  @Test(
    "know every method",
    arguments: ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "QUERY"])
  func methods(name: String) throws {
    #expect(try head("\(name) / HTTP/1.1\r\nHost: a\r\n\r\n").method.rawValue == name)
  }

  @Test(
    "say whether the connection stays",
    arguments: [
      ("1.1", "", true), ("1.1", "Connection: close\r\n", false), ("1.1", "Connection: x , CLOSE\r\n", false),
      ("1.1", "Connection: closed\r\n", true), ("1.0", "", false), ("1.0", "Connection: Keep-Alive\r\n", true),
      ("1.0", "Connection: keep-alive, close\r\n", false), ("1.1", "Connection: a\r\nConnection: close\r\n", false),
    ])
  func persistence(version: String, fields: String, stays: Bool) throws {
    #expect(try head("GET / HTTP/\(version)\r\nHost: a\r\n\(fields)\r\n").keepsAlive == stays)
  }

  @Test("treat a higher minor version as 1.1 and let 1.0 come without Host")
  func versions() throws {
    #expect(try head("GET / HTTP/1.7\r\nHost: a\r\n\r\n").version == .http11)
    #expect(try head("GET / HTTP/1.0\r\n\r\n").version == .http10)
  }

  @Test("expect 100 only with content and in HTTP/1.1")
  func expectation() throws {
    let fields = "Host: a\r\nExpect: 100-Continue\r\n"
    #expect(try head("PUT / HTTP/1.1\r\n\(fields)Content-Length: 1\r\n\r\n").expectsContinue)
    #expect(try head("PUT / HTTP/1.1\r\n\(fields)Transfer-Encoding: chunked\r\n\r\n").expectsContinue)
    #expect(try !head("PUT / HTTP/1.1\r\n\(fields)\r\n").expectsContinue)
    #expect(try !head("PUT / HTTP/1.0\r\n\(fields)Content-Length: 1\r\n\r\n").expectsContinue)
  }

  @Test("frame the content that follows")
  func framing() throws {
    #expect(try head("PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n").framing == .chunked)
    #expect(try head("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n").framing == .none)
    #expect(try head("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 007\r\n\r\n").framing == .length(7))
    #expect(try head("PUT / HTTP/1.1\r\nHost: a\r\n\r\n").framing == .none)
  }

  @Test(
    "accept a host that is a name or an address",
    arguments: ["a", "a:80", "mail.crepes.fr", "127.0.0.1:8055", "[::1]", "[::1]:80", "a:", "x_y"])
  func hosts(host: String) throws {
    #expect(try head("GET / HTTP/1.1\r\nHost: \(host)\r\n\r\n").value("host") == host)
  }

  @Test("refuse the byte order of attacks with no more memory than the limits")
  func bounded() throws {
    var limits = Limits()
    limits.fieldLine = 64
    limits.head = 256
    var parser = RequestParser(limits: limits)
    _ = try parser.feed(Array("GET / HTTP/1.1\r\nHost: a\r\n".utf8))
    #expect(throws: RequestError.fieldTooLong) {
      for _ in 0..<100 { _ = try parser.feed(Array("x".utf8)) }
    }
  }
}
