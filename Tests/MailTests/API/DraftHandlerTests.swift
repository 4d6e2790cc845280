import Octets
import SQL
import Testing

@testable import Mail

/// A letter is written, written anew and sent.
@Suite(.timeLimit(.minutes(1))) struct DraftHandlerTests {
  static let first = #"""
    {"to":["Carol <carol@hamburger.edu>"],"bcc":["eve@hamburger.edu"],"subject":"First","text":"x","draft":true}
    """#
  static let second = #"""
    {"to":["carol@hamburger.edu"],"bcc":["eve@hamburger.edu","x@elsewhere.org"],"subject":"Second","text":"y"}
    """#

  @Test func aDraftIsWrittenAnewAndSentWithItsHiddenRecipients() async throws {
    let world = try await APIWorld()
    let store = world.store
    let carol = try await store.createMailbox("carol@hamburger.edu", password: "x")
    let eve = try await store.createMailbox("eve@hamburger.edu", password: "x")
    #expect(try await world.ask("POST", APIWorld.messages, Self.first).status == 201)
    let here = "\(APIWorld.messages)/1"
    let shown = try await world.ask("GET", here)
    #expect(shown.body.contains(#""recipients":["carol@hamburger.edu","eve@hamburger.edu"]"#))
    #expect(try await world.ask("PUT", here, Self.second, ifMatch: "\"999\"").status == 412)
    let replaced = try await world.ask("PUT", here, Self.second, ifMatch: shown.tag)
    #expect(replaced.status == 200 && replaced.tag != shown.tag)
    #expect(replaced.body.contains(#""subject":"Second""#) && replaced.body.contains(#""folder":"Drafts""#))
    #expect(try await world.test.bodies() == 1)
    #expect(try await store.folders(world.bob.id).map(\.uidNext) == [1, 1, 3, 1])

    world.test.clock.advance(86_400)
    #expect(try await world.ask("POST", "\(here)/send", nil, ifMatch: shown.tag).status == 412)
    #expect(try await store.inbox(carol.id).messages.isEmpty)
    let sent = try await world.ask("POST", "\(here)/send", nil, ifMatch: replaced.tag)
    #expect(sent.status == 200 && sent.body.contains(#""id":1"#) && sent.body.contains(#""delivered":2"#))
    let filed = try #require(await store.message(world.bob.id, 1))
    #expect(filed.folder == "Sent" && filed.flags == .seen && filed.summary.subject == "Second")
    #expect(filed.summary.date == world.test.clock.seconds)
    #expect(filed.recipients == ["carol@hamburger.edu", "eve@hamburger.edu", "x@elsewhere.org"])
    #expect(
      try await store.letters(before: nil, limit: 9, state: nil).first?.recipients.map(\.address) == ["x@elsewhere.org"]
    )
    for mailbox in [carol, eve] {
      let message = try #require(await store.inbox(mailbox.id).messages.first)
      let text = String(decoding: try #require(await store.raw(mailbox.id, message.id)), as: UTF8.self)
      #expect(text.hasPrefix("Return-Path: <bob@hamburger.edu>\r\n") && text.contains("\r\nSubject: Second\r\n"))
      #expect(!text.contains("eve@") && !text.contains("elsewhere"))
    }
    #expect(try await world.test.bodies() == 1)
    // It is none any more.
    #expect(try await world.ask("POST", "\(here)/send").status == 409)
    #expect(try await world.ask("PUT", here, Self.second).status == 409)
  }

  @Test func whatCanNotBeSentStaysADraft() async throws {
    let world = try await APIWorld()
    #expect(try await world.ask("POST", APIWorld.messages, #"{"subject":"To nobody","draft":true}"#).status == 201)
    let here = "\(APIWorld.messages)/1"
    #expect(try await world.ask("POST", "\(here)/send").status == 422)
    #expect(try await world.ask("PUT", here, Self.first).status == 200)
    // Nobody of them has a mailbox.
    #expect(try await world.ask("POST", "\(here)/send").status == 422)
    let draft = try #require(await world.store.message(world.bob.id, 1))
    #expect(draft.folder == "Drafts" && draft.isUnsent && draft.summary.subject == "First")
    #expect(try await world.ask("PUT", here, #"{"draft":false}"#).status == 422)
    #expect(try await world.ask("PUT", "\(APIWorld.messages)/9", Self.first).status == 404)
    // What came in by mail is no draft, whatever it is marked as.
    let letter = try await world.store.accept(StoreTests.letter("bob@hamburger.edu")).delivered[0]
    _ = try await world.store.update(world.bob.id, letter, folder: nil) { $0.union(.draft) }
    #expect(try await world.ask("PUT", "\(APIWorld.messages)/\(letter)", Self.first).status == 409)
    #expect(try await world.ask("POST", "\(APIWorld.messages)/\(letter)/send").status == 409)
  }

  @Test func whatIsSentOrCameInBecomesNoDraft() async throws {
    let world = try await APIWorld()
    #expect(
      try await world.ask("POST", APIWorld.messages, #"{"to":["bob@hamburger.edu"],"text":"x"}"#).status == 201)
    #expect(try await world.ask("POST", APIWorld.messages, #"{"subject":"x","draft":true}"#).status == 201)
    let all = try await world.store.messages(world.bob.id, folder: nil, before: nil, limit: 9)
    #expect(Set(all.map(\.folder)) == ["INBOX", "Sent", "Drafts"])
    for message in all {
      let here = "\(APIWorld.messages)/\(message.id)"
      let isDraft = message.folder == "Drafts"
      let answer = try await world.ask("PATCH", here, #"{"draft":true,"flagged":true}"#)
      #expect(answer.status == (isDraft ? 200 : 409), "\(message.folder)")
      #expect(try await world.ask("PATCH", here, #"{"draft":false}"#).status == (isDraft ? 422 : 200))
      let flags = try await world.store.message(world.bob.id, message.id)?.flags
      #expect(flags == (isDraft ? message.flags.union(.flagged) : message.flags))
    }
  }

  @Test func aDraftIsOneWhateverItsNewContentSays() async throws {
    let world = try await APIWorld()
    #expect(try await world.ask("POST", APIWorld.messages, Self.first).status == 201)
    // Without recipients it could not be sent, and does not have to be.
    let emptied = try await world.ask("PUT", "\(APIWorld.messages)/1", #"{"subject":"Later"}"#)
    #expect(emptied.status == 200 && emptied.body.contains(#""subject":"Later""#))
  }

  /// Its envelope was not kept then.
  @Test func aDraftOfBeforeTheThirdVersionIsSentToWhomItNames() async throws {
    let world = try await APIWorld()
    let carol = try await world.store.createMailbox("carol@hamburger.edu", password: "x")
    let draft = #"{"to":["Carol <carol@hamburger.edu>"],"cc":["CAROL@hamburger.edu","x@elsewhere.org"],"draft":true}"#
    #expect(try await world.ask("POST", APIWorld.messages, draft).status == 201)
    _ = try await world.store.write { try $0.run("UPDATE message SET recipients = ''") }
    let sent = try await world.ask("POST", "\(APIWorld.messages)/1/send")
    #expect(sent.status == 200 && sent.body.contains(#""delivered":1"#))
    #expect(try await world.store.inbox(carol.id).messages.count == 1)
    let queued = try await world.store.letters(before: nil, limit: 9, state: nil)
    #expect(queued.first?.recipients.map(\.address) == ["x@elsewhere.org"])
    #expect(
      try await world.store.message(world.bob.id, 1)?.recipients
        == ["carol@hamburger.edu", "CAROL@hamburger.edu", "x@elsewhere.org"])
  }

  @Test func aDraftIsMadeSmallerHoweverFullTheMailboxIs() async throws {
    var limits = MailLimits()
    limits.mailboxMessages = 1
    limits.mailboxOctets = 2000
    let world = try await APIWorld(limits: limits)
    let text = { (count: Int) in #"{"draft":true,"text":"\#(String(repeating: "x", count: count))"}"# }
    #expect(try await world.ask("POST", APIWorld.messages, text(500)).status == 201)
    #expect(try await world.ask("POST", APIWorld.messages, text(1)).status == 507)
    let here = "\(APIWorld.messages)/1"
    #expect(try await world.ask("PUT", here, text(800)).status == 200)
    #expect(try await world.ask("PUT", here, text(2000)).status == 507)
    #expect(try await world.ask("PUT", here, text(10)).status == 200)
  }

  @Test func aDraftThatChangesWhileItIsSentIsNotSent() async throws {
    let world = try await APIWorld()
    let store = world.store
    _ = try await store.createMailbox("carol@hamburger.edu", password: "x")
    _ = try await world.ask("POST", APIWorld.messages, Self.first)
    let draft = try #require(await store.message(world.bob.id, 1))
    _ = try await world.ask("PUT", "\(APIWorld.messages)/1", Self.second)
    await #expect(throws: StoreError.stale) {
      try await store.accept(
        Letter(sender: "bob@hamburger.edu", recipients: ["carol@hamburger.edu"], content: [], draft: draft))
    }
    #expect(try await store.messages(world.bob.id, folder: "Sent", before: nil, limit: 9).isEmpty)
    #expect(try await store.messages(world.bob.id, folder: "Drafts", before: nil, limit: 9).count == 1)
  }
}
