import MailWire
import SQL
import Testing

@testable import Mail

/// `BÜCHER.example`, `bücher.example` and `xn--bcher-kva.example` are one domain.
@Suite struct DomainKeyTests {
  static let spellings = ["bücher.example", "BÜCHER.example", "Xn--Bcher-Kva.example"]
  static let key = "xn--bcher-kva.example"

  @Test(arguments: spellings)
  func aDomainIsFoundUnderAllItsSpellings(written: String) async throws {
    let store = try TestStore().store
    #expect(try await store.addDomain(written).name == Self.key)
    for spelling in Self.spellings {
      #expect(try await store.domain(spelling)?.name == Self.key)
      await #expect(throws: StoreError.exists) { try await store.addDomain(spelling) }
    }
    let mailbox = try await store.createMailbox("Bob@\(written)", password: "x")
    #expect(mailbox.address == "Bob@\(Self.key)")
    for spelling in Self.spellings {
      #expect(try await store.mailbox("bob@\(spelling)")?.id == mailbox.id)
      #expect(try await store.authenticate("bob@\(spelling)", password: "x")?.id == mailbox.id)
      #expect(try await store.mailboxes(domain: spelling, after: nil, limit: 10).map(\.id) == [mailbox.id])
      #expect(try await store.mailboxes(domain: nil, after: mailbox.key, limit: 10).isEmpty)
      let accepted = try await store.accept(StoreTests.letter("bob@\(spelling)"))
      #expect(accepted.delivered.count == 1 && accepted.queued == nil)
    }
    try await store.deleteMailbox("bob@\(Self.spellings[1])")
    try await store.removeDomain(Self.spellings[1])
    #expect(try await store.domain(Self.key) == nil)
  }

  /// A mark may stand apart from its letter: macOS writes file names so, and what is copied from there.
  @Test func composedOrNotAnAddressIsTheSame() async throws {
    let store = try TestStore().store
    #expect(try await store.addDomain("bu\u{308}cher.example").name == Self.key)
    let made = try await store.createMailbox("Rene\u{301}@bu\u{308}cher.example", password: "x")
    for local in ["ren\u{E9}", "rene\u{301}", "Rene\u{301}"] {
      for spelling in Self.spellings + ["BU\u{308}CHER.example"] {
        let address = "\(local)@\(spelling)"
        #expect(store.verdict(on: try #require(MailAddress(address)), trusted: false) == .accepted)
        #expect(try await store.mailbox(address)?.id == made.id)
        #expect(try await store.accept(StoreTests.letter(address)).delivered.count == 1)
        await #expect(throws: StoreError.exists) { try await store.createMailbox(address, password: "x") }
      }
    }
    // J and a caron have no letter of their own, j and a caron have.
    let jan = try await store.createMailbox("J\u{30C}an@bücher.example", password: "x")
    for local in ["j\u{30C}an", "\u{1F0}an"] {
      #expect(try await store.mailbox("\(local)@bücher.example")?.id == jan.id)
    }
  }

  @Test func foldersOfBeforeAreComposed() async throws {
    let test = try TestStore()
    let bob = try await test.store.createMailbox("bob@hamburger.edu", password: "x")
    for name in ["e\u{301}te\u{301}", "\u{E9}t\u{E9}", "plain"] {
      _ = try await test.store.write {
        try $0.run("INSERT INTO folder (mailbox, name) VALUES (?, ?)", bob.id, name)
      }
    }
    let store = try TestStore(at: test.path).store
    let names = try await store.folders(bob.id).map { Array($0.name.utf8) }.suffix(3)
    #expect(Array(names) == ["\u{E9}t\u{E9}'", "\u{E9}t\u{E9}", "plain"].map { Array($0.utf8) })
  }

  @Test func everyMailboxIsOnOnePage() async throws {
    let test = try TestStore()
    for name in ["a", "b", "c"] { _ = try await test.store.createMailbox("\(name)@hamburger.edu", password: "x") }
    // A key of before, whose place another spelling took.
    _ = try await test.store.write { try $0.run("UPDATE mailbox SET key = 'zz' WHERE key = 'b@hamburger.edu'") }
    var seen: [String] = []
    while let next = try await test.store.mailboxes(domain: nil, after: seen.last, limit: 1).first, seen.count < 9 {
      seen.append(next.key)
    }
    #expect(seen == ["a@hamburger.edu", "c@hamburger.edu", "zz"])
  }

  @Test func whatWasKeptUnderAnotherSpellingIsFoundAfterTheUpdate() async throws {
    let test = try TestStore()
    let old = try await test.store.createMailbox("Bob@hamburger.edu", password: "x")
    try await test.store.write { connection in
      for name in ["bücher.example", "bÜcher.example"] {
        try connection.run("INSERT INTO domain (name, created_at) VALUES (?, 1)", name)
      }
      for (local, domain) in [("eve", "bücher.example"), ("EVE", "bÜcher.example"), ("Zoe", "bÜcher.example")] {
        try connection.run(
          "INSERT INTO mailbox (key, address, domain, secret, created_at) VALUES (?, ?, ?, 'hash of x', 1)",
          "\(local.lowercased())@\(domain)", "\(local)@\(domain)", domain)
      }
    }
    let store = try TestStore(at: test.path).store
    #expect(try await store.domains().map(\.name) == ["hamburger.edu", Self.key])
    #expect(try await store.mailbox("eve@bücher.example")?.address == "eve@\(Self.key)")
    // The third had a name that is another's now; it is told from that, and can be read and deleted.
    #expect(try await store.mailbox("eve'@\(Self.key)")?.address == "EVE'@\(Self.key)")
    #expect(try await store.mailbox("zoe@BÜCHER.example")?.address == "Zoe@\(Self.key)")
    #expect(try await store.authenticate("zoe@\(Self.key)", password: "x") != nil)
    #expect(try await store.mailbox("bob@hamburger.edu") == old)
  }
}
