import EventLoop
import Logging
import MailWire
import Octets
import ServiceKit
import Testing

@testable import Mail

/// SMTP and POP3 on real sockets.
@Suite struct ConnectionTests {
  static func exchange(_ connection: TCPConnection, _ text: String, until end: String) async throws -> String {
    if !text.isEmpty { try await connection.write(Array(text.utf8)) }
    var heard = ""
    while !heard.hasSuffix(end) {
      let octets = try await connection.read(timeout: .seconds(20))
      if octets.isEmpty { break }
      heard += String(decoding: octets, as: UTF8.self)
    }
    return heard
  }

  @Test func aLetterComesInBySMTPAndOutByPOP3() async throws {
    let loop = try EventLoop.start(name: "mail")
    defer { loop.stop() }
    let test = try TestStore()
    let bob = try await test.store.createMailbox("bob@hamburger.edu", password: "hungry")
    var log = Logger(label: "test")
    log.logLevel = .critical
    let sessions = SessionRegistry()
    let desk = LoginDesk(store: test.store, log: log)
    let smtp = SMTPService(store: test.store, isSubmission: false, sessions: sessions, desk: desk, log: log)
    let pop3 = POP3Service(store: test.store, locks: MailboxLocks(), sessions: sessions, desk: desk, log: log)
    let any = SocketAddress(ip: .loopbackV4, port: 0)
    let incoming = try TCPListener(any, on: loop) { smtp.open($0, on: loop) }
    let outgoing = try TCPListener(any, on: loop) { pop3.open($0, on: loop) }

    let sender = try await TCPConnection.connect(to: incoming.address, on: loop)
    _ = try await Self.exchange(sender, "", until: "\r\n")
    let dialogue = try await Self.exchange(
      sender,
      "HELO crepes.fr\r\nMAIL FROM: <alice@crepes.fr>\r\nRCPT TO: <bob@hamburger.edu>\r\nRCPT TO:<x@y.z>\r\nDATA\r\n"
        + "Do you like ketchup?\r\n.\r\nQUIT\r\n", until: "closing connection\r\n")
    #expect(dialogue.contains("550 x@y.z... relaying denied"))
    #expect(dialogue.contains("250 Message accepted for delivery\r\n"))
    #expect(try await sender.read() == [])
    await sender.close()
    #expect(try await test.store.inbox(bob.id).messages.count == 1)

    let reader = try await TCPConnection.connect(to: outgoing.address, on: loop)
    let mail = try await Self.exchange(
      reader, "user bob\r\npass hungry\r\nretr 1\r\ndele 1\r\n", until: "message 1 deleted\r\n")
    #expect(mail.contains("+OK user successfully logged on\r\n"))
    #expect(mail.contains("\r\nReturn-Path: <alice@crepes.fr>\r\n"))
    #expect(mail.contains("\r\n\r\nDo you like ketchup?\r\n.\r\n"))
    // The mailbox belongs to one session at a time.
    let second = try await TCPConnection.connect(to: outgoing.address, on: loop)
    let denied = try await Self.exchange(second, "USER bob\r\nPASS hungry\r\nQUIT\r\n", until: "signing off\r\n")
    #expect(denied.contains("-ERR [IN-USE]"))
    _ = try await Self.exchange(reader, "quit\r\n", until: "signing off\r\n")
    #expect(try await test.store.inbox(bob.id).messages.isEmpty)
    // It is free as soon as the first has said goodbye, whenever its connection ends (RFC 1939 §6).
    let third = try await TCPConnection.connect(to: outgoing.address, on: loop)
    let opened = try await Self.exchange(third, "USER bob\r\nPASS hungry\r\nQUIT\r\n", until: "signing off\r\n")
    #expect(opened.contains("+OK user successfully logged on\r\n"))
    await third.close()
    await reader.close()
    await second.close()
  }

  @Test func catchModeTakesEveryPasswordSenderAndRecipient() async throws {
    let loop = try EventLoop.start(name: "mail")
    defer { loop.stop() }
    let test = try TestStore(catchMode: 5)
    var log = Logger(label: "test")
    log.logLevel = .critical
    let smtp = SMTPService(
      store: test.store, isSubmission: false, sessions: SessionRegistry(),
      desk: LoginDesk(store: test.store, log: log), log: log)
    let incoming = try TCPListener(SocketAddress(ip: .loopbackV4, port: 0), on: loop) { smtp.open($0, on: loop) }
    let sender = try await TCPConnection.connect(to: incoming.address, on: loop)
    // AUTH LOGIN as any, with thing.
    let dialogue = try await Self.exchange(
      sender,
      "EHLO app\r\nAUTH LOGIN\r\nYW55\r\ndGhpbmc=\r\nMAIL FROM:<shop@example.com>\r\nRCPT TO:<new@example.net>\r\n"
        + "DATA\r\nhello\r\n.\r\nQUIT\r\n", until: "closing connection\r\n")
    #expect(dialogue.contains("\r\n235 2.7.0 Authentication successful\r\n"))
    #expect(dialogue.contains("\r\n250 2.0.0 Message accepted for delivery\r\n"))
    await sender.close()
    #expect(try await test.store.inbox(Store.catchMailbox).messages.count == 1)
  }

  /// A letter that was promised to two, of whom one is gone by the dot, reaches the other; the sender hears of the one.
  @Test func aMailboxThatGoesBetweenRCPTAndTheDotSpoilsNothing() async throws {
    let loop = try EventLoop.start(name: "mail")
    defer { loop.stop() }
    let test = try TestStore()
    let store = test.store
    let bob = try await store.createMailbox("bob@hamburger.edu", password: "hungry")
    let sender = try await store.createMailbox("alice@hamburger.edu", password: "ketchup")
    _ = try await store.createMailbox("carol@hamburger.edu", password: "x")
    var log = Logger(label: "test")
    log.logLevel = .critical
    let smtp = SMTPService(
      store: store, isSubmission: false, sessions: SessionRegistry(), desk: LoginDesk(store: store, log: log), log: log)
    let incoming = try TCPListener(SocketAddress(ip: .loopbackV4, port: 0), on: loop) { smtp.open($0, on: loop) }
    let client = try await TCPConnection.connect(to: incoming.address, on: loop)
    _ = try await Self.exchange(
      client,
      "EHLO a\r\nMAIL FROM:<alice@hamburger.edu>\r\nRCPT TO:<carol@hamburger.edu>\r\nRCPT TO:<bob@hamburger.edu>\r\n"
        + "DATA\r\n", until: "by itself\r\n")
    try await store.deleteMailbox("carol@hamburger.edu")
    #expect(try await Self.exchange(client, "hello\r\n.\r\n", until: "\r\n").hasPrefix("250 2.0.0 "))
    #expect(try await store.inbox(bob.id).messages.count == 1)
    let report = try #require(try await store.inbox(sender.id).messages.first)
    let text = String(decoding: try #require(try await store.raw(sender.id, report.id)), as: UTF8.self)
    #expect(text.contains("carol@hamburger.edu") && !text.contains("bob@hamburger.edu"))
    // And where it was the only one, the client itself is told.
    _ = try await Self.exchange(
      client, "MAIL FROM:<>\r\nRCPT TO:<bob@hamburger.edu>\r\nDATA\r\n", until: "by itself\r\n")
    try await store.deleteMailbox("bob@hamburger.edu")
    #expect(try await Self.exchange(client, "hello\r\n.\r\n", until: "\r\n").hasPrefix("550 5.1.1 "))
    await client.close()
  }

  @Test func aUniqueIDSaysMoreThanTheNumber() async throws {
    let loop = try EventLoop.start(name: "mail")
    defer { loop.stop() }
    let test = try TestStore()
    _ = try await test.store.createMailbox("bob@hamburger.edu", password: "hungry")
    var log = Logger(label: "test")
    log.logLevel = .critical
    let letter = Letter(sender: "", recipients: ["bob@hamburger.edu"], content: Array("x\r\n".utf8))
    let id = try #require(await test.store.accept(letter).delivered.first)
    let pop3 = POP3Service(
      store: test.store, locks: MailboxLocks(), sessions: SessionRegistry(),
      desk: LoginDesk(store: test.store, log: log), log: log)
    let outgoing = try TCPListener(SocketAddress(ip: .loopbackV4, port: 0), on: loop) { pop3.open($0, on: loop) }
    // A host that was never reset goes on with the ids that it gave before there were epochs.
    for era in ["", "2."] {
      let reader = try await TCPConnection.connect(to: outgoing.address, on: loop)
      let text = try await Self.exchange(
        reader, "USER bob\r\nPASS hungry\r\nUIDL 1\r\nQUIT\r\n", until: "signing off\r\n")
      #expect(text.contains("\r\n+OK 1 \(era)\(id).\(test.clock.seconds)\r\n"))
      await reader.close()
      if !era.isEmpty { break }
      try await test.store.reset(at: test.store.now())
      _ = try await test.store.createMailbox("bob@hamburger.edu", password: "hungry")
      #expect(try await test.store.accept(letter).delivered == [id])
    }
  }

  @Test func aGuesserIsTurnedAwayOnEveryConnection() async throws {
    let loop = try EventLoop.start(name: "mail")
    defer { loop.stop() }
    let test = try TestStore()
    _ = try await test.store.createMailbox("bob@hamburger.edu", password: "hungry")
    var log = Logger(label: "test")
    log.logLevel = .critical
    let desk = LoginDesk(store: test.store, gate: LoginGate(limits: LoginGate.Limits(failures: 3)), log: log)
    let sessions = SessionRegistry()
    let pop3 = POP3Service(store: test.store, locks: MailboxLocks(), sessions: sessions, desk: desk, log: log)
    let smtp = SMTPService(store: test.store, isSubmission: true, sessions: sessions, desk: desk, log: log)
    let any = SocketAddress(ip: .loopbackV4, port: 0)
    let outgoing = try TCPListener(any, on: loop) { pop3.open($0, on: loop) }
    let submission = try TCPListener(any, on: loop) { smtp.open($0, on: loop) }
    let reader = try await TCPConnection.connect(to: outgoing.address, on: loop)
    let guess = "USER bob\r\nPASS x\r\n"
    let answers = try await Self.exchange(
      reader, guess + guess + guess + "USER bob\r\nPASS hungry\r\nQUIT\r\n", until: "signing off\r\n")
    #expect(answers.contains("-ERR [SYS/TEMP] too many wrong passwords"))
    #expect(!answers.contains("logged on"))
    #expect(desk.counters.wrongPasswords.current == 3)
    let sender = try await TCPConnection.connect(to: submission.address, on: loop)
    let refusal = try await Self.exchange(
      sender, "EHLO a\r\nAUTH PLAIN AGJvYgBodW5ncnk=\r\nQUIT\r\n", until: "closing connection\r\n")
    #expect(refusal.contains("\r\n454 4.7.0 "))
    await reader.close()
    await sender.close()
  }

  @Test func aShutdownSaysGoodbye() async throws {
    let loop = try EventLoop.start(name: "mail")
    defer { loop.stop() }
    let test = try TestStore()
    var log = Logger(label: "test")
    log.logLevel = .critical
    let sessions = SessionRegistry()
    let smtp = SMTPService(
      store: test.store, isSubmission: false, sessions: sessions, desk: LoginDesk(store: test.store, log: log), log: log
    )
    let incoming = try TCPListener(SocketAddress(ip: .loopbackV4, port: 0), on: loop) { smtp.open($0, on: loop) }
    let client = try await TCPConnection.connect(to: incoming.address, on: loop)
    _ = try await Self.exchange(client, "", until: "\r\n")
    async let closing: Void = sessions.close(on: loop, within: .seconds(10))
    #expect(try await Self.exchange(client, "", until: "\r\n").hasPrefix("421 "))
    await client.close()
    await closing
    #expect(sessions.count == 0)
  }
}
