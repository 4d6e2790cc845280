import EventLoop
import MailWire
import ServiceKit
import Testing

@testable import Mail

@Suite struct SearchQueryTests {
  @Test func `terms, quotes and words are told apart`() throws {
    let search = try SearchQuery.parse(
      #"from:Alice subject:"pickles and ketchup" TO:bob ketchup "two words" http://x.y is:unread"#)
    #expect(search.from == ["Alice"])
    #expect(search.subject == ["pickles and ketchup"])
    #expect(search.to == ["bob"])
    #expect(search.words == ["ketchup", "two words", "http://x.y"])
    #expect(search.unread == true)
  }

  @Test func `times are dates or moments`() throws {
    let search = try SearchQuery.parse("after:2026-11-23 before:2026-11-23T10:00:00Z is:read")
    #expect(search.after == 1_795_392_000)
    #expect(search.before == 1_795_428_000)
    #expect(search.unread == false)
  }

  @Test(arguments: [
    ("new user@example.com", "new+user@example.com"), ("new+user@example.com", "new+user@example.com"),
    ("\"new user\"@example.com", "\"new user\"@example.com"), ("@example.com", "@example.com"),
  ])
  func `a plus in an address is found as it is written`(asked: String, address: String) {
    #expect(SearchQuery.address(asked) == address)
  }

  @Test func `nothing to look for finds everything`() throws {
    for query in ["", "  ", "from:", "\"\""] { #expect(try SearchQuery.parse(query) == Search()) }
  }

  @Test(arguments: ["is:red", "before:yesterday", "after:2026-13-01", String(repeating: "a ", count: 21)])
  func `what makes no sense is refused`(query: String) {
    #expect(throws: SearchQuery.Invalid.self) { try SearchQuery.parse(query) }
  }
}

@Suite struct SummaryTests {
  @Test func `a letter is summed up for lists and search`() {
    let letter = Array(
      """
      From: =?utf-8?q?Alice_?= <alice@crepes.fr>\r
      To: bob@hamburger.edu\r
      Cc: Carol <carol@x.y>\r
      Subject: =?utf-8?b?R3LDvMOfZQ==?=\r
      Date: Mon, 23 Nov 2026 11:00:00 +0000\r
      Message-ID: <1@crepes.fr>\r
      Content-Type: text/html; charset=utf-8\r
      \r
      <p>Do you like <b>ketchup</b>?</p>\r

      """.utf8)
    #expect(
      Summary.of(letter)
        == Summary(
          from: "Alice  <alice@crepes.fr>", to: "bob@hamburger.edu, Carol <carol@x.y>", subject: "Grüße",
          date: 1_795_431_600, messageID: "<1@crepes.fr>", attachments: 0, text: "Do you like ketchup ?"))
  }

  @Test func `a letter without header has its text alone`() {
    let summary = Summary.of(Array("Do you like ketchup?\r\n".utf8))
    #expect(summary == Summary(text: "Do you like ketchup?\n"))
  }

  @Test func `long fields are cut at a whole character`() {
    let people = String(repeating: "Zoë <zoe@x.y>, ", count: 5000)
    let id = "<\(String(repeating: "1", count: 5000))@x>"
    let fields = ["From: \(people)", "To: \(people)", "Cc: bob@x.y", "Message-ID: \(id)"]
    let subject = "Subject: " + String(repeating: "=?utf-8?q?=C3=A9?= ", count: 100_000)
    let summary = Summary.of(Array((fields + [subject, "", "x"]).joined(separator: "\r\n").utf8))
    #expect(summary.subject == String(repeating: "é", count: 512))
    #expect(1000...1024 ~= summary.from.utf8.count && summary.from.hasPrefix("Zoë <zoe@x.y>, Zoë"))
    #expect(1000...4096 ~= summary.to.utf8.count && summary.to.hasPrefix("Zoë <zoe@x.y>, Zoë"))
    #expect(summary.messageID.isEmpty)
    let raw = Summary.of(Array("From: \(String(repeating: "a", count: 100_000))\r\n\r\nx\r\n".utf8))
    #expect(raw.from == String(repeating: "a", count: 1024))
  }

  @Test func `a long text is cut at a whole character`() {
    let text = Summary.of(Array("\r\n".utf8) + Array(String(repeating: "é", count: 5000).utf8)).text
    #expect(text.utf8.count <= 4096)
    #expect(text.allSatisfy { $0 == "é" })
  }
}

@Suite struct DraftTests {
  private func composed(_ draft: Draft) throws -> Draft.Composed {
    var generator = SystemRandomNumberGenerator()
    let owner = try #require(MailAddress("alice@crepes.fr"))
    return try draft.composed(by: owner, at: 1_795_431_600, using: &generator)
  }

  @Test func `a draft becomes a letter with its envelope`() throws {
    var draft = Draft()
    draft.from = "Alice <ALICE@crepes.fr>"
    draft.to = ["Bob <bob@hamburger.edu>"]
    draft.bcc = ["eve@x.y", "bob@hamburger.edu"]
    draft.subject = "Grüße"
    draft.text = "Do you like ketchup?"
    draft.headers = ["X-Mood": "hungry"]
    let letter = try composed(draft)
    #expect(letter.sender.description == "alice@crepes.fr")
    #expect(letter.recipients.map(\.description) == ["bob@hamburger.edu", "eve@x.y"])
    let message = ParsedMessage(letter.content)
    #expect(message.from.map(\.text) == ["Alice <alice@crepes.fr>"])
    #expect(message.to.map(\.text) == ["Bob <bob@hamburger.edu>"])
    #expect(message.header.first("Bcc") == nil)
    #expect(message.header.first("X-Mood")?.text == "hungry")
    #expect(message.messageID == letter.messageID)
    #expect(message.subject == "Grüße")
    #expect(!letter.needsUTF8)
  }

  @Test(arguments: [#"aGVs\r\nbG8=\r\n"#, #"aGVs\nbG8="#, "aGVsbG8=", "aGVs bG8="])
  func `an attachment may come in lines`(content: String) throws {
    let json = #"{"to": ["bob@hamburger.edu"], "attachments": [{"content": "\#(content)"}]}"#
    let draft = try JSON.decode(Draft.self, from: Array(json.utf8))
    if content.contains(" ") {
      #expect(throws: Draft.Invalid(field: "attachments[0].content", reason: "is not base 64")) { try composed(draft) }
    } else {
      let message = ParsedMessage(try composed(draft).content)
      #expect(message.attachments.map { message.content(of: $0).octets } == [Array("hello".utf8)])
    }
  }

  @Test func `what is wrong is named`() throws {
    func refusal(_ change: (inout Draft) -> Void) -> String? {
      var draft = Draft()
      draft.to = ["bob@hamburger.edu"]
      change(&draft)
      do {
        _ = try composed(draft)
        return nil
      } catch {
        return (error as? Draft.Invalid)?.field
      }
    }
    #expect(refusal { _ in } == nil)
    #expect(refusal { $0.from = "eve@x.y" } == "from")
    #expect(refusal { $0.to = ["bob@hamburger.edu", "nobody"] } == "to[1]")
    #expect(refusal { $0.to = [] } == "to")
    #expect(refusal { $0.cc = ["a@b, c@d"] } == "cc[0]")
    #expect(refusal { $0.headers = ["From": "x"] } == "headers")
    #expect(refusal { $0.inReplyTo = "1@x" } == "in_reply_to")
    // As the contract has it.
    let text = { (count: Int) in String(repeating: "é", count: count) }
    for (isTooMuch, extra) in [(false, 0), (true, 1)] {
      #expect(refusal { $0.subject = text(10_000 + extra) } == (isTooMuch ? "subject" : nil))
      #expect(refusal { $0.headers = ["X-A": text(10_000 + extra)] } == (isTooMuch ? "headers" : nil))
      #expect(
        refusal { $0.headers = Dictionary(uniqueKeysWithValues: (1...100 + extra).map { ("X-\($0)", "x") }) }
          == (isTooMuch ? "headers" : nil))
      #expect(
        refusal { $0.references = Array(repeating: "<a@b>", count: 100 + extra) } == (isTooMuch ? "references" : nil))
      func files(_ count: Int, name: String? = nil, type: String? = nil) throws -> [Checked<Draft.File>] {
        var file = try JSON.decode(Checked<Draft.File>.self, from: Array(#"{"content":""}"#.utf8), isSnakeCase: false)
        (file.body.name, file.body.type) = (name, type)
        return Array(repeating: file, count: count)
      }
      let (many, named, typed) = (
        try files(500 + extra), try files(1, name: text(1000 + extra)), try files(1, type: "a/" + text(198 + extra))
      )
      #expect(refusal { $0.attachments = many } == (isTooMuch ? "attachments" : nil))
      #expect(refusal { $0.attachments = named } == (isTooMuch ? "attachments[0].name" : nil))
      #expect(refusal { $0.attachments = typed } == (isTooMuch ? "attachments[0].type" : nil))
    }
    #expect(
      refusal {
        $0.to = []; $0.draft = true
      } == nil)
  }
}

@Suite struct MessageViewTests {
  private static func view(_ letter: [UInt8]) -> MessageView {
    let record = MessageRecord(
      id: 7, mailbox: 2, folder: "INBOX", uid: 1, flags: [.seen], size: letter.count, receivedAt: 0, sender: "",
      recipients: ["bob@hamburger.edu"], summary: .of(letter), revision: 1)
    return MessageView(record, letter, url: "/v1/messages/7")
  }

  @Test func `what is cut is told`() {
    let long = String(repeating: "word ", count: 10_000)
    let people = String(repeating: "bob@x.y, ", count: 10_000)
    let name = String(repeating: "N", count: 100_000)
    let text = String(repeating: "eine Zeile mit Gr=C3=BC=C3=9Fen\r\n", count: 50_000)
    let view = Self.view(
      Array(
        """
        Subject: \(long)\r
        To: \(people)\r
        \(name): x\r
        Content-Type: text/plain; charset=utf-8\r
        Content-Transfer-Encoding: quoted-printable\r
        \r
        \(text)
        """.utf8))
    #expect(
      view.problems == [
        "Subject: only its first 16384 octets are read", "To: only its first 16384 octets are read",
        "only the addresses in the first 65536 octets of To are read",
        "only the first 1048576 octets of a text are shown",
      ])
    #expect(view.headers.allSatisfy { $0.name.utf8.count <= 200 && $0.value.utf8.count <= 16_384 })
    #expect(view.subject.utf8.count <= 16_384 && view.to.count == 65_536 / 9)
    #expect(view.text?.hasSuffix("Grüßen\n") == true)
  }

  @Test func `a field that can't be understood is told, and problems have a bound`() {
    let word = "X: =?iso-2022-jp?B?GyRCRnxLXBsoQg==?=\r\n"
    let view = Self.view(Array(("Subject: a\r\n" + word + word + "\r\nx\r\n").utf8))
    #expect(view.problems == ["X: the character set iso-2022-jp is not known here"])
    #expect(view.headers.map(\.value) == ["a"] + Array(repeating: "=?iso-2022-jp?B?GyRCRnxLXBsoQg==?=", count: 2))
    let long = String(repeating: "y", count: 900)
    let many = (0..<400).map { "X-\($0): =?\(long)?Q?a?=\r\n" }.joined()
    let problems = Self.view(Array((many + "\r\nx\r\n").utf8)).problems
    #expect(problems.count == 101)
    #expect(problems.allSatisfy { $0.utf8.count <= 300 })
  }

  @Test func `what can't be understood is shown, with the reason`() {
    let letter = Array(
      "Date: whenever\r\nContent-Type: multipart/mixed\r\nX: =?utf-8?q?=C3=A9?=\r\n\r\nas it stands\r\n".utf8)
    let record = MessageRecord(
      id: 7, mailbox: 2, folder: "INBOX", uid: 1, flags: [.seen], size: letter.count, receivedAt: 0, sender: "",
      recipients: ["bob@hamburger.edu"], summary: .of(letter), revision: 1)
    let view = MessageView(record, letter, url: "/v1/messages/7")
    #expect(view.text == "as it stands\n")
    #expect(view.problems.count == 2)
    #expect(view.headers.map(\.value) == ["whenever", "multipart/mixed", "é"])
    #expect(view.seen)
    #expect(view.date == nil)
  }

  @Test func `flags that are not named stay`() {
    let change = MessageChange(seen: false, flagged: true)
    #expect(change.applied(to: [.seen, .answered]) == [.answered, .flagged])
    #expect(MessageChange().isEmpty)
  }
}

@Suite struct EventHubTests {
  @Test func `events come in order, to the owner only its own, and again for who comes back`() throws {
    let feed = ChangeFeed()
    let hub = EventHub(feed: feed, start: 100)
    var limits = MailLimits()
    limits.listeners = 2
    let (crowded, one, two) = (
      EventHub(feed: feed, start: 1, limits: limits), Lock<EventHub<Change>.Listener?>(nil),
      Lock<EventHub<Change>.Listener?>(nil)
    )
    for place in [one, two] {
      let listener = try #require(crowded.listen(after: nil, mailbox: nil))
      place.withLock { $0 = listener }
    }
    #expect(crowded.listen(after: nil, mailbox: nil) == nil)
    one.withLock { $0 = nil }
    #expect(crowded.listen(after: nil, mailbox: nil) != nil)
    let all = try #require(hub.listen(after: nil, mailbox: nil))
    let own = try #require(hub.listen(after: nil, mailbox: 2))
    feed.publish([.delivered(mailbox: 2, message: 1), .queue(letter: 5), .deleted(mailbox: 3, message: 2)])
    #expect(all.take()?.map(\.id) == [100, 101, 102])
    #expect(own.take()?.map(\.content) == [.delivered(mailbox: 2, message: 1)])
    #expect(all.take()?.isEmpty == true)
    let back = try #require(hub.listen(after: "100", mailbox: nil))
    #expect(back.take()?.map(\.id) == [101, 102])
  }

  @Test func `who is too far behind has to come back`() throws {
    let feed = ChangeFeed()
    let hub = EventHub(feed: feed, start: 1)
    #expect(hub.listen(after: "0", mailbox: nil)?.missed == nil)
    let slow = try #require(hub.listen(after: nil, mailbox: nil))
    for letter in 0...Int64(MailLimits().events) { feed.publish([.queue(letter: letter)]) }
    #expect(slow.take() == nil)
    // Event 1 is forgotten, so whoever has seen nothing of it has missed something.
    #expect(hub.listen(after: "0", mailbox: nil)?.missed == Int64(MailLimits().events) + 1)
    #expect(hub.listen(after: "1", mailbox: nil)?.missed == nil)
  }

  @Test(arguments: ["99", "103", "1", "x", ""])
  func `who comes back with an id that means nothing here is told so`(last: String) throws {
    let feed = ChangeFeed()
    let hub = EventHub(feed: feed, start: 101)
    feed.publish([.queue(letter: 1), .queue(letter: 2)])
    let listener = try #require(hub.listen(after: last, mailbox: nil))
    #expect(listener.missed == 102 && listener.take()?.isEmpty == true)
    // What is known: the last event, and that there was none before the first.
    #expect(hub.listen(after: "102", mailbox: nil)?.missed == nil)
    #expect(hub.listen(after: "100", mailbox: nil)?.take()?.map(\.id) == [101, 102])
    #expect(hub.listen(after: nil, mailbox: nil)?.missed == nil)
  }
}
