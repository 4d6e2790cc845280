import HTTPWire
import Octets
import Testing

@Suite("Targets")
struct TargetTests {
  @Test(
    "are decoded once, then lose their dot segments and never leave the root",
    arguments: [
      ("/", "/"), ("/a/b", "/a/b"), ("/a//b", "/a//b"), ("/a/", "/a/"), ("/.", "/"), ("/..", "/"), ("/a/..", "/"),
      ("/a/./b", "/a/b"), ("/a/../b", "/b"), ("/a/b/../../c", "/c"), ("/../../etc/passwd", "/etc/passwd"),
      ("/a/../../b", "/b"), ("/%2e%2e/x", "/x"), ("/a/%2E%2e/%2e/b", "/b"), ("/..%2f..%2fetc", "/etc"),
      ("/%252e%252e/x", "/%2e%2e/x"), ("/a%20b", "/a b"), ("/caf%C3%A9", "/café"), ("/...", "/..."),
      ("/.a/..b", "/.a/..b"), ("/a/b/.", "/a/b/"), ("/a/b/..", "/a/"), ("/a|[b]", "/a|[b]"), ("/a+b", "/a+b"),
    ])
  func paths(target: String, path: String) throws {
    let head = try head(target: target)
    #expect(head.text(head.path) == path)
  }

  @Test("in absolute-form name the host themselves")
  func absolute() throws {
    let head = try head(target: "http://b.example:8080/x/../y?q=1")
    #expect(head.form == .absolute)
    #expect(head.text(head.authority) == "b.example:8080")
    #expect(head.text(head.path) == "/y")
    #expect(head.queryValue("q") == "1")
    let bare = try HTTPWireTests.head(target: "HTTP://b")
    #expect(bare.text(bare.path) == "/")
  }

  @Test("may be an asterisk with OPTIONS")
  func asterisk() throws {
    let head = try head(target: "*", method: "OPTIONS")
    #expect(head.form == .asterisk)
    #expect(head.text(head.path) == "*")
  }

  @Test("have parameters that are decoded as forms are")
  func query() throws {
    let head = try head(target: "/?a=1&b=x+y%26z&a=2&flag&=v&bad=%zz&%61b=c&&u=%C3%A9")
    #expect(head.queryValue("a") == "1")
    #expect(head.queryValue("b") == "x y&z")
    #expect(head.queryValue("flag") == "")
    #expect(head.queryValue("bad") == "%zz")
    #expect(head.queryValue("ab") == "c")
    #expect(head.queryValue("u") == "é")
    #expect(head.queryValue("none") == nil)
    #expect(head.queryItems.count == 8)
    #expect(head.queryItems.map(\.name).filter { $0 == "a" }.count == 2)
  }

  @Test("are encoded so that they decode to the same", arguments: ["", "a b", "alice@crepes.fr", "é/%?#&=+", "~-._"])
  func encoding(text: String) {
    let encoded = PercentEncoding.encode(text)
    #expect(encoded.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f && $0 != 0x2f && $0 != 0x3f })
    #expect(PercentEncoding.decode(Array(encoded.utf8)[...]) == Array(text.utf8))
  }
}
