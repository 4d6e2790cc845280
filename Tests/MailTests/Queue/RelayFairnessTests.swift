import EventLoop
import MailWire
import Octets
import SQL
import Testing

@testable import Mail

/// What one letter or domain may cost the others.
@Suite(.timeLimit(.minutes(1))) struct RelayFairnessTests {
  @Test func aDomainThatIsServedForLongDoesNotKeepOthersFromTheirNextTurn() async throws {
    let world = try await RelayWorld()
    defer { world.loop.stop() }
    let host = try ScriptedHost(world.loop) { connection, said in
      connection == 1 && said?.hasPrefix("RCPT") == true ? .say("450 4.2.0 greylisted") : ScriptedHost.usual(said)
    }
    let silent = try ScriptedHost(world.loop, at: RelayHostsTests.second, port: host.port) { _, _ in .silence }
    _ = try await world.queue("bob@silent.edu")
    let alarms = Lock<[(due: Int64, action: @Sendable () -> Void)]>([])
    let relay = world.relay(
      port: host.port, names: RelayWorld.names(silent: RelayHostsTests.second),
      alarm: { due, action in alarms.withLock { $0.append((due, action)) } })
    await relay.start()
    while silent.connections < 1 { try await world.loop.patience() }
    let letter = try await world.queue("bob@hamburger.edu")
    _ = try await world.attempts(letter)
    let record = try #require(await world.crepes.store.letter(letter))
    let next = try #require(record.recipients[0].nextAttempt)
    while !alarms.withLock({ $0.contains { $0.due == next } }) { try await world.loop.patience() }
    world.crepes.clock.advance(next - world.crepes.clock.seconds)
    for alarm in alarms.withLock({ $0 }) { world.loop.submit(alarm.action) }
    #expect(try await world.settled(letter).state == .delivered)
    #expect(silent.connections == 1)
    await relay.stop(within: .zero)
  }

  @Test func aLetterThatFindsNoMemoryWaitsAndThatIsNoTryOfIts() async throws {
    let world = try await RelayWorld()
    defer { world.loop.stop() }
    let host = try ScriptedHost(world.loop) { _, said in ScriptedHost.usual(said) }
    let silent = try ScriptedHost(world.loop, at: RelayHostsTests.second, port: host.port) { _, said in
      said == "." ? .silence : ScriptedHost.usual(said)
    }
    let content = "Subject: hi\r\n\r\nx\r\n"
    let relay = world.relay(port: host.port, names: RelayWorld.names(silent: RelayHostsTests.second)) {
      // There is room for one of them.
      $0.limits.room = 4 * content.utf8.count
    }
    await relay.start()
    // One after the other they all find theirs.
    for _ in 1...3 {
      #expect(try await world.settled(world.queue("bob@hamburger.edu", content: content)).state == .delivered)
    }
    _ = try await world.queue("bob@silent.edu", content: content)
    while silent.letters.isEmpty { try await world.loop.patience() }
    let letter = try await world.queue("eve@hamburger.edu", content: content)
    var record = try #require(await world.crepes.store.letter(letter))
    let now = world.crepes.clock.seconds
    while record.state == .waiting, record.recipients[0].nextAttempt == now {
      try await world.loop.patience()
      record = try #require(await world.crepes.store.letter(letter))
    }
    #expect(record.recipients[0].nextAttempt == now + 60)
    #expect(record.recipients[0].attempts == 0 && host.letters.count == 3)
    await relay.stop(within: .zero)
  }

  @Test func anAddressThatCanNotBeReadAnyMoreDoesNotGetItsNeighboursVerdict() async throws {
    let world = try await RelayWorld()
    defer { world.loop.stop() }
    let host = try ScriptedHost(world.loop) { _, said in
      said == "RCPT TO:<no@hamburger.edu>" ? .say("550 5.1.1 unknown") : ScriptedHost.usual(said)
    }
    let letter = try await world.queue("odd@hamburger.edu", "yes@hamburger.edu", "no@hamburger.edu")
    try await world.crepes.store.database.write {
      try $0.run("UPDATE recipient SET address = 'od d@@' WHERE address = 'odd@hamburger.edu'")
    }
    let relay = world.relay(port: host.port)
    await relay.start()
    let record = try await world.settled(letter)
    #expect(record.recipients.map(\.state) == [.failed, .delivered, .failed])
    #expect(record.recipients[0].reply == "this is no address")
    #expect(record.recipients[2].reply == "550 5.1.1 unknown")
    await relay.stop(within: .seconds(1))
  }

  @Test func anAttemptNamesTheHostThatWasTheReason() async throws {
    let world = try await RelayWorld()
    defer { world.loop.stop() }
    let best = try ScriptedHost(world.loop) { _, said in
      said?.hasPrefix("EHLO") == true ? .say("421 4.3.2 busy") : ScriptedHost.usual(said)
    }
    let letter = try await world.queue("bob@hamburger.edu")
    let names = NameLookup(
      exchangers: { _ in
        .records([MailExchanger(preference: 1, host: "best"), MailExchanger(preference: 2, host: "gone")])
      }, addresses: { $0 == "best" ? .records([.loopbackV4]) : .noSuchName })
    let relay = world.relay(port: best.port, names: names)
    await relay.start()
    let attempt = try await world.attempts(letter)[0]
    #expect(attempt.outcome == "421 4.3.2 busy")
    #expect(attempt.host == "best" && attempt.address == "127.0.0.1:\(best.port)")
    await relay.stop(within: .seconds(1))
  }
}
