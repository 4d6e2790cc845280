import EventLoop
import HTTPClient
import Octets
import Testing

@testable import Mail

/// What a request may say, who may say it, and how much room it takes.
@Suite(.timeLimit(.minutes(1))) struct RequestTests {
  @Test func aGuesserIsTurnedAwayByWhateverProtocol() async throws {
    let world = try await APIWorld(failures: 3)
    for _ in 1...3 { #expect(try await world.ask("GET", APIWorld.box, as: "Basic Ym9iOng=").status == 401) }
    let refused = try await world.ask("GET", APIWorld.box)
    #expect(refused.status == 429 && refused.head.header("retry-after") == "120")
    #expect(refused.body.contains("try again in 120 seconds"))
    // Who has the token guesses nothing.
    #expect(try await world.ask("GET", APIWorld.box, as: APIWorld.admin).status == 200)
  }

  @Test(arguments: ["bob", "BOB", "bob@hamburger.edu", "Bob@Hamburger.EDU"])
  func theOwnersMailboxHasSeveralNames(name: String) async throws {
    let world = try await APIWorld()
    #expect(try await world.ask("GET", "/v1/mailboxes/\(name)/messages").status == 200)
    #expect(try await world.ask("GET", "/v1/mailboxes/\(name)/messages", as: APIWorld.admin).status == 200)
    #expect(try await world.ask("GET", "/v1/mailboxes/x\(name)/messages").status == 403)
  }

  @Test func aQueryParameterThatIsNotKnownIsTold() async throws {
    let world = try await APIWorld(catchMode: 5)
    for (path, name) in [
      ("/v1/messages?too=nobody", "too"), ("/v1/messages?to=a@b.c&wait=0&Limit=1", "Limit"), ("/v1/queue?q=x", "q"),
      ("\(APIWorld.messages)?state=waiting", "state"), ("\(APIWorld.box)?a", "a"), ("/v1/domains/x?b=c", "b"),
    ] {
      let answer = try await world.ask("GET", path, as: APIWorld.admin)
      #expect(answer.status == 400 && answer.body.contains(#""field":"\#(name)""#), "\(path)")
    }
    let fine = "/v1/messages?to=a@b.c&from=x&subject=y&q=z&after=0&wait=0&limit=1&cursor=9"
    #expect(try await world.ask("GET", fine, as: APIWorld.admin).status == 200)
  }

  @Test func lettersThatFindNoRoomArePutOff() async throws {
    var limits = MailLimits()
    limits.handling = 100_000
    let world = try await APIWorld(limits: limits)
    let content = "Subject: x\r\n\r\n" + String(repeating: "0123456789\r\n", count: 2000)
    let id = try await world.store.accept(StoreTests.letter("bob@hamburger.edu", content: content)).delivered[0]
    let here = "\(APIWorld.messages)/\(id)"
    let small = #"{"to":["bob@hamburger.edu"],"text":"x"}"#
    do {
      // Others have almost all of it.
      let taken = try #require(world.api.room.lease(99_980))
      defer { withExtendedLifetime(taken) {} }
      for answer in [
        try await world.ask("GET", here), try await world.ask("GET", "\(here)/attachments/1"),
        try await world.ask("POST", APIWorld.messages, small),
      ] { #expect(answer.status == 503 && answer.head.header("retry-after") == "1") }
      // Octet by octet it takes none.
      #expect(try await world.ask("GET", "\(here)/raw").status == 200)
    }
    #expect(try await world.ask("GET", here).status == 200)
    #expect(try await world.ask("POST", APIWorld.messages, small).status == 201)
    // All of it was given back.
    #expect(world.api.room.lease(100_000) != nil)
  }

  @Test(arguments: [10, 20_000, 60_000]) func aLetterIsReadPieceByPieceAsItCame(lines: Int) async throws {
    let world = try await APIWorld()
    let content = "Subject: big\r\n\r\n" + String(repeating: "0123456789\r\n", count: lines)
    let accepted = try await world.store.accept(
      StoreTests.letter("bob@hamburger.edu", "x@elsewhere.org", content: content))
    let raw = try await world.ask("GET", "\(APIWorld.messages)/\(accepted.delivered[0])/raw")
    let isSame = raw.octets == Array(("Return-Path: <alice@crepes.fr>\r\n" + content).utf8)
    #expect(isSame)
    #expect(raw.head.header("content-length") == "\(raw.octets.count)")
    let queued = try await world.ask("GET", "/v1/queue/1/raw", as: APIWorld.admin)
    let isSameToo = queued.octets == Array(content.utf8)
    #expect(isSameToo)
    // One that is deleted while it is read is read to its end.
    let (_, reader) = try #require(await world.store.open(world.bob.id, accepted.delivered[0]))
    try await world.store.delete(world.bob.id, accepted.delivered[0])
    try await world.store.deleteLetter(1)
    let whole = try await reader.whole()
    #expect(whole.count == raw.octets.count)
  }

  /// Who asks for the head alone, or goes before it comes, has no place among the listeners.
  @Test func onlyWhoListensTakesAPlace() async throws {
    var limits = MailLimits()
    limits.listeners = 1
    let world = try await APIWorld(limits: limits)
    for _ in 1...3 { #expect(try await world.ask("HEAD", "/v1/events").status == 200) }
    let taken = world.api.hub.listen(after: nil, mailbox: nil)
    #expect(try await world.ask("HEAD", "/v1/events").status == 503)
    withExtendedLifetime(taken) {}
  }

  @Test func aFullMailboxOrQueueIs507() async throws {
    var limits = MailLimits()
    limits.mailboxMessages = 0
    limits.queueLetters = 0
    let world = try await APIWorld(limits: limits)
    for letter in [
      #"{"to":["bob@hamburger.edu"]}"#, #"{"to":["x@elsewhere.org"]}"#, #"{"draft":true}"#,
    ] { #expect(try await world.ask("POST", APIWorld.messages, letter).status == 507) }
  }
}
