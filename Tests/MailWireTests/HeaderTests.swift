import MailWire
import Testing

@Suite struct HeaderTests {
  @Test func `fields are unfolded and keep their place`() throws {
    let letter = Array("Subject: one\r\n two\r\n\tthree \r\nTo:bob@x.y\r\n\r\nbody\r\n".utf8)
    let header = HeaderBlock(letter)
    #expect(header.fields.map(\.name) == ["Subject", "To"])
    #expect(header.first("subject")?.text == "one two\tthree")
    #expect(header.first("TO")?.text == "bob@x.y")
    #expect(String(decoding: letter[header.bodyStart...], as: UTF8.self) == "body\r\n")
    #expect(letter[header.fields[1].range].elementsEqual("To:bob@x.y\r\n".utf8))
    #expect(header.problems.isEmpty)
  }

  @Test func `a letter without header is all body`() {
    let header = HeaderBlock(Array("Do you like ketchup?\r\nHow about pickles?\r\n".utf8))
    #expect(header.isEmpty)
    #expect(header.bodyStart == 0)
  }

  @Test func `a line that is no field begins the body`() {
    let letter = Array("A: 1\nnonsense here\nB: 2\n\nbody".utf8)
    let header = HeaderBlock(letter)
    #expect(header.fields.map(\.name) == ["A"])
    #expect(letter[header.bodyStart...].starts(with: "nonsense".utf8))
    #expect(header.problems.count == 1)
  }

  @Test func `an mbox line, a blank before the colon and an end without body are put up with`() {
    let header = HeaderBlock(Array("From bob Mon Nov 23\nSubject : x\nTo: y".utf8))
    #expect(header.fields.map(\.name) == ["Subject", "To"])
    #expect(HeaderBlock([]).bodyStart == 0)
    #expect(HeaderBlock(Array("\r\nbody".utf8)).bodyStart == 2)
  }

  @Test func `every prefix of a letter is read`() {
    let letter = Array("Subject: =?utf-8?q?a?=\r\n b\r\nContent-Type: text/plain; a*0=\"b\r\n\r\nc".utf8)
    for end in 0...letter.count {
      let header = HeaderBlock(Array(letter[..<end]))
      #expect(header.bodyStart <= end)
      _ = header.fields.map { ($0.text, ParameterField(parsing: $0.value), NamedAddress.list($0.value)) }
    }
  }
}

@Suite struct EncodedWordTests {
  /// RFC 2047 §8, with the parentheses of its comments.
  @Test(arguments: [
    ("(=?ISO-8859-1?Q?a?=)", "(a)"),
    ("(=?ISO-8859-1?Q?a?= b)", "(a b)"),
    ("(=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=)", "(ab)"),
    ("(=?ISO-8859-1?Q?a?=  =?ISO-8859-1?Q?b?=)", "(ab)"),
    ("(=?ISO-8859-1?Q?a?=\r\n    =?ISO-8859-1?Q?b?=)", "(ab)"),
    ("(=?ISO-8859-1?Q?a_b?=)", "(a b)"),
    ("(=?ISO-8859-1?Q?a?= =?ISO-8859-2?Q?_b?=)", "(a b)"),
    ("=?US-ASCII?Q?Keith_Moore?= <moore@cs.utk.edu>", "Keith Moore <moore@cs.utk.edu>"),
    ("=?ISO-8859-1?Q?Keld_J=F8rn_Simonsen?= <keld@dkuug.dk>", "Keld Jørn Simonsen <keld@dkuug.dk>"),
    ("=?ISO-8859-1?Q?Andr=E9?= Pirard <PIRARD@vm1.ulg.ac.be>", "André Pirard <PIRARD@vm1.ulg.ac.be>"),
    (
      "=?ISO-8859-1?B?SWYgeW91IGNhbiByZWFkIHRoaXMgeW8=?=\r\n =?ISO-8859-2?B?dSB1bmRlcnN0YW5kIHRoZSBleGFtcGxlLg==?=",
      "If you can read this you understand the example."
    ),
    ("=?ISO-8859-1?Q?Olle_J=E4rnefors?= <ojarnef@admin.kth.se>", "Olle Järnefors <ojarnef@admin.kth.se>"),
    ("=?ISO-8859-1?Q?Patrik_F=E4ltstr=F6m?= <paf@nada.kth.se>", "Patrik Fältström <paf@nada.kth.se>"),
    ("=?utf-8?q?a_?= =?utf-8?q?b_?=", "a b "),
    // RFC 2231 §5: a language behind the character set.
    ("=?US-ASCII*EN?Q?Keith_Moore?= <moore@cs.utk.edu>", "Keith Moore <moore@cs.utk.edu>"),
  ])
  func `the examples of RFC 2047 and 2231 are decoded`(field: String, text: String) {
    #expect(EncodedWord.decode(field.utf8) == text)
  }

  @Test func `a character split between two words is put together`() {
    #expect(EncodedWord.decode("=?utf-8?B?w4U=?= =?utf-8?Q?=C3?= =?UTF-8?Q?=A9?=".utf8) == "Åé")
  }

  @Test(arguments: [
    "=?", "=?utf-8?", "=?utf-8?Q?", "=?utf-8?Q?abc", "=?utf-8?X?abc?=", "= ?utf-8?Q?a?=",
    "=?iso-2022-jp?B?GyRCRnxLXBsoQg==?=", "=?gb2312?Q?=D6=D0?=", "=?klingon?Q?a?=", "=?a b?Q?c?=",
  ])
  func `what is no word that can be read stays as it stands`(field: String) {
    #expect(EncodedWord.decode(field.utf8) == field)
  }

  @Test(arguments: [
    ("=?iso-2022-jp?B?GyRCRnxLXBsoQg==?=", "the character set iso-2022-jp is not known here"),
    ("a =?big5?Q?=A4=A4?= b", "the character set big5 is not known here"),
    ("=?utf-8?Q?=FF?=", "the text is not valid UTF-8; shown as windows-1252"),
    ("=?utf-8?Q?=G?=", "a broken escape in quoted-printable is shown as it stands"),
    ("=?koi8-r?Q?=F0?= =?gb2312?Q?ok?=", nil), ("plain =? text?", nil),
  ])
  func `the reason is told`(field: String, problem: String?) {
    #expect(EncodedWord.read(field.utf8).problem == problem)
  }

  @Test func `many words are one text`() {
    let value = String(repeating: "=?utf-8?q?=C3?= =?utf-8?q?=A9_?=\r\n ", count: 2000)
    #expect(EncodedWord.decode(value.utf8) == String(repeating: "é ", count: 2000) + "\r\n ")
  }

  @Test func `bare octets are read as UTF-8, else as Windows-1252`() {
    #expect(EncodedWord.decode("Grüße".utf8) == "Grüße")
    #expect(EncodedWord.decode([0x93, 0xFC, 0x94]) == "“ü”")
  }

  @Test(arguments: [
    "Grüße", "a", "日本語のとても長い件名がここにあって一行には入りきらないので折り返されなければならない", "é b", " =?x?= ",
    String(repeating: "ä ", count: 100), "😀" + String(repeating: "👩‍👩‍👧", count: 30),
  ])
  func `a text survives its words, none longer than 75`(text: String) {
    let words = EncodedWord.words(text)
    #expect(words.allSatisfy { $0.utf8.count <= 75 && $0.utf8.allSatisfy { $0 < 0x80 } })
    #expect(EncodedWord.decode(words.joined(separator: "\r\n ").utf8) == text)
  }
}

@Suite struct ParameterTests {
  /// RFC 2231 §3 and §4.
  @Test func `continuations and character sets of RFC 2231 are joined`() {
    let url = ParameterField(
      parsing:
        "message/external-body; access-type=URL;\r\n URL*0=\"ftp://\";\r\n URL*1=\"cs.utk.edu/pub/moore/bulk-mailer/bulk-mailer.tar\""
        .utf8)
    #expect(url.value == "message/external-body")
    #expect(url["access-type"] == "URL")
    #expect(url["url"] == "ftp://cs.utk.edu/pub/moore/bulk-mailer/bulk-mailer.tar")
    let title = ParameterField(
      parsing: "application/x-stuff; title*=us-ascii'en-us'This%20is%20%2A%2A%2Afun%2A%2A%2A".utf8)
    #expect(title["title"] == "This is ***fun***")
    let both = ParameterField(
      parsing:
        "application/x-stuff; title*0*=us-ascii'en'This%20is%20even%20more%20; title*1*=%2A%2A%2Afun%2A%2A%2A%20; title*2=\"isn't it!\""
        .utf8)
    #expect(both["title"] == "This is even more ***fun*** isn't it!")
  }

  @Test(arguments: [
    ("text/plain; charset=us-ascii (Plain text)", "text/plain", "charset", "us-ascii"),
    ("Text/Plain;Charset=\"utf-8\"", "text/plain", "charset", "utf-8"),
    ("text/plain ; ; charset = utf-8 ;", "text/plain", "charset", "utf-8"),
    ("attachment; filename=\"a;b\\\"c.txt\"", "attachment", "filename", "a;b\"c.txt"),
    ("attachment; filename=a/b=c.txt", "attachment", "filename", "a/b=c.txt"),
    ("attachment; filename==?utf-8?q?=C3=A9.txt?=", "attachment", "filename", "é.txt"),
    ("attachment; filename=\"plain\"; filename*=UTF-8''%C3%A9", "attachment", "filename", "é"),
    ("attachment; filename*1=b; filename*0=a; filename*3=d", "attachment", "filename", "ab"),
    ("multipart/mixed; boundary=\"unclosed", "multipart/mixed", "boundary", "unclosed"),
    ("(a (nested) comment) text/html; charset=x", "text/html", "charset", "x"),
  ])
  func `parameters are read tolerantly`(text: String, value: String, name: String, parameter: String) {
    let field = ParameterField(parsing: text.utf8)
    #expect(field.value == value)
    #expect(field[name] == parameter)
  }

  @Test(arguments: [
    "a.txt", "a b.txt", "a\"b\\c", "é.txt", String(repeating: "日本", count: 40) + ".txt", "",
    String(repeating: "x", count: 300),
  ])
  func `a parameter survives writing and reading`(value: String) {
    var writer = HeaderWriter()
    writer.parameters("Content-Disposition", ParameterField("attachment", [("filename", value)]))
    let lines = writer.bytes.split(separator: 0x0A)
    #expect(lines.allSatisfy { $0.count <= 79 && $0.allSatisfy { $0 < 0x80 } })
    let header = HeaderBlock(writer.bytes)
    #expect(header.fields.count == 1)
    #expect(ParameterField(parsing: header.fields[0].value)["filename"] == value)
  }
}

@Suite struct AddressListTests {
  /// RFC 5322 appendix A.1 to A.6.
  @Test(
    arguments: [
      ("John Doe <jdoe@machine.example>", ["John Doe <jdoe@machine.example>"]),
      ("\"Joe Q. Public\" <john.q.public@example.com>", ["Joe Q. Public <john.q.public@example.com>"]),
      (
        "Mary Smith <mary@x.test>, jdoe@example.org, Who? <one@y.test>",
        ["Mary Smith <mary@x.test>", "jdoe@example.org", "Who? <one@y.test>"]
      ),
      (
        "<boss@nil.test>, \"Giant; \\\"Big\\\" Box\" <sysservices@example.net>",
        ["boss@nil.test", "Giant; \"Big\" Box <sysservices@example.net>"]
      ),
      (
        "A Group:Ed Jones <c@a.test>,joe@where.test,John <jdoe@one.test>;",
        ["Ed Jones <c@a.test>", "joe@where.test", "John <jdoe@one.test>"]
      ),
      ("Undisclosed recipients:;", []),
      (
        "Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>", ["Pete <pete@silly.test>"]
      ),
      (
        "A Group(Some people)\r\n     :Chris Jones <c@(Chris's host.)public.example>,\r\n         joe@example.org,\r\n  John <jdoe@one.test> (my dear friend); (the end of the group)",
        ["Chris Jones <c@public.example>", "joe@example.org", "John <jdoe@one.test>"]
      ),
      ("(Empty list)(start)Hidden recipients  :(nobody(that I know))  ;", []),
      ("Joe Q. Public <john.q.public@example.com>", ["Joe Q. Public <john.q.public@example.com>"]),
      (
        "Mary Smith <@node.test:mary@example.net>, , jdoe@test  . example",
        ["Mary Smith <mary@example.net>", "jdoe@test.example"]
      ),
      ("\"a b\"@x.y", ["\"a b\"@x.y"]),
      ("bob@hamburger.edu (Bob)", ["Bob <bob@hamburger.edu>"]),
      ("=?utf-8?q?J=C3=B6rg?= <j@x.y>", ["Jörg <j@x.y>"]),
      ("bob", ["bob"]),
    ] as [(String, [String])])
  func `address lists are read`(field: String, expected: [String]) {
    #expect(NamedAddress.list(field.utf8).map(\.text) == expected)
  }

  @Test func `what is no mailbox has no address`() {
    let list = NamedAddress.list("bob, <>, <a@@b>, ok@x.y".utf8)
    #expect(list.map { $0.address?.description } == [nil, nil, nil, "ok@x.y"])
    #expect(NamedAddress("Bob <bob@x.y>")?.name == "Bob")
    #expect(NamedAddress("a@x.y, b@x.y") == nil)
    #expect(NamedAddress("nobody") == nil)
  }

  @Test(arguments: ["Alice", "Joe Q. Public", "a \"b\" \\ c", "Jörg", "日本 太郎", "x@y", "=?utf-8?q?a?=", "two  blanks"])
  func `a display name survives writing and reading`(name: String) throws {
    let address = try #require(MailAddress("a@x.y"))
    var writer = HeaderWriter()
    writer.addresses("To", [NamedAddress(name: name, address), NamedAddress(address)])
    #expect(writer.bytes.allSatisfy { $0 < 0x80 })
    let list = NamedAddress.list(HeaderBlock(writer.bytes).fields[0].value)
    #expect(list == [NamedAddress(name: name, address), NamedAddress(address)])
  }
}

@Suite struct HeaderWriterTests {
  @Test(arguments: [
    "short", String(repeating: "word ", count: 60) + "end", "Grüße aus Köln", "a  b",
    String(repeating: "x", count: 2000),
    "", " lead", "=?utf-8?q?no?=",
  ])
  func `a subject survives, in short ASCII lines`(text: String) {
    var writer = HeaderWriter()
    writer.text("Subject", text)
    #expect(writer.bytes.split(separator: 0x0A).allSatisfy { $0.count <= 79 })
    #expect(writer.bytes.allSatisfy { $0 < 0x80 })
    let header = HeaderBlock(writer.bytes)
    #expect(header.fields.count == 1)
    #expect(header.first("Subject")?.text == text)
  }

  @Test func `no text begins a field of its own`() {
    var writer = HeaderWriter()
    writer.text("Subject", "hi\r\nBcc: eve@x.y\r\n\r\nbody")
    #expect(HeaderBlock(writer.bytes).fields.count == 1)
  }
}

@Suite struct DateTests {
  @Test(
    arguments: [
      ("Fri, 21 Nov 1997 09:55:06 -0600", 880_127_706),
      ("Tue, 1 Jul 2003 10:52:37 +0200", 1_057_049_557),
      ("Thu, 13 Feb 1969 23:32 -0330", -27_723_480),
      ("21 Nov 97 09:55:06 GMT", 880_106_106),
      ("Fri, 21 Nov 1997 09(comment):   55  :  06 -0600", 880_127_706),
      ("Thu,\r\n  13\r\n    Feb\r\n      1969\r\n  23:32\r\n   -0330 (Newfoundland Time)", -27_723_480),
      ("Mon, 23 Nov 2026 11:00:00 +0000", 1_795_431_600),
      ("29 Feb 2024 00:00:00 EST", 1_709_182_800),
      ("Thu, 1 Jan 1970 00:00:00 Z", 0),
      ("31 Dec 1998 23:59:60 +0000", 915_148_799),
      ("1-Jan-2000 00:00:00 +0000", 946_684_800),
    ] as [(String, Int64)])
  func `dates are read, obsolete ones too`(text: String, seconds: Int64) {
    #expect(MailDate.parse(text.utf8) == seconds)
  }

  @Test(arguments: [
    "", "yesterday", "Fri, 32 Nov 1997 09:55:06 -0600", "29 Feb 2023 00:00:00 +0000", "21 Nov 1997",
    "21 Foo 1997 00:00 +0000",
    "21 Nov 1997 25:00 +0000", "21 Nov 1997 00:60 +0000", "Xyz, 21 Nov 1997 00:00 +0000", "21 Nov 1997 00:00 +06",
  ])
  func `what is no date is none`(text: String) {
    #expect(MailDate.parse(text.utf8) == nil)
  }

  @Test func `dates are written and read back`() {
    #expect(MailDate.format(880_127_706, offsetMinutes: -360) == "Fri, 21 Nov 1997 09:55:06 -0600")
    #expect(MailDate.format(0) == "Thu, 1 Jan 1970 00:00:00 +0000")
    #expect(MailDate.format(-1) == "Wed, 31 Dec 1969 23:59:59 +0000")
    for seconds in stride(from: Int64(-3_000_000_000), to: 10_000_000_000, by: 86_399_777) {
      #expect(MailDate.parse(MailDate.format(seconds, offsetMinutes: 330).utf8) == seconds)
    }
  }

  @Test func `message ids are listed`() {
    #expect(MessageID.list("<a@b> (c) <d@\r\n e> <> <f".utf8) == ["<a@b>", "<d@e>"])
  }
}
