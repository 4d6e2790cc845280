import EventLoop
import Logging
import Octets
import SQL
import Testing

@testable import Mail

/// A mailbox and the queue hold so much and no more.
@Suite struct BoundsTests {
  static func store(_ change: (inout MailLimits) -> Void, catchMode: Int? = nil) throws -> TestStore {
    var limits = MailLimits()
    change(&limits)
    return try TestStore(catchMode: catchMode, limits: limits)
  }

  @Test func aFullMailboxTakesNoMore() async throws {
    let test = try Self.store { $0.mailboxMessages = 2 }
    let store = test.store
    let bob = try await store.createMailbox("bob@hamburger.edu", password: "x")
    let alice = try await store.createMailbox("alice@hamburger.edu", password: "x")
    for _ in 1...2 { _ = try await store.accept(StoreTests.letter("bob@hamburger.edu")) }
    await #expect(throws: StoreError.mailboxFull("bob@hamburger.edu")) {
      try await store.accept(StoreTests.letter("bob@hamburger.edu"), vanished: .reported)
    }
    await #expect(throws: StoreError.mailboxFull("bob@hamburger.edu")) {
      try await store.append(bob.id, folder: "Drafts", content: [], flags: [.draft])
    }
    // Others get the letter all the same, and its sender hears of the one who does not.
    var letter = StoreTests.letter("bob@hamburger.edu", "x@elsewhere.org")
    letter.sender = "alice@hamburger.edu"
    #expect(try await store.accept(letter, vanished: .reported).queued != nil)
    let report = try #require(await store.inbox(alice.id).messages.first)
    let text = String(decoding: try #require(await store.raw(alice.id, report.id)), as: UTF8.self)
    #expect(text.contains("Status: 5.2.2") && text.contains("bob@hamburger.edu"))
    // What is deleted makes room.
    try await store.delete(bob.id, try #require(await store.inbox(bob.id).messages.first?.id))
    #expect(try await store.accept(StoreTests.letter("bob@hamburger.edu")).delivered.count == 1)
  }

  @Test func aMailboxHoldsSoManyOctets() async throws {
    let letter = StoreTests.letter("bob@hamburger.edu")
    let test = try Self.store { $0.mailboxOctets = 2 * letter.content.count }
    _ = try await test.store.createMailbox("bob@hamburger.edu", password: "x")
    _ = try await test.store.accept(letter)
    await #expect(throws: StoreError.mailboxFull("bob@hamburger.edu")) { try await test.store.accept(letter) }
    #expect(try await test.bodies() == 1)
  }

  @Test(arguments: [true, false]) func theQueueHoldsSoMuch(counted: Bool) async throws {
    let letter = StoreTests.letter("x@elsewhere.org")
    let test = try Self.store {
      if counted { $0.queueLetters = 1 } else { $0.queueOctets = letter.content.count + 1 }
    }
    let first = try #require(await test.store.accept(letter).queued)
    await #expect(throws: StoreError.queueFull) { try await test.store.accept(letter) }
    let due = try await test.store.due("elsewhere.org", limit: 1)
    try await test.store.record(
      AttemptResult(
        letter: first, epoch: due[0].epoch, at: 0, host: "h", address: "", outcome: "250 ok", dialogue: [],
        recipients: [.init(recipient: due[0], state: .delivered, nextAttempt: nil, reply: "250 ok")]))
    let second = try #require(await test.store.accept(letter).queued)
    try await test.store.deleteLetter(second)
    #expect(try await test.store.accept(letter).queued != nil)
    try await test.store.reset(at: test.store.now())
    #expect(try await test.store.accept(letter).queued == 1)
  }

  @Test func smtpSaysThatItIsFull() async throws {
    let loop = try EventLoop.start(name: "mail")
    defer { loop.stop() }
    let test = try Self.store { limits in
      limits.mailboxMessages = 0
      limits.queueLetters = 0
    }
    _ = try await test.store.createMailbox("bob@hamburger.edu", password: "hungry")
    var log = Logger(label: "test")
    log.logLevel = .critical
    let door = SMTPService(
      store: test.store, isSubmission: true, sessions: SessionRegistry(), desk: LoginDesk(store: test.store, log: log),
      log: log)
    let listener = try TCPListener(SocketAddress(ip: .loopbackV4, port: 0), on: loop) { door.open($0, on: loop) }
    let client = try await TCPConnection.connect(to: listener.address, on: loop)
    func send(_ recipient: String) -> String {
      "MAIL FROM:<bob@hamburger.edu>\r\nRCPT TO:<\(recipient)>\r\nDATA\r\nhello\r\n.\r\n"
    }
    let dialogue = try await ConnectionTests.exchange(
      client,
      "EHLO a\r\nAUTH PLAIN AGJvYgBodW5ncnk=\r\n" + send("bob@hamburger.edu") + send("x@elsewhere.org") + "QUIT\r\n",
      until: "closing connection\r\n")
    #expect(dialogue.contains("\r\n452 4.2.2 ") && dialogue.contains("\r\n452 4.3.1 "))
    await client.close()
  }

  @Test func whatCatchModeForgetsIsTold() async throws {
    let test = try Self.store({ _ in }, catchMode: 2)
    let told = Lock<[Change]>([])
    _ = test.store.feed.subscribe { change in told.withLock { $0.append(change) } }
    for _ in 1...3 { _ = try await test.store.accept(StoreTests.letter("a@b.c")) }
    #expect(told.withLock { $0 }.suffix(2) == [.delivered(mailbox: 1, message: 3), .deleted(mailbox: 1, message: 1)])
  }

  @Test func catchModeKeepsSoManyOctets() async throws {
    let letter = StoreTests.letter("a@b.c")
    let test = try Self.store({ $0.mailboxOctets = 2 * letter.content.count + 100 }, catchMode: 100)
    for _ in 1...5 { _ = try await test.store.accept(letter) }
    let kept = try await test.store.messages(Store.catchMailbox, folder: nil, before: nil, limit: 10).map(\.id)
    #expect(kept == [5, 4])
    // One alone is kept, whatever its size.
    let large = StoreTests.letter("a@b.c", content: String(repeating: "0123456789\r\n", count: 100))
    _ = try await test.store.accept(large)
    #expect(try await test.store.messages(Store.catchMailbox, folder: nil, before: nil, limit: 10).map(\.id) == [6])
  }

  @Test func aListOfLettersShowsTheFirstRecipients() async throws {
    let test = try Self.store { $0.listedRecipients = 2 }
    let names = (1...5).map { "r\($0)@elsewhere.org" }
    let letter = Letter(sender: "a@b.c", recipients: names, content: Array("x\r\n".utf8))
    let id = try #require(await test.store.accept(letter).queued)
    let listed = try #require(await test.store.letters(before: nil, limit: 9, state: nil).first)
    #expect(listed.recipients.map(\.address) == Array(names.prefix(2)) && listed.recipientCount == 5)
    #expect(try await test.store.letter(id)?.recipients.map(\.address) == names)
  }

  @Test func theNewestTriesStayListed() async throws {
    let test = try Self.store { $0.attempts = 3 }
    let id = try #require(await test.store.accept(StoreTests.letter("x@elsewhere.org")).queued)
    for time in 1...5 {
      let due = try await test.store.due("elsewhere.org", limit: 1)
      try await test.store.record(
        AttemptResult(
          letter: id, epoch: due[0].epoch, at: Int64(time), host: "h", address: "", outcome: "no", dialogue: [],
          recipients: [.init(recipient: due[0], state: .waiting, nextAttempt: 0, reply: "no")]))
    }
    #expect(try await test.store.attempts(id).map(\.at) == [3, 4, 5])
    #expect(try await test.store.letter(id)?.revision == 6)
  }

  /// The counts of a store that is older than them.
  @Test func whatWasThereBeforeIsCounted() async throws {
    let path = try TestStore.emptyDirectory()
    let old = try Database(path: "\(path)/mail.sqlite", migrations: Array(Schema.migrations.prefix(2)))
    try old.writeAndWait { connection in
      try connection.execute(
        """
        INSERT INTO mailbox (id, key, address, domain, secret, created_at) VALUES (7, 'b@x', 'b@x', 'x', 's', 0);
        INSERT INTO message (mailbox, folder, uid, flags, body, size, recipients, received_at, sender, receiver, subject,
          message_id, attachments, text, sender_key, receiver_key, subject_key)
        VALUES (7, 2, 1, 0, 1, 30, '', 0, '', '', '', '', 0, '', '', '', ''),
          (7, 2, 2, 0, 1, 12, '', 0, '', '', '', '', 0, '', '', '', '');
        INSERT INTO letter (sender, size, subject, utf8, created_at, expires_at, state)
        VALUES ('', 5, '', 0, 0, 0, 'waiting'), ('', 50, '', 0, 0, 0, 'failed');
        """)
    }
    old.close()
    let test = try TestStore(at: path)
    let counts = try await test.store.database.read { connection in
      [
        try connection.integer("SELECT messages FROM mailbox WHERE id = 7"),
        try connection.integer("SELECT octets FROM mailbox WHERE id = 7"),
        try connection.integer("SELECT octets FROM mailbox WHERE id = 1"),
        try connection.integer("SELECT letters FROM ledger"), try connection.integer("SELECT octets FROM ledger"),
      ]
    }
    #expect(counts == [2, 42, 0, 1, 5])
  }
}
