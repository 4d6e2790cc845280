import HTTPWire
import Testing

@Suite("What is refused, never guessed at")
struct RefusalTests {
  /// A head and why it is refused.
  static let heads: [(String, RequestError)] = {
    let post = "POST / HTTP/1.1\r\nHost: a\r\n"
    let get = "GET / HTTP/1.1\r\nHost: a\r\n"
    let long = String(repeating: "x", count: 9000)
    return [
      // Framing
      (post + "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n", .lengthWithTransferEncoding),
      (post + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", .lengthWithTransferEncoding),
      (post + "Content-Length: 3\r\nContent-Length: 4\r\n\r\n", .repeatedContentLength),
      (post + "Content-Length: 3\r\ncontent-length: 3\r\n\r\n", .repeatedContentLength),
      (post + "Content-Length: 3, 3\r\n\r\n", .malformedContentLength),
      (post + "Content-Length: +3\r\n\r\n", .malformedContentLength),
      (post + "Content-Length: -3\r\n\r\n", .malformedContentLength),
      (post + "Content-Length: 0x3\r\n\r\n", .malformedContentLength),
      (post + "Content-Length: 3 3\r\n\r\n", .malformedContentLength),
      (post + "Content-Length:\r\n\r\n", .malformedContentLength),
      (post + "Content-Length: 99999999999999999999\r\n\r\n", .contentTooLarge),
      (post + "Content-Length: 999999999999\r\n\r\n", .contentTooLarge),
      (post + "Transfer-Encoding: gzip\r\n\r\n", .unknownTransferEncoding),
      (post + "Transfer-Encoding: gzip, chunked\r\n\r\n", .unknownTransferEncoding),
      (post + "Transfer-Encoding: chunked, identity\r\n\r\n", .unknownTransferEncoding),
      (post + "Transfer-Encoding: xchunked\r\n\r\n", .unknownTransferEncoding),
      (post + "Transfer-Encoding:\r\n\r\n", .unknownTransferEncoding),
      (post + "Transfer-Encoding: \u{b}chunked\r\n\r\n", .malformedFieldValue),
      (post + "Transfer-Encoding: chunked, chunked\r\n\r\n", .repeatedTransferEncoding),
      (post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", .repeatedTransferEncoding),
      ("POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", .transferEncodingInHTTP10),
      (post + "Expect: magic\r\nContent-Length: 1\r\n\r\n", .unknownExpectation),
      // Fields
      (get + "X : 1\r\n\r\n", .spaceBeforeColon),
      (get + "Content-Length : 1\r\n\r\n", .spaceBeforeColon),
      (get + "X\t: 1\r\n\r\n", .spaceBeforeColon),
      (get + "X: 1\r\n folded\r\n\r\n", .foldedField),
      (get + "X: 1\r\n\tfolded\r\n\r\n", .foldedField),
      ("GET / HTTP/1.1\r\n Host: a\r\n\r\n", .foldedField),
      (get + "X: a\rb\r\n\r\n", .bareCarriageReturn),
      (get + "X: a\r\r\n\r\n", .bareCarriageReturn),
      (get + "X: a\n\r\n", .bareLineFeed),
      ("GET / HTTP/1.1\nHost: a\n\n", .bareLineFeed),
      ("\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", .bareLineFeed),
      ("\rGET / HTTP/1.1\r\nHost: a\r\n\r\n", .bareCarriageReturn),
      (get + "X: a\u{0}b\r\n\r\n", .malformedFieldValue),
      (get + "X: a\u{7f}b\r\n\r\n", .malformedFieldValue),
      (get + "X: a\u{1}b\r\n\r\n", .malformedFieldValue),
      (get + "X\u{0}: a\r\n\r\n", .malformedFieldName),
      (get + "X(: a\r\n\r\n", .malformedFieldName),
      (get + ": a\r\n\r\n", .malformedFieldName),
      (get + "nonsense\r\n\r\n", .malformedFieldName),
      (get + "X Y: a\r\n\r\n", .malformedFieldName),
      (get + "\u{e9}: a\r\n\r\n", .malformedFieldName),
      // Host
      ("GET / HTTP/1.1\r\n\r\n", .missingHost),
      ("GET http://a/ HTTP/1.1\r\n\r\n", .missingHost),
      (get + "Host: a\r\n\r\n", .repeatedHost),
      (get + "host: b\r\n\r\n", .repeatedHost),
      ("GET / HTTP/1.1\r\nHost:\r\n\r\n", .malformedHost),
      ("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", .malformedHost),
      ("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", .malformedHost),
      ("GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", .malformedHost),
      ("GET / HTTP/1.1\r\nHost: a:b\r\n\r\n", .malformedHost),
      ("GET / HTTP/1.1\r\nHost: a:99999\r\n\r\n", .malformedHost),
      ("GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", .malformedHost),
      ("GET / HTTP/1.1\r\nHost: [x]\r\n\r\n", .malformedHost),
      ("GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", .malformedHost),
      // Request line
      ("BREW / HTTP/1.1\r\nHost: a\r\n\r\n", .unknownMethod),
      ("get / HTTP/1.1\r\nHost: a\r\n\r\n", .unknownMethod),
      ("GETTTTTTTT / HTTP/1.1\r\nHost: a\r\n\r\n", .unknownMethod),
      ("CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", .unknownMethod),
      ("G(T / HTTP/1.1\r\nHost: a\r\n\r\n", .malformedMethod),
      (" / HTTP/1.1\r\nHost: a\r\n\r\n", .malformedMethod),
      ("\u{16}\u{3}\u{1}\r\n\r\n", .malformedMethod),
      ("GET  / HTTP/1.1\r\nHost: a\r\n\r\n", .malformedRequestLine),
      ("GET /  HTTP/1.1\r\nHost: a\r\n\r\n", .malformedRequestLine),
      ("GET / HTTP/1.1 \r\nHost: a\r\n\r\n", .malformedRequestLine),
      ("GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", .malformedRequestLine),
      ("GET /\r\nHost: a\r\n\r\n", .malformedRequestLine),
      ("GET\r\n\r\n", .malformedRequestLine),
      ("GET /\u{0} HTTP/1.1\r\nHost: a\r\n\r\n", .malformedRequestLine),
      ("GET /a\rb HTTP/1.1\r\nHost: a\r\n\r\n", .malformedRequestLine),
      ("GET / http/1.1\r\nHost: a\r\n\r\n", .malformedVersion),
      ("GET / HTTP/1.1x\r\nHost: a\r\n\r\n", .malformedVersion),
      ("GET / HTTP/11\r\nHost: a\r\n\r\n", .malformedVersion),
      ("GET / HTTP/2.0\r\nHost: a\r\n\r\n", .unsupportedVersion),
      ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", .unsupportedVersion),
      ("GET / HTTP/0.9\r\nHost: a\r\n\r\n", .unsupportedVersion),
      // Targets
      ("GET a HTTP/1.1\r\nHost: a\r\n\r\n", .malformedTarget),
      ("GET * HTTP/1.1\r\nHost: a\r\n\r\n", .malformedTarget),
      ("GET /#x HTTP/1.1\r\nHost: a\r\n\r\n", .malformedTarget),
      ("GET /?a#x HTTP/1.1\r\nHost: a\r\n\r\n", .malformedTarget),
      ("GET /\u{e9} HTTP/1.1\r\nHost: a\r\n\r\n", .malformedTarget),
      ("GET /a\"b HTTP/1.1\r\nHost: a\r\n\r\n", .malformedTarget),
      ("GET /a\\b HTTP/1.1\r\nHost: a\r\n\r\n", .malformedTarget),
      ("GET https://a/ HTTP/1.1\r\nHost: a\r\n\r\n", .malformedTarget),
      ("GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n", .malformedTarget),
      ("GET http://u@a/x HTTP/1.1\r\nHost: a\r\n\r\n", .malformedTarget),
      ("GET /%0 HTTP/1.1\r\nHost: a\r\n\r\n", .malformedEscape),
      ("GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n", .malformedEscape),
      ("GET /%00 HTTP/1.1\r\nHost: a\r\n\r\n", .malformedEscape),
      // Sizes
      ("GET /\(long) HTTP/1.1\r\nHost: a\r\n\r\n", .requestLineTooLong),
      (get + "X: \(long)\r\n\r\n", .fieldTooLong),
      (get + String(repeating: "X: 1\r\n", count: 100) + "\r\n", .tooManyFields),
      (get + String(repeating: "X: \(long.prefix(8000))\r\n", count: 5) + "\r\n", .headTooLong),
    ]
  }()

  @Test("whole heads", arguments: heads)
  func whole(text: String, error: RequestError) {
    #expect(throws: error) { try parseHead(text, cut: 0) }
  }

  @Test("heads cut anywhere, for the same reason", arguments: heads.filter { $0.0.utf8.count < 400 })
  func everySplit(text: String, error: RequestError) {
    for cut in 0...text.utf8.count {
      #expect(throws: error, "cut at \(cut)") { try parseHead(text, cut: cut) }
    }
    #expect(throws: error) { try parseHeadByOctets(text) }
  }

  /// A chunked body and why it is refused.
  static let bodies: [(String, RequestError)] = [
    ("5\nhello\r\n0\r\n\r\n", .bareLineFeed),
    ("5;a\nhello\r\n0\r\n\r\n", .bareLineFeed),
    ("5\r\nhello\n0\r\n\r\n", .malformedChunkEnd),
    ("5\r\nhello\r0\r\n\r\n", .malformedChunkEnd),
    ("5\r\nhelloo\r\n0\r\n\r\n", .malformedChunkEnd),
    ("5\rhello\r\n", .bareCarriageReturn),
    ("\r\n", .malformedChunkSize),
    (" 5\r\nhello\r\n", .malformedChunkSize),
    ("5 \r\nhello\r\n", .malformedChunkSize),
    ("0x5\r\nhello\r\n", .malformedChunkSize),
    ("-5\r\nhello\r\n", .malformedChunkSize),
    ("+5\r\nhello\r\n", .malformedChunkSize),
    ("g\r\n", .malformedChunkSize),
    ("5;a\u{0}\r\nhello\r\n", .malformedChunkSize),
    ("ffffffffffffffff\r\n", .chunkSizeOverflow),
    ("7fffffffffffffff0\r\n", .chunkSizeOverflow),
    ("\(String(repeating: "0", count: 300))5\r\nhello\r\n", .chunkLineTooLong),
    ("5 \t 5\r\nhello\r\n", .malformedChunkSize),
    ("5\(String(repeating: " ", count: 300));\r\nhello\r\n", .chunkLineTooLong),
    ("fffffffffffffff\r\n", .contentTooLarge),
    ("5;\(String(repeating: "x", count: 300))\r\nhello\r\n", .chunkLineTooLong),
    ("0\r\nX : y\r\n\r\n", .spaceBeforeColon),
    ("0\r\nX: y\n\r\n", .bareLineFeed),
    ("0\r\nX: a\rb\r\n\r\n", .bareCarriageReturn),
    ("0\r\nX: y\r\n z\r\n\r\n", .foldedField),
    ("0\r\nContent-Length: 5\r\n\r\n", .forbiddenTrailer),
    ("0\r\nX: \(String(repeating: "x", count: 9000))\r\n\r\n", .fieldTooLong),
    ("0\r\n" + String(repeating: "X: \(String(repeating: "x", count: 2000))\r\n", count: 5), .trailersTooLong),
  ]

  @Test("chunked content in pieces of any size", arguments: bodies)
  func chunks(text: String, error: RequestError) {
    for size in [1, 2, 3, 7, text.utf8.count] {
      #expect(throws: error) { try decodeBody(Array(text.utf8), .chunked, size: size) }
    }
  }

  @Test("content beyond the limit, however small its chunks")
  func contentLimit() {
    var limits = Limits()
    limits.body = 8
    let text = String(repeating: "3\r\nabc\r\n", count: 3)
    for size in 1...text.utf8.count {
      #expect(throws: RequestError.contentTooLarge) {
        try decodeBody(Array(text.utf8), .chunked, size: size, limits: limits)
      }
    }
  }

  @Test("extensions without end, over many chunks")
  func extensionLimit() {
    let text = String(repeating: "1;\(String(repeating: "x", count: 200))\r\na\r\n", count: 30)
    #expect(throws: RequestError.chunkLineTooLong) { try decodeBody(Array(text.utf8), .chunked, size: 64) }
  }

  @Test("every refusal has a status of its class and words for a person", arguments: RequestError.allCases)
  func words(error: RequestError) {
    #expect([400, 413, 414, 417, 431, 501, 505].contains(error.status.code))
    #expect(error.detail.hasSuffix("."))
  }
}
