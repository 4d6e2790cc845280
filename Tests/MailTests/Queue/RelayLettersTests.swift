import EventLoop
import MailWire
import SQL
import Testing

@testable import Mail

/// What the relay writes down, and what it can't.
@Suite(.timeLimit(.minutes(1))) struct RelayLettersTests {
  @Test func aLetterWhoseContentIsLostIsReportedAndDoesNotHoldUpTheNext() async throws {
    let world = try await RelayWorld()
    defer { world.loop.stop() }
    let host = try ScriptedHost(world.loop) { _, said in ScriptedHost.usual(said) }
    let big = "Subject: big\r\n\r\n" + String(repeating: "0123456789\r\n", count: 10_000)
    let lost = try await world.queue("bob@hamburger.edu", content: big)
    for name in world.crepes.files { world.crepes.store.files.remove(name) }
    let next = try await world.queue("bob@hamburger.edu")
    let relay = world.relay(port: host.port)
    await relay.start()
    let record = try await world.settled(lost)
    #expect(record.state == .failed)
    #expect(try await world.attempts(lost).count == 1)
    #expect(try await world.settled(next).state == .delivered)
    let reports = try await world.reports()
    #expect(reports.count == 1)
    #expect(reports.allSatisfy { $0.contains("5.3.0") && $0.contains("lost the content") })
    await relay.stop(within: .seconds(1))
  }

  @Test func aLetterThatCanNotBeReadNowWaits() async throws {
    let world = try await RelayWorld()
    defer { world.loop.stop() }
    let host = try ScriptedHost(world.loop) { _, said in ScriptedHost.usual(said) }
    let big = "Subject: big\r\n\r\n" + String(repeating: "0123456789\r\n", count: 10_000)
    let letter = try await world.queue("bob@hamburger.edu", content: big)
    // A directory in the place of the file opens and can't be read.
    for name in world.crepes.files {
      world.crepes.store.files.remove(name)
      _ = try BodyFiles(directory: "\(world.crepes.path)/bodies/\(name)")
    }
    let relay = world.relay(port: host.port)
    await relay.start()
    let attempt = try await world.attempts(letter)[0]
    #expect(attempt.outcome.contains("can't be read here now"))
    let record = try #require(await world.crepes.store.letter(letter))
    #expect(record.state == .waiting && record.recipients[0].attempts == 1)
    await relay.stop(within: .seconds(1))
  }

  @Test func whatAHostHasTakenIsNotSentAgainBecauseItCouldNotBeWrittenDown() async throws {
    let world = try await RelayWorld()
    defer { world.loop.stop() }
    let host = try ScriptedHost(world.loop) { _, said in ScriptedHost.usual(said) }
    let letter = try await world.queue("bob@hamburger.edu")
    let database = world.crepes.store.database
    try await database.write { connection in
      try connection.execute("CREATE TRIGGER broken BEFORE INSERT ON attempt BEGIN SELECT RAISE(ABORT, 'broken'); END")
    }
    let relay = world.relay(port: host.port)
    await relay.start()
    // It is tried more than once to write it down.
    while world.errors.withLock({ $0.count }) < 3 { try await world.loop.patience() }
    try await database.write { try $0.execute("DROP TRIGGER broken") }
    #expect(try await world.settled(letter).state == .delivered)
    #expect(host.letters.count == 1)
    #expect(try await world.crepes.store.attempts(letter).count == 1)
    await relay.stop(within: .seconds(1))
  }

  @Test func aLetterThatIsDeletedWhileItIsTriedIsNotReported() async throws {
    let world = try await RelayWorld()
    defer { world.loop.stop() }
    let letter = try await world.queue("bob@hamburger.edu")
    let due = try await world.crepes.store.due("hamburger.edu", limit: 1)
    try await world.crepes.store.deleteLetter(letter)
    let big = "Subject: report\r\n\r\n" + String(repeating: "0123456789\r\n", count: 10_000)
    try await world.crepes.store.record(
      AttemptResult(
        letter: letter, epoch: 1, at: 0, host: "h", address: "", outcome: "no", dialogue: [],
        recipients: [.init(recipient: due[0], state: .failed, nextAttempt: nil, reply: "no")],
        report: Letter(sender: "", recipients: ["alice@crepes.fr"], content: Array(big.utf8))))
    #expect(try await world.reports().isEmpty)
    #expect(try await world.crepes.bodies() == 0 && world.crepes.files.isEmpty)
  }

  @Test func aFloodOfRepliesIsCut() async throws {
    let world = try await RelayWorld()
    defer { world.loop.stop() }
    let flood = Array(repeating: "250-" + String(repeating: "x", count: 2000) + "\r\n", count: 200).joined() + "250 ok"
    let host = try ScriptedHost(world.loop) { _, said in
      said?.hasPrefix("RCPT") == true ? .say(flood) : ScriptedHost.usual(said)
    }
    let letter = try await world.queue("bob@hamburger.edu")
    let relay = world.relay(port: host.port)
    await relay.start()
    #expect(try await world.settled(letter).state == .delivered)
    let dialogue = try await world.attempts(letter)[0].dialogue
    #expect(dialogue.reduce(0) { $0 + $1.utf8.count + 1 } <= 65_536 + 100)
    #expect(dialogue.contains { $0.contains("lines are cut out here") })
    #expect(dialogue.contains("S: 220 hi") && dialogue.contains("C: .") && dialogue.last == "S: 250 ok")
    await relay.stop(within: .seconds(1))
  }
}

@Suite struct DialogueTests {
  @Test func theBeginningAndTheEndAreKept() {
    var dialogue = Dialogue(["first"])
    for number in 1...20_000 { dialogue.append("S: \(number)") }
    dialogue.append("last\r\none")
    #expect(dialogue.lines.first == "first" && dialogue.lines.last == "last  one")
    let cut = dialogue.lines.filter { $0.hasPrefix("* (") }
    #expect(cut.count == 1 && dialogue.lines.count < 20_000)
    // Nothing is counted twice, and nothing is missing.
    #expect(cut.first?.hasPrefix("* (\(20_002 - (dialogue.lines.count - 1)) lines") == true)
    var both = Dialogue(["before"])
    both.append(dialogue)
    both.append("behind")
    #expect(both.lines.first == "before" && both.lines.last == "behind")
    #expect(both.lines.filter { $0.hasPrefix("* (") }.count == 1)
    #expect(both.lines.reduce(0) { $0 + $1.utf8.count + 1 } < 65_536 + 100)
  }
}

@Suite struct RelaySlotsTests {
  @Test func whoKeepsUsWaitingMakesRoom() {
    var slots = RelaySlots(quick: 1, slow: 1)
    let entered = [slots.enter("a"), slots.enter("a"), slots.enter("b")]
    #expect(entered == [true, false, false])
    let aside = [slots.setAside("a"), slots.setAside("a"), slots.setAside("nobody")]
    #expect(aside == [true, false, false])
    // There is no room aside any more, so b keeps its place.
    let next = [slots.enter("b"), slots.setAside("b"), slots.enter("c")]
    #expect(next == [true, false, false])
    slots.takeBack("a")
    slots.leave("b")
    let full = slots.enter("c")
    #expect(!full)
    slots.leave("a")
    let free = slots.enter("c")
    #expect(free)
  }
}
