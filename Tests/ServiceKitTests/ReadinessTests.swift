import EventLoop
import HTTPClient
import Testing

@testable import ServiceKit

@Suite(.timeLimit(.minutes(1))) struct ReadinessTests {
  @Test("All who ask while a check runs, and within the second after it, share one round")
  func oneRoundForAll() async throws {
    let loop = try EventLoop.start(name: "test")
    defer { loop.stop() }
    let rounds = Lock(0)
    let gate = Gate()
    let readiness = Readiness(on: loop, lifetime: .seconds(3600), patience: .seconds(3600)) {
      rounds.withLock { $0 += 1 }
      await gate.pass()
      return "no disk"
    }
    let verdicts = await withTaskGroup(of: String?.self) { group in
      for _ in 0..<100 { group.addTask { await readiness.failure() } }
      group.addTask {
        while rounds.withLock({ $0 }) == 0 { await Task.yield() }
        gate.open()
        return "no disk"
      }
      return await group.reduce(into: []) { $0.append($1) }
    }
    #expect(verdicts.allSatisfy { $0 == "no disk" })
    #expect(await readiness.failure() == "no disk")
    #expect(rounds.withLock { $0 } == 1)
  }

  @Test("A verdict grows old, and then the checks run again")
  func verdictsGrowOld() async throws {
    let loop = try EventLoop.start(name: "test")
    defer { loop.stop() }
    let rounds = Lock(0)
    let readiness = Readiness(on: loop, lifetime: .zero) {
      rounds.withLock { $0 += 1 }
      return nil
    }
    for _ in 0..<3 { #expect(await readiness.failure() == nil) }
    #expect(rounds.withLock { $0 } == 3)
  }

  @Test("A check that hangs keeps nobody waiting, and is not started a second time")
  func hangingChecks() async throws {
    let loop = try EventLoop.start(name: "test")
    defer { loop.stop() }
    let rounds = Lock(0)
    let gate = Gate()
    let readiness = Readiness(on: loop, lifetime: .zero, patience: .milliseconds(20)) {
      rounds.withLock { $0 += 1 }
      if rounds.withLock({ $0 }) == 1 { await gate.pass() }
      return nil
    }
    #expect(await readiness.failure()?.contains("not ended") == true)
    #expect(await readiness.failure()?.contains("not ended") == true)
    #expect(rounds.withLock { $0 } == 1)
    gate.open()
    while await readiness.failure() != nil { await Task.yield() }
  }

  @Test("/readyz tells the check that fails, and asks it once for many requests")
  func overHTTP() async throws {
    let asked = Lock(0)
    let one = try await TestService(readinessLifetime: .seconds(3600)) { service in
      service.onReady("disk") {
        asked.withLock { $0 += 1 }
        throw IOError.overloaded
      }
    }
    for _ in 0..<5 {
      let answer = try await one.ask("GET", "/readyz")
      #expect(answer.status == 503)
      #expect(answer.header("retry-after") != nil)
      #expect(String(decoding: answer.body, as: UTF8.self).contains("disk: overloaded"))
    }
    #expect(asked.withLock { $0 } == 1)
    await one.stop()
  }
}
