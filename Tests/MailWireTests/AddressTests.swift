import MailWire
import Octets
import Testing

@Suite struct AddressTests {
  @Test(arguments: [
    ("alice@crepes.fr", "alice", "crepes.fr"),
    ("Alice.B+tag@Crepes.FR", "Alice.B+tag", "Crepes.FR"),
    ("\"john doe\"@example.org", "john doe", "example.org"),
    ("\"a\\\"b\\\\c\"@example.org", "a\"b\\c", "example.org"),
    ("\"a@b\"@example.org", "a@b", "example.org"),
    ("user@[127.0.0.1]", "user", "[127.0.0.1]"),
    ("user@[IPv6:::1]", "user", "[IPv6:::1]"),
    ("用户@例子.中国", "用户", "例子.中国"),
    ("postmaster@localhost", "postmaster", "localhost"),
    ("!#$%&'*+-/=?^_`{|}~@x.y", "!#$%&'*+-/=?^_`{|}~", "x.y"),
  ])
  func `a mailbox is taken apart and written back`(text: String, local: String, domain: String) throws {
    let address = try #require(MailAddress(text))
    #expect(address.local == local)
    #expect(address.domain == domain)
    #expect(address.description == text)
  }

  @Test(arguments: [
    "", "alice", "@x.y", "alice@", ".a@x.y", "a.@x.y", "a..b@x.y", "a b@x.y", "a@x..y", "a@.x", "a@x.", "a@-x.y",
    "a@x-.y", "a@b@c", "\"\"@x.y", "\"a@x.y", "\"a\"b@x.y", "a@[127.0.0.1", "a@[::1]", "a@[IPv6:127.0.0.1]",
    "a@[1.2.3]", "a@x.y ", "<a@x.y>", "a\r\n@x.y", "\"a\r\n\"@x.y", "a@x y", "a@x/y", "a@×.y", "a@x\u{9B}.y",
    "a\u{9B}@x.y",
  ])
  func `what is no mailbox is refused`(text: String) {
    #expect(MailAddress(text) == nil)
  }

  @Test func `length limits are those of RFC 5321`() {
    #expect(MailAddress(String(repeating: "a", count: 64) + "@x.y") != nil)
    #expect(MailAddress(String(repeating: "a", count: 65) + "@x.y") == nil)
    #expect(MailAddress("a@" + String(repeating: "b", count: 64) + ".y") == nil)
    let long = Array(repeating: String(repeating: "b", count: 63), count: 4).joined(separator: ".")
    #expect(MailAddress("a@" + long) != nil)
    #expect(MailAddress("a@c." + long) == nil)
  }

  @Test func `the domain is compared without case, the local part with it`() {
    #expect(MailAddress("a@X.Y") == MailAddress("a@x.y"))
    #expect(MailAddress("A@x.y") != MailAddress("a@x.y"))
    #expect(Set([MailAddress("a@X.Y"), MailAddress("a@x.y")]).count == 1)
    #expect(MailAddress("Bob@Hamburger.EDU")?.folded == "bob@hamburger.edu")
  }

  @Test func `all spellings of a domain beyond ASCII are one`() throws {
    let spellings = try ["Bob@bücher.example", "Bob@BÜCHER.Example", "Bob@xn--bcher-kva.example"].map {
      try #require(MailAddress($0))
    }
    #expect(Set(spellings).count == 1)
    #expect(Set(spellings.map(\.folded)) == ["bob@xn--bcher-kva.example"])
    #expect(MailAddress("a@" + String(repeating: "例", count: 30) + ".example") != nil)
    #expect(MailAddress("a@" + String(repeating: "ü", count: 62) + ".example") == nil)
  }

  @Test func `quoting that is not needed is dropped`() {
    #expect(MailAddress("\"alice\"@x.y")?.description == "alice@x.y")
    #expect(MailAddress("\"al\\ice\"@x.y")?.description == "alice@x.y")
    #expect(MailAddress(local: "a b", domain: "x.y")?.path == "<\"a b\"@x.y>")
  }

  @Test func `an address literal gives its address`() {
    #expect(MailAddress("a@[127.0.0.1]")?.literal == IPAddress.loopbackV4)
    #expect(MailAddress("a@[IPv6:::1]")?.literal == IPAddress.loopbackV6)
    #expect(MailAddress("a@x.y")?.literal == nil)
  }

  @Test func `UTF-8 asks for SMTPUTF8`() {
    #expect(MailAddress("é@x.y")?.needsUTF8 == true)
    #expect(MailAddress("e@x.y")?.needsUTF8 == false)
    #expect(MailAddress(octets: [0xE9, 0x40, 0x78]) == nil)
  }
}

@Suite struct PathTests {
  @Test(arguments: [
    ("<alice@crepes.fr>", "alice@crepes.fr"),
    (" <alice@crepes.fr>", "alice@crepes.fr"),
    ("<@a.b,@c.d:alice@crepes.fr>", "alice@crepes.fr"),
    ("<Postmaster>", "Postmaster"),
    ("<\"a>b\"@x.y>", "\"a>b\"@x.y"),
  ])
  func `a path gives its mailbox`(line: String, expected: String) throws {
    #expect(try SMTPPath(line.utf8).address?.description == expected)
  }

  @Test func `the null path has no mailbox`() throws {
    let path = try SMTPPath("<> BODY=8BITMIME".utf8)
    #expect(path.address == nil)
    #expect(path.value("BODY") == "8BITMIME")
  }

  @Test(arguments: [
    "alice@crepes.fr", "<alice>", "<alice@crepes.fr", "<alice@crepes.fr>SIZE=1", "<@a.b alice@x.y>", "< a@b>", "<a@b >",
    "<a@b> =1", "<a@b> SIZE=", "<a@b> S!=1", "<a@b> A=b=c", "",
  ])
  func `a broken line is refused`(line: String) {
    #expect(throws: AddressError.self) { try SMTPPath(line.utf8) }
  }

  @Test func `parameters keep their order and values`() throws {
    let path = try SMTPPath("<a@b>  size=100 SMTPUTF8 AUTH=<>".utf8)
    #expect(path.parameters.map(\.keyword) == ["SIZE", "SMTPUTF8", "AUTH"])
    #expect(path.value("SIZE") == "100")
    #expect(path.value("SMTPUTF8") == "")
    #expect(path.value("BODY") == nil)
  }
}
