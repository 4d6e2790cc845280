import EventLoop
import HTTPClient
import HTTPWire
import SQL
import ServiceKit
import Testing

@testable import Registrar

/// A server that is down is waited for; one that says no is believed.
@Suite struct RefusalTests {
  let registrar: Fixture

  init() async throws { registrar = try await Fixture() }

  private func publish() async {
    #expect(await registrar.clock.advance(to: registrar.clock.offsetSeconds + 3600))
  }

  @Test(arguments: [(400, 502), (401, 502), (404, 502), (422, 422)] as [(Int, Int)])
  func aRefusedRegistrationIsReleasedWithItsReason(status: Int, told: Int) async throws {
    registrar.zone.answer(Status(integerLiteral: status))
    let answer = try await registrar.register("no.com", key: "order-1")
    #expect(answer.status == told && answer.body.contains("\(status) not like that"))
    let shown = try await registrar.ask("GET", "/v1/domains/no.com")
    #expect(shown.status == 404 && shown.body.contains("\(status) not like that"))
    #expect(try await registrar.store.nextDue() == nil)
    // The name and the key are free again.
    registrar.zone.answer(nil)
    #expect(try await registrar.ask("GET", "/v1/availability?name=no.com", as: nil).body.contains("true"))
    #expect(try await registrar.register("no.com", key: "order-1").status == 201)
    #expect(try await registrar.ask("GET", "/v1/domains/no.com").value("reason") == nil)
  }

  @Test(arguments: [429, 500, 503, 504] as [Int])
  func whatMayPassIsWaitedFor(status: Int) async throws {
    registrar.zone.answer(Status(integerLiteral: status))
    #expect(try await registrar.register("yes.com").status == 202)
    registrar.zone.answer(nil)
    await publish()
    while try await registrar.ask("GET", "/v1/domains/yes.com").value("status") != "active" { await Task.yield() }
  }

  @Test func anOrderThatWaitedIsRefusedAndItsOwnerAloneLearnsWhy() async throws {
    let token = try await registrar.registrant("Alice")
    let other = try await registrar.registrant("Bob")
    registrar.zone.setDown(true)
    #expect(try await registrar.register("late.com", as: token).status == 202)
    registrar.zone.answer(422)
    await publish()
    while try await registrar.ask("GET", "/v1/domains/late.com").status != 404 { await Task.yield() }
    #expect(try await registrar.ask("GET", "/v1/domains/late.com", as: token).body.contains("not like that"))
    #expect(try await !registrar.ask("GET", "/v1/domains/late.com", as: other).body.contains("not like that"))
  }

  @Test func aRefusedChangeLeavesTheDomainAsItWas() async throws {
    #expect(try await registrar.register("kept.com").status == 201)
    let before = registrar.zone.sets
    registrar.zone.answer(422)
    let path = "/v1/domains/kept.com/name-servers"
    let body = #"{"name_servers":[{"name":"ns.example.net"}]}"#
    #expect(try await registrar.ask("PUT", path, body).status == 422)
    let shown = try await registrar.ask("GET", "/v1/domains/kept.com")
    #expect(shown.value("status") == "active" && shown.body.contains("dns1.kept.com"))
    #expect(shown.value("reason")?.contains("not like that") == true)
    #expect(registrar.zone.sets == before)
    registrar.zone.answer(nil)
    #expect(try await registrar.ask("PUT", path, body).status == 200)
    #expect(registrar.zone.sets == ["kept.com. NS": ["ns.example.net."]])
    #expect(try await registrar.ask("GET", "/v1/domains/kept.com").value("reason") == nil)
  }

  @Test func aDelegationThatMustGoIsTriedUntilItIsGone() async throws {
    #expect(try await registrar.register("gone.com").status == 201)
    registrar.zone.answer(401)
    let answer = try await registrar.ask("DELETE", "/v1/domains/gone.com")
    #expect(answer.status == 202 && answer.body.contains("401"))
    registrar.zone.answer(nil)
    await publish()
    while try await registrar.ask("GET", "/v1/domains/gone.com").status != 404 { await Task.yield() }
    #expect(registrar.zone.sets.isEmpty)
  }

  /// An attempt whose answer was lost may have been carried out: a refusal after it must not leave that behind.
  @Test func whatALostAnswerLeftIsTakenOutAgain() async throws {
    registrar.zone.state.withLock { $0.losesAnswers = true }
    #expect(try await registrar.register("lost.com").status == 202)
    #expect(!registrar.zone.sets.isEmpty)
    registrar.zone.answer(422)
    await publish()
    while try await registrar.ask("GET", "/v1/domains/lost.com").value("status") != "deleting" { await Task.yield() }
    registrar.zone.state.withLock { state in
      state.losesAnswers = false
      state.status = nil
    }
    await publish()
    while try await registrar.ask("GET", "/v1/domains/lost.com").status != 404 { await Task.yield() }
    #expect(registrar.zone.sets.isEmpty)
  }

  /// As above, where another change has overtaken the one whose answer was lost.
  @Test func aRefusalAfterAnOvertakenChangeTakesThatOutToo() async throws {
    #expect(try await registrar.register("kept.com").status == 201)
    let before = registrar.zone.sets
    registrar.zone.state.withLock { state in
      state.losesAnswers = true
      state.refusedServer = "bad.example.net."
    }
    let path = "/v1/domains/kept.com/name-servers"
    func change(_ server: String) async throws -> Int {
      try await registrar.ask("PUT", path, #"{"name_servers":[{"name":"\#(server)"}]}"#).status
    }
    #expect(try await change("lost.example.net") == 202)
    #expect(registrar.zone.sets["kept.com. NS"] == ["lost.example.net."])
    registrar.zone.state.withLock { $0.losesAnswers = false }
    #expect(try await change("bad.example.net") == 422)
    let shown = try await registrar.ask("GET", "/v1/domains/kept.com")
    #expect(shown.value("status") == "active" && shown.body.contains("dns1.kept.com"))
    #expect(registrar.zone.sets == before)
  }

  /// Whoever waited for an attempt that failed leaves it at that.
  @Test(.timeLimit(.minutes(2))) func attemptsDoNotBunchTogether() async throws {
    registrar.zone.setDown(true)
    #expect(try await registrar.register("slow.com").status == 202)
    registrar.zone.hold()
    let arrivals = registrar.zone.arrivals
    // After so many attempts the next pause is a minute.
    try await registrar.store.database.write { connection in
      try connection.run("UPDATE orders SET attempts = 10, next_attempt = 0")
    }
    let name = try #require(DomainName("slow.com"))
    let publisher = registrar.publisher
    await withTaskGroup(of: Void.self) { group in
      for _ in 0..<4 { group.addTask { _ = await publisher.carryOut(name) } }
      while registrar.zone.arrivals == arrivals { await Task.yield() }
      registrar.zone.hold(false)
    }
    #expect(try await registrar.store.domain(name)?.order?.attempts == 11)
    #expect(registrar.zone.arrivals == arrivals + 1)
  }

  /// What is being written into a zone is written before everything is forgotten, and nothing is written meanwhile.
  @Test(.timeLimit(.minutes(2))) func aResetWaitsForWhatIsUnderWay() async throws {
    registrar.zone.hold()
    let publisher = registrar.publisher
    let store = registrar.store
    let isReset = Lock(false)
    try await withThrowingTaskGroup(of: Int?.self) { [registrar] group in
      group.addTask { try await registrar.register("late.com").status }
      while registrar.zone.arrivals == 0 { await Task.yield() }
      group.addTask {
        try await publisher.reset()
        isReset.withLock { $0 = true }
        return nil
      }
      // The reset has had many turns to come too early.
      for _ in 0..<20 { #expect(try await registrar.ask("GET", "/v1/domains").body.contains("late.com")) }
      #expect(!isReset.withLock { $0 })
      group.addTask { try await registrar.register("later.com").status }
      while try await store.domain(try #require(DomainName("later.com"))) == nil { await Task.yield() }
      registrar.zone.hold(false)
      var told: [Int] = []
      for try await status in group { if let status { told.append(status) } }
      #expect(told.contains(409), "\(told)")
    }
    #expect(try await registrar.ask("GET", "/v1/domains").body == #"{"items":[]}"# + "\n")
    #expect(registrar.zone.sets["later.com. NS"] == nil)
    #expect(try await registrar.register("fresh.com").status == 201)
  }

  @Test func aNameThatIsInTheZoneOtherwiseIsTaken() async throws {
    let there = ["theirs.com. NS": ["ns.other.net."]]
    registrar.zone.state.withLock { $0.sets = there }
    let free = try await registrar.ask("GET", "/v1/availability?name=Theirs.com", as: nil)
    #expect(free.status == 200 && free.body.contains("false") && free.body.contains("zone of com"))
    #expect(try await registrar.register("theirs.com").status == 409)
    #expect(registrar.zone.sets == there)
    #expect(try await registrar.ask("GET", "/v1/domains").body == #"{"items":[]}"# + "\n")
  }

  @Test func whoeverIsFasterAtTheZoneKeepsTheName() async throws {
    let there = ["race.com. NS": ["ns.other.net."]]
    registrar.zone.state.withLock { $0.intruder = there }
    #expect(try await registrar.register("race.com").status == 409)
    #expect(registrar.zone.sets == there)
    // A change of another name only makes us look again.
    registrar.zone.state.withLock { $0.intruder = ["else.com. NS": ["ns.other.net."]] }
    #expect(try await registrar.register("calm.com").status == 201)
  }

  @Test func availabilityIsNotGuessedAt() async throws {
    registrar.zone.setDown(true)
    let answer = try await registrar.ask("GET", "/v1/availability?name=maybe.com", as: nil)
    #expect(answer.status == 503 && answer.head.header("retry-after") != nil)
    #expect(!answer.body.contains("127.0.0.1") && !answer.body.contains("http:"))
  }

  /// An order that can't be written down stays due; without a pause the publisher would do nothing else.
  @Test(.timeLimit(.minutes(2))) func aStoreThatTakesNothingMakesThePublisherPause() async throws {
    let (pauses, said) = AsyncStream.makeStream(of: Void.self)
    let (resumes, resume) = AsyncStream.makeStream(of: Void.self)
    let registrar = try await Fixture(pause: {
      said.yield()
      for await _ in resumes { return }
    })
    registrar.zone.setDown(true)
    #expect(try await registrar.register("patient.com").status == 202)
    registrar.zone.setDown(false)
    let looks = registrar.zone.state.withLock { $0.looks }
    try await registrar.store.database.write { connection in
      try connection.execute(
        """
        CREATE TRIGGER full_domain BEFORE UPDATE ON domain BEGIN SELECT RAISE(ABORT, 'full'); END;
        CREATE TRIGGER full_orders BEFORE UPDATE ON orders BEGIN SELECT RAISE(ABORT, 'full'); END;
        """)
    }
    #expect(await registrar.clock.advance(to: 3600))
    var times = pauses.makeAsyncIterator()
    await times.next()
    #expect(registrar.zone.state.withLock { $0.looks } == looks + 1, "one attempt, then the pause")
    #expect(registrar.zone.sets.isEmpty)
    try await registrar.store.database.write { connection in
      try connection.execute("DROP TRIGGER full_domain; DROP TRIGGER full_orders")
    }
    resume.yield()
    while try await registrar.ask("GET", "/v1/domains/patient.com").value("status") != "active" { await Task.yield() }
    #expect(registrar.zone.sets["patient.com. NS"] == ["dns1.patient.com."])
  }
}
