import EventLoop
import Logging
import MailWire
import Octets
import Testing

@testable import Mail

/// A relay and the hosts it finds, which behave as real ones do on their bad days.
@Suite(.timeLimit(.minutes(1))) struct RelayHostsTests {
  static let second = IPAddress("127.0.0.2") ?? .loopbackV4

  // MARK: Other hosts

  @Test(arguments: [
    ("MAIL", "451 4.3.0 later"), ("RCPT", "450 4.2.0 greylisted"), ("DATA", "451 later"), (".", "452 4.3.1 full"),
    ("EHLO", "421 busy"), ("EHLO", "451 no"), ("", "554 go away"), ("", "421 too many"),
  ])
  func whatTheBestHostPutsOffTheNextOneIsAsked(command: String, reply: String) async throws {
    let world = try await RelayWorld()
    defer { world.loop.stop() }
    let best = try ScriptedHost(world.loop) { _, said in
      (said ?? "").hasPrefix(command) && (said == nil) == command.isEmpty ? .say(reply) : ScriptedHost.usual(said)
    }
    let worse = try ScriptedHost(world.loop, at: Self.second, port: best.port) { _, said in ScriptedHost.usual(said) }
    let letter = try await world.queue("bob@hamburger.edu")
    let relay = world.relay(port: best.port, worse: Self.second)
    await relay.start()
    let record = try await world.settled(letter)
    #expect(record.state == .delivered && record.recipients[0].host == "worse" && record.recipients[0].attempts == 1)
    #expect(worse.letters.count == 1)
    let attempt = try await world.attempts(letter)[0]
    #expect(attempt.host == "worse")
    #expect(attempt.dialogue.contains { $0.hasPrefix("S: \(reply.prefix(3))") }, "what the best host said is shown")
    await relay.stop(within: .seconds(1))
  }

  @Test func aRecipientThatIsRefusedIsNotTakenElsewhereAndOneThatIsTakenIsNotSentTwice() async throws {
    let world = try await RelayWorld()
    defer { world.loop.stop() }
    let best = try ScriptedHost(world.loop) { _, said in
      switch said {
      case "RCPT TO:<no@hamburger.edu>": .say("550 5.1.1 unknown")
      case "RCPT TO:<later@hamburger.edu>": .say("450 4.2.0 later")
      default: ScriptedHost.usual(said)
      }
    }
    let worse = try ScriptedHost(world.loop, at: Self.second, port: best.port) { _, said in ScriptedHost.usual(said) }
    let letter = try await world.queue("yes@hamburger.edu", "no@hamburger.edu", "later@hamburger.edu")
    let relay = world.relay(port: best.port, worse: Self.second)
    await relay.start()
    let record = try await world.settled(letter)
    #expect(record.recipients.map(\.state) == [.delivered, .failed, .delivered])
    #expect(record.recipients.map(\.host) == ["best", "best", "worse"])
    #expect(worse.commands.filter { $0.hasPrefix("RCPT") } == ["RCPT TO:<later@hamburger.edu>"])
    await relay.stop(within: .seconds(1))
  }

  @Test func whatAllHostsPutOffIsPutOffWithTheLastAnswer() async throws {
    let world = try await RelayWorld()
    defer { world.loop.stop() }
    let best = try ScriptedHost(world.loop) { _, said in
      said?.hasPrefix("RCPT") == true ? .say("450 4.2.0 greylisted") : ScriptedHost.usual(said)
    }
    let letter = try await world.queue("bob@hamburger.edu")
    // Nobody listens at the worse one.
    let relay = world.relay(port: best.port, worse: Self.second)
    await relay.start()
    let attempt = try await world.attempts(letter)[0]
    let recipient = try #require(await world.crepes.store.letter(letter)).recipients[0]
    #expect(recipient.reply == "450 4.2.0 greylisted" && recipient.host == "best" && recipient.attempts == 1)
    #expect(attempt.dialogue.contains { $0.hasPrefix("* connecting to worse") })
    await relay.stop(within: .seconds(1))
  }

  @Test func aLetterWhoseAnswerWasLostIsNotSentToAnotherHostAtOnce() async throws {
    let world = try await RelayWorld()
    defer { world.loop.stop() }
    let best = try ScriptedHost(world.loop) { _, said in said == "." ? .close : ScriptedHost.usual(said) }
    let worse = try ScriptedHost(world.loop, at: Self.second, port: best.port) { _, said in ScriptedHost.usual(said) }
    let letter = try await world.queue("bob@hamburger.edu")
    let relay = world.relay(port: best.port, worse: Self.second)
    await relay.start()
    let attempt = try await world.attempts(letter)[0]
    #expect(attempt.outcome.contains("not known whether the letter was taken"))
    #expect(best.letters.count == 1 && worse.letters.isEmpty)
    await relay.stop(within: .seconds(1))
  }

  @Test(arguments: [(false, QueueState.failed), (true, .waiting)])
  func aDomainWhoseHostsHaveNoAddressGetsNoMailEver(isUncertain: Bool, state: QueueState) async throws {
    let world = try await RelayWorld()
    defer { world.loop.stop() }
    let letter = try await world.queue("bob@hamburger.edu")
    let names = NameLookup(
      exchangers: { _ in .records([MailExchanger(preference: 1, host: "a"), MailExchanger(preference: 2, host: "b")]) },
      addresses: { $0 == "b" ? .noSuchName : isUncertain ? .failed("SERVFAIL") : .records([]) })
    let relay = Relay(
      store: world.crepes.store, settings: RelaySettings(), names: names,
      log: Logger(label: "test") { _ in ErrorLog(Lock([])) }, on: world.loop
    ) { _, _ in }
    await relay.start()
    _ = try await world.attempts(letter)
    #expect(try await world.crepes.store.letter(letter)?.state == state)
    await relay.stop(within: .seconds(1))
  }

  // MARK: Connections

  @Test(arguments: [false, true])
  func aHostThatEndsTheConnectionAfterTwoLettersGetsTheRestOverOthers(says421: Bool) async throws {
    let world = try await RelayWorld()
    defer { world.loop.stop() }
    let counts = Lock<[Int: Int]>([:])
    let host = try ScriptedHost(world.loop) { connection, said in
      let count = counts.withLock { $0[connection, default: 0] }
      if said == "." { counts.withLock { $0[connection, default: 0] += 1 } }
      if count == 2, said?.hasPrefix("MAIL") == true || said == "RSET" {
        return says421 ? .end("421 4.7.0 two letters are enough") : .close
      }
      return ScriptedHost.usual(said)
    }
    var letters: [Int64] = []
    for _ in 1...5 { letters.append(try await world.queue("bob@hamburger.edu")) }
    let relay = world.relay(port: host.port)
    await relay.start()
    for letter in letters {
      let record = try await world.settled(letter)
      #expect(record.state == .delivered && record.recipients[0].attempts == 1)
    }
    #expect(host.letters.count == 5 && host.connections == 3)
    await relay.stop(within: .seconds(1))
  }

  @Test func aLetterThatMakesAHostFailDoesNotHoldUpTheNext() async throws {
    let world = try await RelayWorld()
    defer { world.loop.stop() }
    let host = try ScriptedHost(world.loop) { _, said in
      said == "RCPT TO:<poison@hamburger.edu>" ? .close : ScriptedHost.usual(said)
    }
    let poison = try await world.queue("poison@hamburger.edu")
    let next = try await world.queue("bob@hamburger.edu")
    let relay = world.relay(port: host.port)
    await relay.start()
    #expect(try await world.settled(next).state == .delivered)
    #expect(try await world.attempts(poison)[0].outcome.contains("closed the connection"))
    #expect(host.connections == 2)
    await relay.stop(within: .seconds(1))
  }

  @Test func aHostThatFailsWithEveryLetterIsLeftAlone() async throws {
    let world = try await RelayWorld()
    defer { world.loop.stop() }
    let host = try ScriptedHost(world.loop) { _, said in
      said?.hasPrefix("RCPT") == true ? .close : ScriptedHost.usual(said)
    }
    var letters: [Int64] = []
    for _ in 1...6 { letters.append(try await world.queue("bob@hamburger.edu")) }
    let relay = world.relay(port: host.port)
    await relay.start()
    for letter in letters { _ = try await world.attempts(letter) }
    #expect(host.connections == 3)
    await relay.stop(within: .seconds(1))
  }

  @Test func aLetterThatNeverHadItsTurnHasNotBeenTried() async throws {
    let world = try await RelayWorld()
    defer { world.loop.stop() }
    let host = try ScriptedHost(world.loop) { connection, said in
      if connection > 1 { return .end("421 4.7.0 come back later") }
      return said == "." ? .end("250 taken") : ScriptedHost.usual(said)
    }
    let letters = [try await world.queue("bob@hamburger.edu"), try await world.queue("bob@hamburger.edu")]
    let relay = world.relay(port: host.port)
    await relay.start()
    #expect(try await world.settled(letters[0]).state == .delivered)
    // Its turn has been moved.
    while true {
      let recipient = try #require(await world.crepes.store.letter(letters[1])).recipients[0]
      if let next = recipient.nextAttempt, next > world.crepes.clock.seconds {
        #expect(recipient.attempts == 0 && recipient.state == .waiting)
        break
      }
      try await world.loop.patience()
    }
    #expect(try await world.crepes.store.attempts(letters[1]).isEmpty)
    await relay.stop(within: .seconds(1))
  }

  @Test(arguments: ["", "EHLO", "MAIL", "DATA", "."])
  func aReplyThatComesOctetByOctetHasOneDeadline(command: String) async throws {
    let world = try await RelayWorld()
    defer { world.loop.stop() }
    let host = try ScriptedHost(world.loop) { _, said in
      (said ?? "").hasPrefix(command) && (said == nil) == command.isEmpty ? .dribble : ScriptedHost.usual(said)
    }
    let letter = try await world.queue("bob@hamburger.edu")
    let relay = world.relay(port: host.port) {
      // Longer than between two octets.
      let short = Duration.milliseconds(200)
      $0.limits.patience = SMTPPatience(greeting: short, command: short, data: short, letter: short)
    }
    await relay.start()
    let attempt = try await world.attempts(letter)[0]
    #expect(attempt.outcome.contains("timed out") || attempt.outcome.contains("timedOut"), "\(attempt.outcome)")
    await relay.stop(within: .seconds(1))
  }

  @Test func aSilentHostDoesNotKeepTheOthersWaiting() async throws {
    let world = try await RelayWorld()
    defer { world.loop.stop() }
    let host = try ScriptedHost(world.loop) { _, said in ScriptedHost.usual(said) }
    let silent = try ScriptedHost(world.loop, at: Self.second, port: host.port) { _, _ in .silence }
    let names = NameLookup(
      exchangers: { .records([MailExchanger(preference: 10, host: $0)]) },
      addresses: { .records([$0.hasPrefix("silent") ? Self.second : .loopbackV4]) })
    var settings = RelaySettings()
    settings.port = host.port
    settings.limits.parallel = 2
    settings.limits.slowAfter = .milliseconds(20)
    for number in 1...5 { _ = try await world.queue("bob@silent\(number).edu") }
    world.crepes.clock.advance(1)
    let letter = try await world.queue("bob@hamburger.edu")
    let relay = Relay(
      store: world.crepes.store, settings: settings, names: names,
      log: Logger(label: "test") { _ in ErrorLog(Lock([])) },
      on: world.loop
    ) { _, _ in }
    await relay.start()
    #expect(try await world.settled(letter).state == .delivered)
    // They were really there, and still are.
    while silent.connections < 5 { try await world.loop.patience() }
  }
}
