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
      #expect(try await store.mailboxes(domain: nil, after: "bob@\(spelling)", limit: 10).isEmpty)
      let accepted = try await store.accept(StoreTests.letter("bob@\(spelling)"))
      #expect(accepted.delivered.count == 1 && accepted.queued == nil)
    }
    try await store.deleteMailbox("bob@\(Self.spellings[1])")
    try await store.removeDomain(Self.spellings[1])
    #expect(try await store.domain(Self.key) == nil)
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
    #expect(try await store.mailbox("zoe@BÜCHER.example")?.address == "Zoe@\(Self.key)")
    #expect(try await store.authenticate("zoe@\(Self.key)", password: "x") != nil)
    #expect(try await store.mailbox("bob@hamburger.edu") == old)
  }
}
