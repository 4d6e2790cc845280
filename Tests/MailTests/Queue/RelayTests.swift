import EventLoop
import Logging
import MailWire
import Octets
import Testing

@testable import Mail

/// Two mail hosts on real sockets: letters handed in at the first have to reach the second.
@Suite(.timeLimit(.minutes(1))) struct RelayTests {
  /// A host with an SMTP door, and what the relay of another one needs to find it.
  struct Host {
    let test: TestStore
    let loop: EventLoop
    let listener: TCPListener

    init(_ domain: String, loop: EventLoop, catchMode: Int? = nil) throws {
      test = try TestStore(domains: [domain], catchMode: catchMode)
      self.loop = loop
      var log = Logger(label: "test")
      log.logLevel = .critical
      let service = SMTPService(
        store: test.store, isSubmission: false, sessions: SessionRegistry(),
        desk: LoginDesk(store: test.store, log: log), log: log)
      listener = try TCPListener(SocketAddress(ip: .loopbackV4, port: 0), on: loop) { service.open($0, on: loop) }
    }

    var port: UInt16 { listener.address.port }
  }

  static func relay(
    _ host: TestStore, port: UInt16, on loop: EventLoop, names: NameLookup? = nil, own: [SocketAddress] = []
  ) -> Relay {
    let lookup =
      names
      ?? NameLookup(
        exchangers: { _ in .records([MailExchanger(preference: 10, host: "mail.hamburger.edu")]) },
        addresses: { _ in .records([.loopbackV4]) })
    var log = Logger(label: "test")
    log.logLevel = .critical
    var settings = RelaySettings()
    settings.port = port
    settings.own = own
    // The test's clock stands still: what is put off is woken by the test itself.
    return Relay(store: host.store, settings: settings, names: lookup, log: log, on: loop) { _, _ in }
  }

  /// Waits until the letter is decided; it has to end in this state.
  static func wait(_ store: Store, _ letter: Int64, for state: QueueState, on loop: EventLoop) async throws
    -> LetterRecord
  {
    while true {
      if let record = try await store.letter(letter), record.state != .waiting {
        #expect(record.state == state)
        return record
      }
      try await loop.patience()
    }
  }

  @Test func lettersReachTheOtherHostOverOneConnection() async throws {
    let loop = try EventLoop.start(name: "relay")
    defer { loop.stop() }
    let hamburger = try Host("hamburger.edu", loop: loop)
    let bob = try await hamburger.test.store.createMailbox("bob@hamburger.edu", password: "x")
    let crepes = try TestStore(domains: ["crepes.fr"])
    var letters: [Int64] = []
    for number in 1...3 {
      let content = "Subject: \(number)\r\nFrom: alice@crepes.fr\r\n\r\n.dot\r\n"
      let accepted = try await crepes.store.accept(
        Letter(sender: "alice@crepes.fr", recipients: ["bob@hamburger.edu"], content: Array(content.utf8)))
      letters.append(try #require(accepted.queued))
    }
    let relay = Self.relay(crepes, port: hamburger.port, on: loop)
    await relay.start()
    for letter in letters {
      let record = try await Self.wait(crepes.store, letter, for: .delivered, on: loop)
      #expect(record.recipients.map(\.state) == [.delivered])
      #expect(record.recipients[0].host == "mail.hamburger.edu")
    }
    let list = try await hamburger.test.store.messages(bob.id, folder: "INBOX", before: nil, limit: 10)
    #expect(list.map(\.summary.subject) == ["3", "2", "1"])
    #expect(list[0].sender == "alice@crepes.fr")
    let raw = String(decoding: try #require(await hamburger.test.store.raw(bob.id, list[0].id)), as: UTF8.self)
    #expect(raw.hasSuffix("\r\n\r\n.dot\r\n"))
    let first = try await crepes.store.attempts(letters[0])
    #expect(first.count == 1)
    #expect(first[0].dialogue.contains("C: EHLO mail.crepes.fr"))
    #expect(first[0].dialogue.contains("C: RCPT TO:<bob@hamburger.edu>"))
    // The last one came over the connection that was there.
    let last = try await crepes.store.attempts(letters[2])
    #expect(!last[0].dialogue.contains { $0.hasPrefix("C: EHLO") })
    #expect(try await crepes.bodies() == 0)
    await relay.stop(within: .seconds(1))
  }

  @Test func aRefusedRecipientIsReportedToTheSender() async throws {
    let loop = try EventLoop.start(name: "relay")
    defer { loop.stop() }
    let hamburger = try Host("hamburger.edu", loop: loop)
    _ = try await hamburger.test.store.createMailbox("bob@hamburger.edu", password: "x")
    let crepes = try TestStore(domains: ["crepes.fr"])
    let alice = try await crepes.store.createMailbox("alice@crepes.fr", password: "x")
    let accepted = try await crepes.store.accept(
      Letter(
        sender: "alice@crepes.fr", recipients: ["bob@hamburger.edu", "nobody@hamburger.edu"],
        content: Array("Subject: hi\r\n\r\nx\r\n".utf8)))
    let relay = Self.relay(crepes, port: hamburger.port, on: loop)
    await relay.start()
    let record = try await Self.wait(crepes.store, try #require(accepted.queued), for: .failed, on: loop)
    #expect(record.recipients.map(\.state) == [.delivered, .failed])
    let list = try await crepes.store.messages(alice.id, folder: "INBOX", before: nil, limit: 10)
    #expect(list.count == 1)
    #expect(list[0].sender.isEmpty)
    let raw = String(decoding: try #require(await crepes.store.raw(alice.id, list[0].id)), as: UTF8.self)
    #expect(raw.contains("multipart/report"))
    #expect(
      raw.contains("Final-Recipient: rfc822; nobody@hamburger.edu") || raw.contains("rfc822;nobody@hamburger.edu"))
    #expect(raw.contains("5.1.1"))
    await relay.stop(within: .seconds(1))
  }

  /// A host that has the letter may be about to say that it took it; any other is hung up on.
  @Test(arguments: ["RCPT", "."]) func aStopWaitsForTheAnswerToALetterOnly(silentAt: String) async throws {
    let world = try await RelayWorld()
    defer { world.loop.stop() }
    let host = try ScriptedHost(world.loop) { _, said in
      said?.hasPrefix(silentAt) == true ? .silence : ScriptedHost.usual(said)
    }
    let letter = try await world.queue("bob@hamburger.edu")
    let relay = world.relay(port: host.port)
    await relay.start()
    while silentAt == "." ? host.letters.isEmpty : !host.commands.contains(where: { $0.hasPrefix("RCPT") }) {
      try await world.loop.patience()
    }
    // Nothing but a hang-up ends the first before the test's time is up.
    await relay.stop(within: silentAt == "." ? .milliseconds(100) : .seconds(600))
    let talks = await relay.talks.count
    #expect(talks == (silentAt == "." ? 1 : 0))
    // It is no try, and due at the next start.
    #expect(try await world.crepes.store.attempts(letter).isEmpty)
    #expect(try await world.crepes.store.due("hamburger.edu", limit: 1).count == 1)
  }

  @Test func aReportIsNeverReportedOn() async throws {
    let loop = try EventLoop.start(name: "relay")
    defer { loop.stop() }
    let crepes = try TestStore(domains: ["crepes.fr"])
    let accepted = try await crepes.store.accept(
      Letter(sender: "", recipients: ["nobody@nowhere.org"], content: Array("Subject: report\r\n\r\n".utf8)))
    let names = NameLookup(exchangers: { _ in .noSuchName }, addresses: { _ in .noSuchName })
    let relay = Self.relay(crepes, port: 1, on: loop, names: names)
    await relay.start()
    let letter = try #require(accepted.queued)
    let record = try await Self.wait(crepes.store, letter, for: .failed, on: loop)
    #expect(record.recipients[0].reply?.contains("does not exist") == true)
    #expect(try await crepes.store.letters(before: nil, limit: 10, state: nil).count == 1)
    #expect(try await crepes.bodies() == 0)
    await relay.stop(within: .seconds(1))
  }

  @Test func whatCanNotBeReachedIsTriedAgainAndThenGivenUp() async throws {
    let loop = try EventLoop.start(name: "relay")
    defer { loop.stop() }
    let crepes = try TestStore(domains: ["crepes.fr"])
    let alice = try await crepes.store.createMailbox("alice@crepes.fr", password: "x")
    // A port that was free a moment ago: nobody listens there.
    let closed = try TCPListener(SocketAddress(ip: .loopbackV4, port: 0), on: loop) { $0.close() }
    await closed.drain()
    let accepted = try await crepes.store.accept(
      Letter(sender: "alice@crepes.fr", recipients: ["bob@hamburger.edu"], content: Array("Subject: hi\r\n\r\n".utf8)))
    let letter = try #require(accepted.queued)
    let relay = Self.relay(crepes, port: closed.address.port, on: loop)
    await relay.start()
    while try await crepes.store.attempts(letter).isEmpty { try await loop.patience() }
    let waiting = try #require(await crepes.store.letter(letter))
    let next = try #require(waiting.recipients[0].nextAttempt)
    #expect(waiting.state == .waiting && abs(next - crepes.clock.seconds - 300) <= 30)
    #expect(
      try await crepes.store.attempts(letter)[0].dialogue.contains { $0.contains("connecting to mail.hamburger.edu") })
    crepes.clock.advance(RetrySchedule.lifetime)
    await relay.wake()
    _ = try await Self.wait(crepes.store, letter, for: .failed, on: loop)
    let list = try await crepes.store.messages(alice.id, folder: "INBOX", before: nil, limit: 10)
    #expect(list.count == 1)
    await relay.stop(within: .seconds(1))
  }

  @Test func theNextAddressIsTried() async throws {
    let loop = try EventLoop.start(name: "relay")
    defer { loop.stop() }
    let hamburger = try Host("hamburger.edu", loop: loop)
    _ = try await hamburger.test.store.createMailbox("bob@hamburger.edu", password: "x")
    let crepes = try TestStore(domains: ["crepes.fr"])
    let accepted = try await crepes.store.accept(
      Letter(sender: "alice@crepes.fr", recipients: ["bob@hamburger.edu"], content: Array("Subject: hi\r\n\r\n".utf8)))
    let dead = try #require(IPAddress("127.77.77.77"))
    let names = NameLookup(
      exchangers: { _ in
        .records([MailExchanger(preference: 10, host: "dead"), MailExchanger(preference: 20, host: "alive")])
      }, addresses: { $0 == "dead" ? .records([dead]) : .records([dead, .loopbackV4]) })
    let relay = Self.relay(
      crepes, port: hamburger.port, on: loop, names: names)
    await relay.start()
    let record = try await Self.wait(crepes.store, try #require(accepted.queued), for: .delivered, on: loop)
    #expect(record.recipients[0].host == "alive")
    await relay.stop(within: .seconds(1))
  }

  /// RFC 5321 §4.1.3: the address stands there, so nobody is asked for it.
  @Test func anAddressLiteralIsItsOwnRoute() async throws {
    let loop = try EventLoop.start(name: "relay")
    defer { loop.stop() }
    let other = try Host("hamburger.edu", loop: loop, catchMode: 10)
    let crepes = try TestStore(domains: ["crepes.fr"])
    let accepted = try await crepes.store.accept(
      Letter(sender: "alice@crepes.fr", recipients: ["bob@[127.0.0.1]"], content: Array("Subject: hi\r\n\r\n".utf8)))
    let relay = Self.relay(crepes, port: other.port, on: loop, names: NameLookup.none)
    await relay.start()
    let record = try await Self.wait(crepes.store, try #require(accepted.queued), for: .delivered, on: loop)
    #expect(record.recipients[0].host == "[127.0.0.1]")
    let caught = try await other.test.store.messages(Store.catchMailbox, folder: nil, before: nil, limit: 10)
    #expect(caught.map(\.recipients) == [["bob@[127.0.0.1]"]])
    await relay.stop(within: .seconds(1))
  }

  /// RFC 6531 §3.2: in the DNS the domain has its A-labels, in SMTP it stays as it is written.
  @Test func aDomainBeyondASCIIIsLookedUpAsTheDNSHasIt() async throws {
    let loop = try EventLoop.start(name: "relay")
    defer { loop.stop() }
    let other = try Host("hamburger.edu", loop: loop, catchMode: 10)
    let crepes = try TestStore(domains: ["crepes.fr"])
    let accepted = try await crepes.store.accept(
      Letter(
        sender: "alice@crepes.fr", recipients: ["bob@bücher.example", "eve@xn--bcher-kva.example"],
        content: Array("Subject: hi\r\n\r\n".utf8), utf8: true))
    let asked = Lock<[String]>([])
    let names = NameLookup(
      exchangers: { domain in
        asked.withLock { $0.append(domain) }
        return .records([])
      }, addresses: { _ in .records([.loopbackV4]) })
    let relay = Self.relay(crepes, port: other.port, on: loop, names: names)
    await relay.start()
    _ = try await Self.wait(crepes.store, try #require(accepted.queued), for: .delivered, on: loop)
    #expect(asked.withLock { $0 } == ["xn--bcher-kva.example"])
    let caught = try await other.test.store.messages(Store.catchMailbox, folder: nil, before: nil, limit: 10)
    #expect(caught.map(\.recipients) == [["bob@bücher.example", "eve@xn--bcher-kva.example"]])
    await relay.stop(within: .seconds(1))
  }

  @Test func aRouteThatLeadsBackHereIsALoop() async throws {
    let loop = try EventLoop.start(name: "relay")
    defer { loop.stop() }
    let crepes = try Host("crepes.fr", loop: loop)
    let accepted = try await crepes.test.store.accept(
      Letter(sender: "", recipients: ["bob@hamburger.edu"], content: Array("Subject: hi\r\n\r\n".utf8)))
    let relay = Self.relay(crepes.test, port: crepes.port, on: loop, own: [crepes.listener.address])
    await relay.start()
    let record = try await Self.wait(crepes.test.store, try #require(accepted.queued), for: .failed, on: loop)
    #expect(record.recipients[0].reply?.contains("is this host") == true)
    await relay.stop(within: .seconds(1))
  }
}
