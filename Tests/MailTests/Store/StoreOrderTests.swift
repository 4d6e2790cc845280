import EventLoop
import Glibc
import MailWire
import Synchronization
import Testing

@testable import Mail

/// What two do to the store at the same time.
@Suite struct StoreOrderTests {
  @Test func aResetLeavesTheFileOfALetterThatIsOnItsWayIn() async throws {
    let test = try TestStore()
    _ = try await test.store.createMailbox("bob@hamburger.edu", password: "x")
    let big = "Subject: big\r\n\r\n" + String(repeating: "0123456789\r\n", count: 10_000)
    _ = try await test.store.accept(StoreTests.letter("bob@hamburger.edu", content: big))
    // Its file is written, the transaction that names it comes behind the reset's.
    let arrival = try await test.store.prepare(Array(big.utf8))
    try await test.store.reset(at: test.store.now())
    #expect(test.files == [try #require(arrival.file)])
  }

  @Test(.timeLimit(.minutes(1))) func whatIsRememberedOfAMailboxIsWhatWasWrittenLast() async throws {
    let loop = try EventLoop.start(name: "late")
    defer { loop.stop() }
    let store = try TestStore().store
    let isDeleted = Atomic(false)
    let made = Lock<MailboxRecord?>(nil)
    loop.spawn {
      // Who makes the mailbox hears of it only when it has been deleted by another.
      loop.submit { while !isDeleted.load(ordering: .acquiring) { usleep(1000) } }
      let mailbox = try? await store.createMailbox("bob@hamburger.edu", password: "x")
      made.withLock { $0 = mailbox }
    }
    while try await store.mailbox("bob") == nil { try Task.checkCancellation() }
    try await store.deleteMailbox("bob@hamburger.edu")
    isDeleted.store(true, ordering: .releasing)
    while made.withLock({ $0 }) == nil { try await loop.patience() }
    let address = try #require(store.complete("bob"))
    #expect(store.verdict(on: address, trusted: false) == .unknownUser)
  }
}
