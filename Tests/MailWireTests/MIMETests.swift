import MailWire
import Testing

/// The letter of RFC 2049 appendix A, with its elided parts filled in.
let complexLetter = """
  MIME-Version: 1.0
  From: Nathaniel Borenstein <nsb@nsb.fv.com>
  To: Ned Freed <ned@innosoft.com>
  Date: Fri, 07 Oct 1994 16:15:05 -0700 (PDT)
  Subject: A multipart example
  Content-Type: multipart/mixed;
                boundary=unique-boundary-1

  This is the preamble area of a multipart message.
  Mail readers that understand multipart format
  should ignore this preamble.

  --unique-boundary-1

    ... Some text appears here ...
  --unique-boundary-1
  Content-type: text/plain; charset=US-ASCII

  This could have been part of the previous part, but
  illustrates explicit versus implicit typing of body parts.
  --unique-boundary-1
  Content-Type: multipart/parallel; boundary=unique-boundary-2

  --unique-boundary-2
  Content-Type: audio/basic
  Content-Transfer-Encoding: base64

  aGVsbG8=
  --unique-boundary-2
  Content-Type: image/jpeg
  Content-Transfer-Encoding: base64

  d29ybGQ=
  --unique-boundary-2--
  --unique-boundary-1
  Content-type: text/enriched

  This is <bold><italic>enriched.</italic></bold>
  --unique-boundary-1
  Content-Type: message/rfc822

  From: (mailbox in US-ASCII)
  To: (address in US-ASCII)
  Subject: (subject in US-ASCII)
  Content-Type: Text/plain; charset=ISO-8859-1
  Content-Transfer-Encoding: Quoted-printable

    ... Additional text in ISO-8859-1 goes here ... =E9
  --unique-boundary-1--
  epilogue

  """

func crlf(_ text: String) -> [UInt8] {
  Array(text.split(separator: "\n", omittingEmptySubsequences: false).joined(separator: "\r\n").utf8)
}

@Suite struct MIMETests {
  @Test(arguments: [true, false])
  func `the letter of RFC 2049 is taken apart, whichever its line ends`(isCRLF: Bool) {
    let message = ParsedMessage(isCRLF ? crlf(complexLetter) : Array(complexLetter.utf8))
    #expect(message.subject == "A multipart example")
    #expect(message.from.map(\.text) == ["Nathaniel Borenstein <nsb@nsb.fv.com>"])
    #expect(message.date == 781_571_705)
    #expect(
      message.root.parts.map(\.type.value) == [
        "text/plain", "text/plain", "multipart/parallel", "text/enriched", "message/rfc822",
      ])
    #expect(message.text()?.text.hasPrefix("  ... Some text appears here ...\nThis could") == true)
    #expect(message.html() == nil)
    #expect(message.attachments.map(\.type) == ["audio/basic", "image/jpeg", "text/enriched", "message/rfc822"])
    #expect(message.content(of: message.attachments[1]).octets == Array("world".utf8))
    let inner = message.root.parts[4].parts[0]
    #expect(inner.text(of: message.letter).text == "  ... Additional text in ISO-8859-1 goes here ... é")
    #expect(message.problems.isEmpty)
  }

  @Test func `every prefix of a letter is read`() {
    let letter = crlf(complexLetter)
    for end in 0...letter.count {
      let message = ParsedMessage(Array(letter[..<end]))
      _ = (message.text(), message.html(), message.attachments.map { message.content(of: $0).octets.count })
    }
  }

  @Test func `an alternative has its text and its html, a disposition makes an attachment`() {
    let message = ParsedMessage(
      crlf(
        """
        Content-Type: multipart/mixed; boundary="a b"

        --a b
        Content-Type: multipart/alternative; boundary=c

        --c

        plain
        --c
        Content-Type: text/html; charset=utf-8
        Content-Transfer-Encoding: quoted-printable

        <b>h=C3=A9</b>
        --c--
        --a b
        Content-Type: text/plain; name="../../etc/notes.txt"
        Content-Disposition: attachment

        note
        --a b--

        """))
    #expect(message.text()?.text == "plain")
    #expect(message.html()?.text == "<b>hé</b>")
    #expect(message.attachments.map(\.fileName) == ["notes.txt"])
    #expect(message.attachments.map(\.number) == [1])
  }

  @Test(arguments: [
    "Content-Type: multipart/mixed\n\nbody", "Content-Type: multipart/mixed; boundary=x\n\nbody",
    "Content-Type: multipart/mixed; boundary=x\n\n--x\n\nbody", "Content-Type: nonsense\n\nbody",
    "Content-Type: text/plain\nContent-Transfer-Encoding: x-odd\n\nbody",
    "Content-Type: multipart/mixed; boundary=x\nContent-Transfer-Encoding: base64\n\nbody",
  ])
  func `what can't be understood is shown as it stands, with the reason`(letter: String) {
    let message = ParsedMessage(crlf(letter))
    #expect(message.text()?.text == "body")
    #expect(message.problems.count == 1)
  }

  @Test func `depth and number of parts are bounded`() {
    var deep = "x"
    for level in 0..<40 {
      deep = "Content-Type: multipart/mixed; boundary=b\(level)\n\n--b\(level)\n\(deep)\n--b\(level)--\n"
    }
    #expect(ParsedMessage(crlf(deep)).problems.count == 1)
    let wide = "Content-Type: multipart/mixed; boundary=b\n\n" + String(repeating: "--b\n\nx\n", count: 3000)
    let message = ParsedMessage(crlf(wide))
    #expect(message.root.parts.count == MIMEPart.countLimit - 1)
    #expect(!message.problems.isEmpty)
  }

  @Test func `a delimiter needs its whole line`() {
    let message = ParsedMessage(crlf("Content-Type: multipart/mixed; boundary=b\n\n--b  \n\none\n--bc\n --b\n--b--\n"))
    #expect(message.text()?.text == "one\n--bc\n --b")
  }

  @Test func `a text is cut at a whole character`() {
    let message = ParsedMessage(Array("Content-Type: text/plain; charset=utf-8\r\n\r\nééé".utf8))
    #expect(message.text(limit: 3)?.text == "é")
    #expect(message.text(limit: 3)?.problems == ["only the first 3 octets of a text are shown"])
    #expect(message.text(limit: 6)?.problems == [])
  }

  @Test(arguments: [
    ("quoted-printable", "one=20two=\nthree=C3=A9\nfour=20five\n"),
    ("quoted-printable", "=41=42=43=44=45=46=47=48=49=4A=4B"),
    ("base64", "b25lCnR3bwp0aHJlZQ==\n"), ("base64", "b25lCnR3\nbwp0aHJlZQ\n=="), ("8bit", "oné\ntwö\nthreé\n"),
  ])
  func `a text that is cut has no faults of the cut`(encoding: String, body: String) throws {
    let message = ParsedMessage(
      crlf("Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: \(encoding)\n\n\(body)"))
    let whole = try #require(message.text()).text
    for limit in 0..<message.root.body.count {
      let cut = try #require(message.text(limit: limit))
      #expect(whole.hasPrefix(cut.text))
      #expect(cut.problems == ["only the first \(limit) octets of a text are shown"])
    }
  }

  @Test(arguments: ["quoted-printable", "base64"])
  func `a multipart that calls itself encoded is taken apart all the same`(encoding: String) {
    let message = ParsedMessage(
      crlf(
        """
        Content-Type: multipart/mixed; boundary=b
        Content-Transfer-Encoding: \(encoding)

        --b
        Content-Type: text/plain; charset=utf-8
        Content-Transfer-Encoding: base64

        w6k=
        --b
        Content-Type: image/png

        png
        --b--

        """))
    #expect(message.text()?.text == "é")
    #expect(message.attachments.map(\.type) == ["image/png"])
    #expect(message.problems == ["a multipart/mixed must not be in \(encoding)"])
  }

  @Test(arguments: [
    ("base64", "U3ViamVjdDogaGkNCg0KYm9keQ=="), ("quoted-printable", "Subject: =68i\n\nbo=\ndy"),
    ("base64", "Subject: hi\n\nbody"),
    ("7bit", "Subject: hi\n\nbody"),
  ])
  func `an enclosed letter is given out as the letter it is`(encoding: String, body: String) throws {
    let message = ParsedMessage(
      crlf(
        """
        Content-Type: multipart/mixed; boundary=b

        --b
        Content-Type: message/rfc822
        Content-Transfer-Encoding: \(encoding)

        \(body)
        --b--

        """))
    let attachment = try #require(message.attachments.first)
    let content = message.content(of: attachment)
    #expect(String(decoding: content.octets, as: UTF8.self) == "Subject: hi\r\n\r\nbody")
    #expect(content.problem == nil)
    #expect(message.problems.count == (encoding == "7bit" ? 0 : 1))
  }

  /// A part as its structure says.
  indirect enum Shape: CustomStringConvertible, Sendable {
    case leaf(String, String)
    case multi(String, [Shape])

    static func plain(_ text: String) -> Shape { .leaf("text/plain", text) }
    static func html(_ text: String) -> Shape { .leaf("text/html", text) }
    static let pdf = Shape.leaf("application/pdf", "pdf")

    var description: String {
      switch self {
      case .leaf(let type, let text): return "Content-Type: \(type)\n\n\(text)"
      case .multi(let kind, let parts):
        let body = parts.map(\.description)
        // Deeper boundaries are longer, and none begins as another one does.
        let boundary = "b\(body.joined().utf8.count)x"
        return "Content-Type: multipart/\(kind); boundary=\(boundary)\n\n"
          + body.map { "--\(boundary)\n\($0)\n" }.joined() + "--\(boundary)--"
      }
    }
  }

  @Test(
    arguments: [
      // A banner that a list or a scanner has put in front.
      (
        .multi("mixed", [.plain("banner"), .multi("alternative", [.plain("text"), .html("rich")])]),
        "banner\ntext", "rich", []
      ),
      // Apple's: the pictures and files stand between pieces of html.
      (
        .multi("alternative", [.plain("text"), .multi("mixed", [.html("one"), .pdf, .html("two")])]), "text",
        "one\ntwo", ["application/pdf"]
      ),
      // What belongs to the rich form alone is no second plain one.
      (
        .multi("alternative", [.plain("text"), .multi("mixed", [.html("rich"), .plain("footer")])]), "text", "rich",
        ["text/plain"]
      ),
      (.multi("alternative", [.html("poor"), .html("rich")]), nil, "rich", ["text/html"]),
      (.multi("mixed", [.plain("one"), .pdf, .plain("two")]), "one\ntwo", nil, ["application/pdf"]),
      (
        .multi(
          "mixed",
          [.multi("alternative", [.plain("a"), .html("A")]), .multi("alternative", [.plain("b"), .html("B")]), .pdf]),
        "a\nb", "A\nB", ["application/pdf"]
      ),
      (
        .multi("alternative", [.plain("text"), .multi("related", [.html("rich"), .leaf("image/png", "png")])]), "text",
        "rich", ["image/png"]
      ),
    ] as [(Shape, String?, String?, [String])])
  func `of each alternative one is read, of all else everything`(
    shape: Shape, text: String?, html: String?, attachments: [String]
  ) {
    let message = ParsedMessage(crlf("\(shape)\n"))
    #expect(message.text()?.text == text)
    #expect(message.html()?.text == html)
    #expect(message.attachments.map(\.type) == attachments)
    #expect(message.problems.isEmpty)
  }

  @Test func `an unknown character set of a file name is told`() {
    let message = ParsedMessage(
      crlf("Content-Disposition: attachment; filename=\"=?iso-2022-jp?B?GyRCRnxLXBsoQg==?=\"\n\nx\n"))
    #expect(message.attachments.map(\.fileName) == ["=?iso-2022-jp?B?GyRCRnxLXBsoQg==?="])
    #expect(message.problems == ["Content-Disposition: the character set iso-2022-jp is not known here"])
  }

  @Test func `html gives its words`() {
    #expect(
      PlainText.ofHTML("<style>a{}</style><!-- no > --><p>Tom &amp; <b>Jerry</b>&nbsp;&#233;&#x20ac; &foo; 1 < 2")
        == "Tom & Jerry é€ &foo; 1")
  }
}
