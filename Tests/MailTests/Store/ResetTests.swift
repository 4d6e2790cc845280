import EventLoop
import Logging
import Octets
import ServiceKit
import Testing

@testable import Mail

/// Numbers begin anew with a reset: what was read before it may still be under way, and finds nothing of its own after it.
@Suite(.timeLimit(.minutes(1))) struct ResetTests {
  /// A host that holds its answer to the dot until a test lets it go.
  final class HeldHost: Sendable {
    let isHeld = Lock(true)

    func answer(_ said: String?) -> ScriptedHost.Answer {
      said == "." && isHeld.withLock { $0 } ? .silence : ScriptedHost.usual(said)
    }
  }

  @Test func anAnswerToALetterOfBeforeSaysNothingOfTheOneThatHasItsNumber() async throws {
    let world = try await RelayWorld()
    defer { world.loop.stop() }
    let old = try await world.queue("bob@hamburger.edu", content: "Subject: OLD\r\n\r\nold\r\n")
    let due = try await world.crepes.store.due("hamburger.edu", limit: 1)
    try await world.crepes.store.reset(at: world.crepes.store.now())
    _ = try await world.crepes.store.createMailbox("alice@crepes.fr", password: "x")
    let new = try await world.queue("eve@elsewhere.edu", content: "Subject: NEW\r\n\r\nnew\r\n")
    #expect(old == new)
    // Everything that a relay does with what it had.
    try await world.crepes.store.record(
      AttemptResult(
        letter: old, epoch: due[0].epoch, at: 0, host: "h", address: "", outcome: "250 ok", dialogue: ["S: 250 ok"],
        recipients: [.init(recipient: due[0], state: .delivered, nextAttempt: nil, reply: "250 ok")]))
    try await world.crepes.store.postpone(due, until: .max)
    #expect(await world.crepes.store.outgoing(due[0]) == .deleted)
    let letter = try #require(await world.crepes.store.letter(new))
    #expect(letter.state == .waiting && letter.recipients[0].attempts == 0)
    #expect(letter.recipients[0].nextAttempt == world.crepes.clock.seconds)
    #expect(try await world.crepes.store.attempts(new).isEmpty)
    // And what it reads after the reset, it may do.
    let again = try #require(await world.crepes.store.due("elsewhere.edu", limit: 1).first)
    #expect(await world.crepes.store.outgoing(again) == .whole(Array("Subject: NEW\r\n\r\nnew\r\n".utf8)))
  }

  @Test func theRelayLeavesWhatItHadAndServesTheDomainAgain() async throws {
    let world = try await RelayWorld()
    defer { world.loop.stop() }
    let held = HeldHost()
    let host = try ScriptedHost(world.loop) { _, said in held.answer(said) }
    _ = try await world.queue("bob@hamburger.edu", content: "Subject: OLD\r\n\r\n")
    let relay = world.relay(port: host.port)
    await relay.start()
    while host.letters.isEmpty { try await world.loop.patience() }
    // Its answer to the letter never comes, and the next one of the domain need not wait for it.
    try await world.crepes.store.reset(at: world.crepes.store.now())
    _ = try await world.crepes.store.createMailbox("alice@crepes.fr", password: "x")
    held.isHeld.withLock { $0 = false }
    let new = try await world.queue("eve@hamburger.edu", content: "Subject: NEW\r\n\r\n")
    #expect(try await world.settled(new).state == .delivered)
    #expect(host.letters == ["Subject: OLD\r\n\r\n", "Subject: NEW\r\n\r\n"])
    #expect(try await world.crepes.store.attempts(new).count == 1)
    #expect(
      host.commands.filter { $0.hasPrefix("RCPT") } == ["RCPT TO:<bob@hamburger.edu>", "RCPT TO:<eve@hamburger.edu>"])
    await relay.stop(within: .seconds(1))
  }

  @Test(arguments: [nil, 10]) func aSessionOfBeforeDeletesNothing(catchMode: Int?) async throws {
    let loop = try EventLoop.start(name: "mail")
    defer { loop.stop() }
    let test = try TestStore(catchMode: catchMode)
    func world() async throws -> Int64 {
      let bob = try await test.store.createMailbox("bob@hamburger.edu", password: "hungry")
      return catchMode == nil ? bob.id : Store.catchMailbox
    }
    func letter() -> Letter { StoreTests.letter("bob@hamburger.edu") }
    _ = try await world()
    let old = try await test.store.accept(letter()).delivered[0]
    var log = Logger(label: "test")
    log.logLevel = .critical
    let sessions = SessionRegistry()
    let pop3 = POP3Service(
      store: test.store, locks: MailboxLocks(), sessions: sessions, desk: LoginDesk(store: test.store, log: log),
      log: log)
    let outgoing = try TCPListener(SocketAddress(ip: .loopbackV4, port: 0), on: loop) { pop3.open($0, on: loop) }
    let reader = try await TCPConnection.connect(to: outgoing.address, on: loop)
    _ = try await ConnectionTests.exchange(
      reader, "USER bob\r\nPASS hungry\r\nDELE 1\r\n", until: "message 1 deleted\r\n")
    try await test.store.reset(at: test.store.now())
    let mailbox = try await world()
    #expect(try await test.store.accept(letter()).delivered == [old])
    // The session was not told yet.
    let answer = try await ConnectionTests.exchange(reader, "QUIT\r\n", until: "\r\n")
    #expect(answer.hasPrefix("-ERR [SYS/TEMP]"))
    #expect(try await test.store.inbox(mailbox).messages.map(\.id) == [old])
    await reader.close()
    // One that is told ends.
    let next = try await TCPConnection.connect(to: outgoing.address, on: loop)
    _ = try await ConnectionTests.exchange(
      next, "USER bob\r\nPASS hungry\r\nDELE 1\r\n", until: "message 1 deleted\r\n")
    await sessions.endAll(.reset)
    #expect(try await ConnectionTests.exchange(next, "", until: "never").isEmpty)
    #expect(try await test.store.inbox(mailbox).messages.map(\.id) == [old])
    await next.close()
  }

  @Test func aMailboxOfBeforeIsNobodyElses() async throws {
    let store = try TestStore().store
    let bob = try await store.createMailbox("bob@hamburger.edu", password: "x")
    try await store.reset(at: store.now())
    let eve = try await store.createMailbox("eve@hamburger.edu", password: "x")
    _ = try await store.accept(StoreTests.letter("eve@hamburger.edu"))
    #expect(eve.id != bob.id && eve.tag != bob.tag)
    #expect(try await store.messages(bob.id, folder: nil, before: nil, limit: 9).isEmpty)
    await #expect(throws: StoreError.self) {
      try await store.append(bob.id, folder: "Drafts", content: [], flags: [.draft])
    }
  }

  @Test func whoListensIsTold() async throws {
    let test = try TestStore()
    let hub = EventHub(feed: test.store.feed, start: 100)
    let bob = try await test.store.createMailbox("bob@hamburger.edu", password: "x")
    _ = try await test.store.accept(StoreTests.letter("bob@hamburger.edu"))
    let owner = try #require(hub.listen(after: nil, mailbox: bob.id))
    try await test.store.reset(at: test.store.now())
    #expect(owner.take()?.map(\.content) == [.reset(epoch: 2)])
    // What was before is told nobody any more.
    #expect(hub.listen(after: "99", mailbox: nil)?.missed == 101)
    #expect(hub.listen(after: "100", mailbox: nil)?.take()?.map(\.content) == [.reset(epoch: 2)])
  }
}
