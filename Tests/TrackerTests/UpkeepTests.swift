import EventLoop
import Glibc
import Logging
import SQL
import ServiceKit
import Testing
import TorrentWire

@testable import Tracker

/// The database of a tracker in a directory of the test's own, and who writes to it; gone with it.
final class Keeping: Sendable {
  let path: String
  let kept: TrackerStore
  let upkeep: Upkeep

  init(_ swarms: SwarmStore, _ accounts: Accounts, on loop: EventLoop) throws {
    var template = Array("/tmp/tracker-tests-XXXXXX".utf8CString)
    path = unsafe template.withUnsafeMutableBufferPointer { buffer in
      guard let base = buffer.baseAddress, let made = unsafe mkdtemp(base) else { return "/tmp" }
      return unsafe String(cString: made)
    }
    kept = try TrackerStore(path: path + "/tracker.sqlite")
    upkeep = Upkeep(
      swarms, accounts, kept, clock: WorldClock(on: loop), limits: TrackerLimits(),
      log: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, on: loop)
  }

  deinit {
    kept.database.close()
    for suffix in ["", "-wal", "-shm", "-reserve"] { unsafe unlink(path + "/tracker.sqlite" + suffix) }
    unsafe rmdir(path)
  }
}

@Suite struct UpkeepTests {
  let loop: EventLoop
  let swarms = SwarmStoreTests.store()
  let accounts = Accounts()
  let keeping: Keeping

  init() throws {
    loop = try EventLoop.start(name: "upkeep")
    keeping = try Keeping(swarms, accounts, on: loop)
  }

  @Test func whatWasCountedIsReadAgain() async throws {
    let (kept, hash) = (keeping.kept, try Make.hash(1))
    let user = try await kept.addUser("alice", at: 0)
    accounts.add(user: user.id)
    var member = try Make.member(1, left: 0)
    member.progress?.uploaded = 5
    _ = SwarmStoreTests.announce(swarms, member, of: hash, completed: true)
    for _ in 1...2 {
      accounts.note(user.id, member.progress, counted: nil, isStarted: true)
      await keeping.upkeep.flush()
      // Totals are written, not what came to them: to write them twice does no harm.
      accounts.markChanged([user.id])
      await keeping.upkeep.flush()
    }
    #expect(try kept.loadUsers().map(\.amounts) == [.init(uploaded: 10)])
    #expect(try kept.load().map(\.downloads) == [1])
  }

  @Test func whatIsForgottenGoesUnlessItIsThereAgain() async throws {
    let (kept, hashes) = (keeping.kept, try (1...3).map { try Make.hash($0) })
    _ = try await kept.add(hashes[2], .registered, name: nil, length: nil, at: 0)
    try await kept.keep(.init(downloads: hashes.map { ($0, 7) }))
    try await kept.keep(.init(downloads: [(hashes[1], 1)], forgotten: hashes, amounts: [99: .init(uploaded: 1)]))
    let left = try kept.load().map { [$0.hash.octets[0]: $0.downloads] }
    #expect(Set(left) == [[hashes[1].octets[0]: 1], [hashes[2].octets[0]: 7]])
  }

  /// Many times: what must not happen is a matter of a moment.
  @Test(arguments: 0..<40) func oneThingIsDoneAfterTheOther(round: Int) async throws {
    struct Failed: Error {}
    let (upkeep, inside) = (keeping.upkeep, Lock(0))
    let done = await withTaskGroup(of: Bool.self) { group in
      for number in 0..<50 {
        group.addTask {
          let isAlone = try? await upkeep.exclusively {
            let before = inside.withLock { count in
              count += 1
              return count
            }
            for _ in 0..<number % 5 { await Task.yield() }
            inside.withLock { $0 -= 1 }
            // Who fails lets the next one in all the same.
            if number % 7 == 0 { throw Failed() }
            return before == 1
          }
          return isAlone ?? (number % 7 == 0)
        }
      }
      return await group.reduce(into: []) { $0.append($1) }
    }
    #expect(done.count == 50 && done.allSatisfy { $0 })
  }

  /// A batch that waits for its turn takes what is there when it comes.
  @Test func whatIsDeletedIsNotWrittenDownAgain() async throws {
    let (kept, upkeep, swarms, hash) = (keeping.kept, keeping.upkeep, swarms, try Make.hash(1))
    _ = SwarmStoreTests.announce(swarms, try Make.member(1, left: 0), of: hash, completed: true)
    let flush = await upkeep.exclusively {
      let flush = Task { await upkeep.flush() }
      for _ in 0..<50 { await Task.yield() }
      swarms.remove(hash)
      return flush
    }
    await flush.value
    #expect(try kept.load().isEmpty)
  }

  @Test func evictionsAreToldOnceAMinute() {
    var evictions = Evictions()
    let start = Instant(nanoseconds: 5_000_000_000)
    for (total, second, told) in [
      (0, 0, nil), (3, 1, 3), (9, 2, nil), (10, 60, nil), (10, 61, 7), (10, 500, nil), (11, 501, 1),
      // After a reset they are counted anew.
      (2, 600, 2),
    ] as [(UInt64, Int, UInt64?)] {
      #expect(evictions.take(total, at: start + .seconds(second)) == told)
    }
  }
}
