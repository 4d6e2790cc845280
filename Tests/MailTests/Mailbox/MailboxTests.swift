import MailWire
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
    #expect(
      refusal {
        $0.to = []; $0.draft = true
      } == nil)
  }
}

@Suite struct MessageViewTests {
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
    let all = try #require(hub.listen(after: nil, mailbox: nil))
    let own = try #require(hub.listen(after: nil, mailbox: 2))
    feed.publish([.delivered(mailbox: 2, message: 1), .queue(letter: 5), .deleted(mailbox: 3, message: 2)])
    #expect(all.take()?.map(\.id) == [100, 101, 102])
    #expect(own.take()?.map(\.change) == [.delivered(mailbox: 2, message: 1)])
    #expect(all.take() == [])
    let back = try #require(hub.listen(after: "100", mailbox: nil))
    #expect(back.take()?.map(\.id) == [101, 102])
    hub.leave(all)
    feed.publish([.queue(letter: 6)])
    #expect(all.take() == [])
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
    #expect(listener.missed == 102 && listener.take() == [])
    // What is known: the last event, and that there was none before the first.
    #expect(hub.listen(after: "102", mailbox: nil)?.missed == nil)
    #expect(hub.listen(after: "100", mailbox: nil)?.take()?.map(\.id) == [101, 102])
    #expect(hub.listen(after: nil, mailbox: nil)?.missed == nil)
  }
}
