import EventLoop
import Glibc
import Octets
import Testing

/// A loop on a thread of its own for the length of a test.
func withLoop<Result: Sendable>(
  egress: EgressPolicy = .unrestricted, _ body: (EventLoop) async throws -> Result
) async throws -> Result {
  let loop = try EventLoop.start(name: "test", egress: egress)
  defer { loop.stop() }
  return try await body(loop)
}

/// Runs something on a loop and waits for it.
func onLoop<Result: Sendable>(_ loop: EventLoop, _ body: @escaping @Sendable () -> Result) async -> Result {
  await withCheckedContinuation { continuation in loop.submit { continuation.resume(returning: body()) } }
}

/// Counts on a loop.
actor Counter {
  nonisolated let loop: EventLoop
  nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe loop.asUnownedSerialExecutor() }
  private(set) var values: [Int] = []

  init(_ loop: EventLoop) { self.loop = loop }

  func add(_ value: Int) {
    #expect(loop.isCurrent)
    values.append(value)
  }
}

@Test("An actor whose executor is a loop runs on its thread")
func actorsRunOnTheirLoop() async throws {
  try await withLoop { loop in
    let counter = Counter(loop)
    for value in 0..<1000 { await counter.add(value) }
    #expect(await counter.values == Array(0..<1000))
  }
}

@Test("Work that is spawned stays on its loop across suspensions")
func spawnedWorkStays() async throws {
  try await withLoop { loop in
    let stayed = await withCheckedContinuation { continuation in
      loop.spawn {
        var stayed = loop.isCurrent
        for _ in 0..<10 {
          await loop.sleep(for: .zero)
          stayed = stayed && loop.isCurrent
        }
        continuation.resume(returning: stayed)
      }
    }
    #expect(stayed)
  }
}

@Test("What several threads submit is all done, each thread's in its order")
func submissionKeepsOrder() async throws {
  try await withLoop { loop in
    let seen = Lock<[[Int]]>([[], [], [], []])
    await withTaskGroup(of: Void.self) { group in
      for lane in 0..<4 {
        group.addTask {
          for value in 0..<500 { loop.submit { seen.withLock { $0[lane].append(value) } } }
        }
      }
    }
    await withCheckedContinuation { continuation in loop.submit { continuation.resume() } }
    #expect(seen.withLock { $0 } == Array(repeating: Array(0..<500), count: 4))
  }
}

@Test("Timers fire in the order of their deadlines, equals in the order they were set, and never when cancelled")
func timersFireInOrder() async throws {
  try await withLoop { loop in
    let fired = Lock<[Int]>([])
    await withCheckedContinuation { continuation in
      loop.submit {
        loop.after(.milliseconds(30)) { fired.withLock { $0.append(3) } }
        loop.after(.milliseconds(10)) { fired.withLock { $0.append(1) } }
        let cancelled = loop.after(.milliseconds(15)) { fired.withLock { $0.append(99) } }
        loop.after(.milliseconds(20)) { fired.withLock { $0.append(2) } }
        loop.cancel(cancelled)
        loop.after(.milliseconds(40)) { continuation.resume() }
      }
    }
    #expect(fired.withLock { $0 } == [1, 2, 3])
  }
}

@Test("A pool's work comes back where it was asked for, with its error")
func poolReturns() async throws {
  struct Refusal: Error {}
  try await withLoop { loop in
    let pool = BlockingPool(threads: 2)
    defer { pool.stop() }
    let product = try await pool.run { 6 * 7 }
    #expect(product == 42)
    await #expect(throws: Refusal.self) { try await pool.run { throw Refusal() } }
    let back = await withCheckedContinuation { continuation in
      loop.spawn {
        _ = try? await pool.run { 1 }
        continuation.resume(returning: loop.isCurrent)
      }
    }
    #expect(back)
  }
}

@Test("Jobs that never end keep neither timers nor events from their turn", .timeLimit(.minutes(1)))
func jobsLeaveRoom() async throws {
  try await withLoop { loop in
    let isOver = Lock(false)
    loop.submit { loop.after(.milliseconds(5)) { isOver.withLock { $0 = true } } }
    await withCheckedContinuation { continuation in
      loop.spawn {
        while !isOver.withLock({ $0 }) { await Task.yield() }
        continuation.resume()
      }
    }
  }
}

@Test("A pool that is full says so, and one that has stopped says that", .timeLimit(.minutes(1)))
func poolRefuses() async throws {
  let pool = BlockingPool(threads: 1, queueLimit: 1)
  var ends: [Int32] = [0, 0]
  try #require(unsafe pipe(&ends) == 0)
  let (reading, writing) = (ends[0], ends[1])
  let hasBegun = Lock(false)
  #expect(
    pool.submit {
      hasBegun.withLock { $0 = true }
      var octet: UInt8 = 0
      _ = unsafe read(reading, &octet, 1)
    })
  while !hasBegun.withLock({ $0 }) { await Task.yield() }
  #expect(pool.submit {})
  await #expect(throws: IOError.overloaded) { try await pool.run {} }
  pool.stop()
  await #expect(throws: IOError.closed) { try await pool.run {} }
  close(writing)
}
