import EventLoop
import Logging
import MailWire
import Octets
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
    let smtp = SMTPService(store: test.store, isSubmission: false, sessions: sessions, log: log)
    let pop3 = POP3Service(store: test.store, locks: MailboxLocks(), sessions: sessions, log: log)
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
    #expect(try await test.store.inbox(bob.id).count == 1)

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
    #expect(try await test.store.inbox(bob.id).isEmpty)
    await reader.close()
    await second.close()
  }

  @Test func aShutdownSaysGoodbye() async throws {
    let loop = try EventLoop.start(name: "mail")
    defer { loop.stop() }
    let test = try TestStore()
    var log = Logger(label: "test")
    log.logLevel = .critical
    let sessions = SessionRegistry()
    let smtp = SMTPService(store: test.store, isSubmission: false, sessions: sessions, log: log)
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
