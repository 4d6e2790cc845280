import EventLoop
import FoundationEssentials
import Glibc
import Logging
import MailWire
import Octets
import SQL
import Synchronization
import Testing

@testable import Mail

/// A store in a directory of its own, with a clock that the test moves.
final class TestStore: Sendable {
  let path: String
  let store: Store
  let clock: TestClock

  init(
    domains: [String] = ["hamburger.edu"], catchMode: Int? = nil, at path: String? = nil,
    pool: BlockingPool = BlockingPool(threads: 1), limits: MailLimits = MailLimits()
  ) throws {
    let clock = TestClock()
    self.path = try path ?? TestStore.emptyDirectory()
    self.clock = clock
    store = try Store(
      directory: self.path,
      settings: MailSettings(hostname: "mail.\(domains[0])", domains: domains, catchMode: catchMode, limits: limits),
      pool: pool,
      passwords: Store.Passwords(hash: { "hash of \($0)" }, verify: { "hash of \($0)" == $1 }),
      now: { clock.seconds })
  }

  /// A new one, which goes when the process ends.
  static func emptyDirectory() throws -> String {
    let path = "/tmp/mailtest.\(UInt64.random(in: 0 ... .max))"
    guard unsafe mkdir(path, 0o700) == 0 else { throw BodyFiles.Failure(code: errno) }
    TestDirectories.removeAtExit(path)
    return path
  }

  /// Names of the files that hold bodies.
  var files: [String] {
    guard let listing = unsafe opendir("\(path)/bodies") else { return [] }
    defer { unsafe closedir(listing) }
    var names: [String] = []
    while let entry = unsafe readdir(listing) {
      let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) {
        unsafe $0.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
      }
      if !name.hasPrefix(".") { names.append(name) }
    }
    return names
  }

  func bodies() async throws -> Int { try await store.database.read { try $0.integer("SELECT COUNT(*) FROM body") } }
}

/// Stores outlive the tests' variables, so their directories go when the process ends.
enum TestDirectories {
  private static let made = Lock<[String]>([])
  private static let isRegistered: Bool = atexit { TestDirectories.removeAll() } == 0

  static func removeAtExit(_ path: String) {
    guard isRegistered else { return }
    made.withLock { $0.append(path) }
  }

  private static func removeAll() {
    for path in made.withLock({ $0 }) {
      try? FileManager.default.removeItem(atPath: path)
    }
  }
}

final class TestClock: Sendable {
  private let time = Atomic<Int64>(1_000_000_000)
  var seconds: Int64 { time.load(ordering: .relaxed) }
  func advance(_ seconds: Int64) { time.add(seconds, ordering: .relaxed) }
}

@Suite struct StoreTests {
  static func letter(
    _ recipients: String..., content: String = "Subject: Ketchup\r\nFrom: Alice <alice@crepes.fr>\r\n\r\nhi\r\n"
  )
    -> Letter
  {
    Letter(sender: "alice@crepes.fr", recipients: recipients, content: Array(content.utf8))
  }

  @Test func oneLetterForManyIsStoredOnce() async throws {
    let test = try TestStore()
    let store = test.store
    for name in ["bob", "eve"] { _ = try await store.createMailbox("\(name)@hamburger.edu", password: "x") }
    let accepted = try await store.accept(
      Self.letter("bob@hamburger.edu", "EVE@hamburger.edu", "x@elsewhere.org", "bob@hamburger.edu"))
    #expect(accepted.delivered.count == 2)
    #expect(accepted.queued != nil)
    #expect(try await test.bodies() == 1)
    let bob = try #require(await store.mailbox("bob"))
    let list = try await store.messages(bob.id, folder: "INBOX", before: nil, limit: 10)
    #expect(list.map(\.summary.subject) == ["Ketchup"])
    let raw = try #require(await store.raw(bob.id, list[0].id))
    #expect(String(decoding: raw, as: UTF8.self).hasPrefix("Return-Path: <alice@crepes.fr>\r\nSubject: Ketchup\r\n"))
    #expect(raw.count == list[0].size)
    // The last that names the body takes it along.
    try await store.delete(bob.id, all: [list[0].id], in: "INBOX", epoch: 1)
    let eve = try #require(await store.mailbox("eve"))
    try await store.delete(eve.id, accepted.delivered[1])
    #expect(try await test.bodies() == 1)
    try await store.deleteLetter(try #require(accepted.queued))
    #expect(try await test.bodies() == 0)
  }

  @Test func aLargeBodyIsAFileThatGoesWithItsLastName() async throws {
    let test = try TestStore()
    let bob = try await test.store.createMailbox("bob@hamburger.edu", password: "x")
    let content = "Subject: big\r\n\r\n" + String(repeating: "0123456789\r\n", count: 10_000)
    let accepted = try await test.store.accept(Self.letter("bob@hamburger.edu", content: content))
    #expect(test.files.count == 1)
    let raw = try #require(await test.store.raw(bob.id, accepted.delivered[0]))
    #expect(String(decoding: raw, as: UTF8.self) == "Return-Path: <alice@crepes.fr>\r\n" + content)
    let body = try await test.store.database.read { Int64(try $0.integer("SELECT MAX(id) FROM body")) }
    #expect(try await test.store.content(of: body, epoch: 1, atMost: 100) == Array(content.utf8.prefix(100)))
    try await test.store.delete(bob.id, accepted.delivered[0])
    #expect(test.files.isEmpty)
  }

  @Test func filesWithoutANameAreSweptAtStart() async throws {
    let test = try TestStore()
    _ = try await test.store.createMailbox("bob@hamburger.edu", password: "x")
    let content = String(repeating: "0123456789\r\n", count: 10_000)
    _ = try await test.store.accept(Self.letter("bob@hamburger.edu", content: content))
    try test.store.files.write([1, 2, 3], as: "left-over")
    test.store.database.close()
    let again = try TestStore(at: test.path)
    #expect(again.files.count == 1)
    #expect(!again.files.contains("left-over"))
  }

  @Test func uidsAreNeverUsedAgain() async throws {
    let test = try TestStore()
    let store = test.store
    let bob = try await store.createMailbox("bob@hamburger.edu", password: "x")
    let first = try await store.accept(Self.letter("bob@hamburger.edu")).delivered[0]
    try await store.delete(bob.id, first)
    let second = try await store.accept(Self.letter("bob@hamburger.edu")).delivered[0]
    #expect(second > first)
    #expect(try await store.message(bob.id, second)?.uid == 2)
    let moved = try await store.update(bob.id, second, folder: "Trash") { _ in .seen }
    #expect(moved.folder == "Trash" && moved.uid == 1 && moved.flags == .seen && moved.revision == 2)
    await #expect(throws: StoreError.stale) {
      try await store.update(bob.id, second, folder: nil, flags: { _ in [] }, demand: { _ in throw StoreError.stale })
    }
    await #expect(throws: StoreError.noSuchFolder) {
      try await store.update(bob.id, second, folder: "Nowhere")
    }
  }

  @Test func whatWasMovedMeanwhileIsNotDeletedWithItsFormerFolder() async throws {
    let store = try TestStore().store
    let bob = try await store.createMailbox("bob@hamburger.edu", password: "x")
    let stays = try await store.accept(Self.letter("bob@hamburger.edu")).delivered[0]
    let goes = try await store.accept(Self.letter("bob@hamburger.edu")).delivered[0]
    let told = Lock<[Change]>([])
    _ = store.feed.subscribe { change in told.withLock { $0.append(change) } }
    _ = try await store.update(bob.id, stays, folder: "Trash")
    try await store.delete(bob.id, all: [stays, goes, 4711], in: "INBOX", epoch: 1)
    #expect(try await store.messages(bob.id, folder: nil, before: nil, limit: 10).map(\.id) == [stays])
    #expect(
      told.withLock { $0 } == [.changed(mailbox: bob.id, message: stays), .deleted(mailbox: bob.id, message: goes)])
  }

  @Test func whoIsServedHere() async throws {
    let store = try TestStore().store
    _ = try await store.createMailbox("Bob@Hamburger.edu", password: "x")
    func verdict(_ text: String, trusted: Bool = false) throws -> RecipientVerdict {
      store.verdict(on: try #require(store.complete(text)), trusted: trusted)
    }
    #expect(try verdict("bob@hamburger.EDU") == .accepted)
    #expect(try verdict("nobody@hamburger.edu") == .unknownUser)
    #expect(try verdict("x@elsewhere.org") == .relayingDenied)
    #expect(try verdict("x@elsewhere.org", trusted: true) == .accepted)
    #expect(store.verdict(on: .postmaster, trusted: false) == .accepted)
    #expect(try await store.accept(Self.letter("postmaster")).delivered.count == 1)
    // A report comes from there, and may be answered.
    let host = try #require(MailAddress("Postmaster@mail.hamburger.edu"))
    #expect(store.verdict(on: host, trusted: false) == .accepted)
    #expect(try await store.accept(Self.letter(host.description)).delivered.count == 1)
    #expect(store.verdict(on: try #require(MailAddress("bob@mail.hamburger.edu")), trusted: false) == .relayingDenied)
    await #expect(throws: StoreError.unknownRecipient("nobody@hamburger.edu")) {
      try await store.accept(Self.letter("bob@hamburger.edu", "nobody@hamburger.edu"))
    }
  }

  @Test func domainsAndMailboxes() async throws {
    let store = try TestStore().store
    await #expect(throws: StoreError.noSuchDomain) {
      try await store.createMailbox("a@networkutopia.com", password: "x")
    }
    #expect(try await store.addDomain("NetworkUtopia.com").name == "networkutopia.com")
    await #expect(throws: StoreError.exists) { try await store.addDomain("networkutopia.com") }
    _ = try await store.createMailbox("a@networkutopia.com", password: "x")
    await #expect(throws: StoreError.exists) { try await store.createMailbox("A@networkutopia.com", password: "x") }
    await #expect(throws: StoreError.domainInUse) { try await store.removeDomain("networkutopia.com") }
    #expect(try await store.domains().map(\.mailboxes) == [0, 1])
    try await store.deleteMailbox("a@networkutopia.com")
    try await store.removeDomain("networkutopia.com")
    #expect(try await store.domains().map(\.name) == ["hamburger.edu"])
  }

  @Test func passwordsOpenTheirMailboxOnly() async throws {
    let store = try TestStore().store
    _ = try await store.createMailbox("bob@hamburger.edu", password: "hungry")
    #expect(try await store.authenticate("bob", password: "hungry")?.address == "bob@hamburger.edu")
    #expect(try await store.authenticate("bob@hamburger.edu", password: "Hungry") == nil)
    #expect(try await store.authenticate("eve", password: "hungry") == nil)
    _ = try await store.setPassword("bob@hamburger.edu", password: "full")
    #expect(try await store.authenticate("BOB", password: "full") != nil)
  }

  @Test func searchLooksWhereItIsTold() async throws {
    let test = try TestStore()
    let store = test.store
    let bob = try await store.createMailbox("bob@hamburger.edu", password: "x")
    _ = try await store.accept(Self.letter("bob@hamburger.edu"))
    test.clock.advance(100)
    _ = try await store.accept(
      Self.letter("bob@hamburger.edu", content: "Subject: 100% pickles\r\nFrom: eve@x.org\r\n\r\nketchup\r\n"))
    func found(_ search: Search) async throws -> [String] {
      try await store.messages(bob.id, folder: nil, search: search, before: nil, limit: 10).map(\.summary.subject)
    }
    #expect(try await found(Search(from: ["EVE@"])) == ["100% pickles"])
    #expect(try await found(Search(subject: ["ketch"])) == ["Ketchup"])
    #expect(try await found(Search(subject: ["%"])) == ["100% pickles"])
    #expect(try await found(Search(words: ["ketchup"])) == ["100% pickles", "Ketchup"])
    #expect(try await found(Search(to: ["bob@"], unread: true)).count == 2)
    #expect(try await found(Search(before: 1_000_000_100)) == ["Ketchup"])
    #expect(try await found(Search(after: 1_000_000_100)) == ["100% pickles"])
    #expect(try await found(Search(unread: false)).isEmpty)
    let content = "Subject: =?UTF-8?Q?Caf=65=CC=81?=\r\n\r\nx\r\n"
    _ = try await store.accept(Self.letter("bob@hamburger.edu", content: content))
    for word in ["caf\u{E9}", "CAFE\u{301}"] { #expect(try await found(Search(subject: [word])).count == 1) }
  }

  @Test func catchModeKeepsTheNewest() async throws {
    let test = try TestStore(catchMode: 2)
    for number in 1...5 {
      _ = try await test.store.accept(
        Letter(sender: "", recipients: ["a@b.c", "d@e.f"], content: Array("Subject: \(number)\r\n\r\n".utf8)))
    }
    let list = try await test.store.messages(Store.catchMailbox, folder: nil, before: nil, limit: 10)
    #expect(list.map(\.summary.subject) == ["5", "4"])
    #expect(list[0].recipients == ["a@b.c", "d@e.f"])
    #expect(try await test.bodies() == 2)
    try await test.store.clearCatch()
    #expect(try await test.bodies() == 0)
  }

  @Test func foldersOfOnesOwn() async throws {
    let store = try TestStore().store
    let bob = try await store.createMailbox("bob@hamburger.edu", password: "x")
    let work = try await store.createFolder(bob.id, "Work")
    await #expect(throws: StoreError.exists) { try await store.createFolder(bob.id, "inbox") }
    await #expect(throws: StoreError.folderProtected) { try await store.deleteFolder(bob.id, "INBOX") }
    #expect(try await store.renameFolder(bob.id, "Work", to: "Play").id == work.id)
    let id = try await store.append(bob.id, folder: "Play", content: Array("x\r\n".utf8), flags: [.draft])
    #expect(try await store.raw(bob.id, id) == Array("x\r\n".utf8))
    #expect(try await store.folders(bob.id).map(\.total) == [0, 0, 0, 0, 1])
    try await store.deleteFolder(bob.id, "Play")
    #expect(try await store.message(bob.id, id) == nil)
    #expect(try await store.createFolder(bob.id, "Play").uidValidity > work.uidValidity)
  }

  @Test func aCaughtLetterIsFoundByTheWholeAddress() async throws {
    let store = try TestStore(catchMode: 10).store
    for to in ["anna@example.com", "joanna@example.com", "Anna@Example.com.evil.org", "a_na@example.com"] {
      _ = try await store.accept(
        Letter(sender: "", recipients: ["x@y.z", to], content: Array("Subject: \(to)\r\n\r\n".utf8)))
    }
    func found(_ recipient: String) async throws -> [String] {
      try await store.messages(
        Store.catchMailbox, folder: nil, search: Search(recipient: recipient), before: nil, limit: 10
      ).map(\.summary.subject)
    }
    #expect(try await found("ANNA@example.COM") == ["anna@example.com"])
    #expect(try await found("a_na@example.com") == ["a_na@example.com"])
    #expect(try await found("nna@example.com").isEmpty)
    #expect(
      try await found("@Example.com") == ["a_na@example.com", "joanna@example.com", "anna@example.com"])
    #expect(try await found("@ample.com").isEmpty)
  }

  @Test func aMailboxThatVanishedIsReportedAndTheOthersGetTheLetter() async throws {
    let store = try TestStore(domains: ["crepes.fr"]).store
    let alice = try await store.createMailbox("alice@crepes.fr", password: "x")
    let bob = try await store.createMailbox("bob@crepes.fr", password: "x")
    let accepted = try await store.accept(Self.letter("bob@crepes.fr", "gone@crepes.fr"), vanished: .reported)
    #expect(accepted.delivered.count == 1 && accepted.queued == nil)
    #expect(try await store.messages(bob.id, folder: "INBOX", before: nil, limit: 9).count == 1)
    let reports = try await store.messages(alice.id, folder: "INBOX", before: nil, limit: 9)
    #expect(reports.map(\.sender) == [""])
    let report = try #require(reports.first)
    let raw = try #require(await store.raw(alice.id, report.id))
    #expect(String(decoding: raw, as: UTF8.self).contains("Final-Recipient: rfc822; gone@crepes.fr"))
    await #expect(throws: StoreError.unknownRecipient("gone@crepes.fr")) {
      try await store.accept(Self.letter("gone@crepes.fr"), vanished: .reported)
    }
    // It went when the directory had not heard of it yet.
    store.directory.withLock { _ = $0.mailboxes.insert("ghost@crepes.fr") }
    _ = try await store.accept(Self.letter("ghost@crepes.fr", "bob@crepes.fr"), vanished: .reported)
    #expect(try await store.messages(bob.id, folder: "INBOX", before: nil, limit: 9).count == 2)
    #expect(try await store.messages(alice.id, folder: "INBOX", before: nil, limit: 9).count == 2)
  }

  @Test func aBackupHasTheBodiesThatAreDeletedMeanwhile() async throws {
    let test = try TestStore()
    let bob = try await test.store.createMailbox("bob@hamburger.edu", password: "x")
    let content = "Subject: big\r\n\r\n" + String(repeating: "0123456789\r\n", count: 10_000)
    let letter = try await test.store.accept(Self.letter("bob@hamburger.edu", content: content)).delivered[0]
    let copy = try TestStore.emptyDirectory()
    // Exactly between the copy of the database and that of the bodies, somebody deletes the letter.
    try await test.store.backUp(to: copy) {
      try await test.store.delete(bob.id, letter)
    }
    #expect(test.files.isEmpty, "what waited for the backup goes after it")
    test.store.database.close()
    let restored = try TestStore(at: copy)
    let raw = try #require(await restored.store.raw(bob.id, letter))
    #expect(String(decoding: raw, as: UTF8.self).hasSuffix(content))
  }

  @Test func aBackupThatLacksABodyIsNone() async throws {
    let test = try TestStore()
    _ = try await test.store.createMailbox("bob@hamburger.edu", password: "x")
    let content = "Subject: big\r\n\r\n" + String(repeating: "0123456789\r\n", count: 10_000)
    _ = try await test.store.accept(Self.letter("bob@hamburger.edu", content: content))
    for name in test.files { test.store.files.remove(name) }
    let copy = try TestStore.emptyDirectory()
    await #expect(throws: BackupIncomplete.self) { try await test.store.backUp(to: copy) }
  }

  @Test func aLargeLetterIsTakenApartInThePool() async throws {
    // A pool that takes nothing.
    let test = try TestStore(pool: BlockingPool(threads: 1, queueLimit: 0))
    _ = try await test.store.createMailbox("bob@hamburger.edu", password: "x")
    let small = try await test.store.accept(Self.letter("bob@hamburger.edu"))
    #expect(small.delivered.count == 1)
    let content = "Subject: large\r\n\r\n" + String(repeating: "0123456789\r\n", count: 1000)
    await #expect(throws: IOError.self) {
      try await test.store.accept(Self.letter("bob@hamburger.edu", content: content))
    }
  }

  @Test func aCopyIsTold() async throws {
    let store = try TestStore(domains: ["crepes.fr"]).store
    let alice = try await store.createMailbox("alice@crepes.fr", password: "x")
    let told = Lock<[Change]>([])
    _ = store.feed.subscribe { change in told.withLock { $0.append(change) } }
    var letter = Self.letter("bob@hamburger.edu")
    letter.copy = (mailbox: alice.id, folder: "Sent")
    let accepted = try await store.accept(letter)
    let (copy, queued) = (try #require(accepted.copy), try #require(accepted.queued))
    #expect(told.withLock { $0 } == [.delivered(mailbox: alice.id, message: copy), .queue(letter: queued)])
  }

  @Test func aBrokenDatabaseIsNoWrongPassword() async throws {
    let store = try TestStore().store
    _ = try await store.createMailbox("bob@hamburger.edu", password: "hungry")
    store.database.close()
    await #expect(throws: SQLError.self) { try await store.authenticate("bob", password: "hungry") }
    let login = await LoginDesk(store: store, log: Logger(label: "test") { _ in ErrorLog(Lock([])) })
      .logIn("bob", "hungry", from: .loopbackV4)
    guard case .failed = login else {
      Issue.record("the password is said to be \(login)")
      return
    }
  }

  @Test func domainsThatWaitLongestComeFirst() async throws {
    let test = try TestStore(domains: ["crepes.fr"])
    for domain in ["z.edu", "a.edu", "m.edu"] {
      _ = try await test.store.accept(Self.letter("bob@\(domain)"))
      test.clock.advance(1)
    }
    _ = try await test.store.accept(Self.letter("eve@z.edu"))
    #expect(try await test.store.dueDomains(at: test.clock.seconds) == ["z.edu", "a.edu", "m.edu"])
  }

  @Test func resetLeavesTheSettingsDomains() async throws {
    let test = try TestStore()
    _ = try await test.store.createMailbox("bob@hamburger.edu", password: "x")
    _ = try await test.store.accept(Self.letter("bob@hamburger.edu", "x@y.z"))
    try await test.store.reset(at: test.store.now())
    #expect(try await test.bodies() == 0)
    #expect(try await test.store.domains().map(\.name) == ["hamburger.edu"])
    #expect(try await test.store.mailbox("bob") == nil)
    #expect(try await test.store.letters(before: nil, limit: 9, state: nil).isEmpty)
    let address = try #require(test.store.complete("bob"))
    #expect(test.store.verdict(on: address, trusted: false) == .unknownUser)
  }
}
