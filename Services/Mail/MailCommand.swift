import ArgumentParser
import EventLoop
import HTTPServer
import Logging
import MailWire
import Octets
import SQL
import ServiceKit

/// The mail host: SMTP in and out, mailboxes by POP3 and REST.
@main
struct MailCommand: ServiceCommand {
  static let configuration = CommandConfiguration(
    commandName: "utopia-mail", abstract: "A mail host: SMTP, submission, POP3, a queue, and mailboxes by REST.",
    version: Release.version)

  @OptionGroup var common: ServiceOptions

  @Option(help: "Domain served here; repeatable. A bare user name belongs to the first. More can be added by REST.")
  var domain: [String] = []

  @Option(help: .endpoint("Address and port for mail from other hosts; repeatable."))
  var smtp: [SocketAddress] = []

  @Option(help: .endpoint("Address and port for people with a password who hand in mail; repeatable."))
  var submission: [SocketAddress] = []

  @Option(help: .endpoint("Address and port for POP3; repeatable."))
  var pop3: [SocketAddress] = []

  @Option(help: "URL of the resolver that is asked for mail hosts, such as http://127.0.0.1:8055.")
  var resolver: String?

  @Option(help: "The name this host greets with; by default mail. and its first domain.")
  var hostname: String?

  @Option(help: "The SMTP port of other mail hosts.")
  var relayPort: UInt16 = 25

  @Flag(
    name: .customLong("catch"), help: "Accept every sender, recipient and password, relay nothing, keep the newest.")
  var catches = false

  @Option(help: "How many letters --catch keeps.")
  var keep = 1000

  @Option(help: "The greatest letter, in octets.")
  var sizeLimit = 35_000_000

  @Option(help: "Letters that may wait for other hosts; more are put off.")
  var queueLetters = MailLimits().queueLetters

  @Option(help: "Octets of the letters that wait for other hosts.")
  var queueOctets = MailLimits().queueOctets

  @Option(help: "Octets of one mailbox's mail; letters beyond are put off. With --catch, of all that is kept.")
  var mailboxOctets = MailLimits().mailboxOctets

  @Option(
    help:
      "Wrong passwords that an address may send in a minute; by default 20, in a lab, where all have one address, 1000."
  )
  var wrongPasswords: Int?

  @Flag(help: "Take passwords without TLS also on addresses that others may listen to.")
  var insecurePasswords = false

  func check() throws {
    if domain.isEmpty && !catches { throw ValidationError("--domain NAME is needed (or --catch)") }
    if let wrongPasswords, wrongPasswords < 1 { throw ValidationError("--wrong-passwords must be at least 1") }
    if keep < 1 { throw ValidationError("--keep must be at least 1") }
    if sizeLimit < 1024 { throw ValidationError("--size-limit must be at least 1024") }
    for (name, value) in [
      ("queue-letters", queueLetters), ("queue-octets", queueOctets), ("mailbox-octets", mailboxOctets),
    ] where value < 1 {
      throw ValidationError("--\(name) must be at least 1")
    }
  }

  func run() throws {
    let command = self
    try Service.run("mail", common) { service in try await command.start(service) }
  }

  private var settings: MailSettings {
    let name = hostname ?? domain.first.map { "mail.\($0)" } ?? "mail.localhost"
    var limits = MailLimits()
    limits.smtp.size = sizeLimit
    limits.queueLetters = queueLetters
    limits.queueOctets = queueOctets
    limits.mailboxOctets = mailboxOctets
    limits.logins.failures = wrongPasswords ?? (common.isLab ? 1000 : limits.logins.failures)
    return MailSettings(
      hostname: name.lowercased(), domains: domain.map(MailAddress.domainKey), catchMode: catches ? keep : nil,
      limits: limits)
  }

  private func start(_ service: Service) async throws {
    let (pool, clock) = (service.pool, service.clock)
    var settings = settings
    settings.isTracing = service.tracing.isOn
    settings.chance = service.chance
    let store = try Store(
      directory: try service.dataDirectory().path, settings: settings, pool: pool,
      passwords: try .scrypt(in: service.passwordPool), now: { clock.now.seconds })
    service.onReady("store") { try await store.check() }
    let sessions = SessionRegistry(limits: settings.limits.sessions)
    let gate = LoginGate(limits: settings.limits.logins)
    service.onReset {
      // The clock goes back when everybody is done.
      try await store.reset(at: clock.systemTime.seconds)
      gate.forget()
      await sessions.endAll(.reset)
    }
    service.onBackup { try await store.backUp(to: $0) }
    service.onClose { try? await pool.run { store.database.close() } }

    let counters = MailCounters(service.metrics)
    if !catches {
      var relay = RelaySettings()
      relay.port = relayPort
      relay.source = smtp.first?.ip
      relay.own = smtp
      relay.limits = settings.limits.relay
      try await MailRelay.start(service, store, relay, counters, resolver: resolver)
    }
    let desk = LoginDesk(store: store, gate: gate, counters: counters, log: service.log)
    let api = MailAPI(store: store, desk: desk, requireAdmin: { try service.access.requireAdmin($0) })
    api.register(on: service.router)
    service.onDrain { api.waiters.close() }

    let room = LetterRoom(limit: settings.limits.arriving)
    let smtpDoor = SMTPService(
      store: store, isSubmission: false, forcesPasswords: insecurePasswords, sessions: sessions, room: room, desk: desk,
      counters: counters, log: service.log)
    var submissionDoor = smtpDoor
    submissionDoor.isSubmission = true
    let pop3Door = POP3Service(
      store: store, locks: MailboxLocks(), forcesPasswords: insecurePasswords, sessions: sessions, room: room,
      desk: desk, counters: counters, log: service.log)
    var doors = Doors(service: service, sessions: sessions)
    let (incoming, handingIn) = (smtpDoor, submissionDoor)
    try doors.open("smtp", smtp) { incoming.open($0, on: $1) }
    try doors.open("submission", submission) { handingIn.open($0, on: $1) }
    try doors.open("pop3", pop3) { pop3Door.open($0, on: $1) }
    doors.closeOnDrain()
  }
}

/// The listeners of the wire protocols.
private struct Doors {
  let service: Service
  let sessions: SessionRegistry
  var listeners: [TCPListener] = []

  init(service: Service, sessions: SessionRegistry) {
    self.service = service
    self.sessions = sessions
    service.metrics.gauge("mail_sessions", help: "Open SMTP and POP3 sessions.") { Double(sessions.count) }
  }

  /// Every loop listens on every address; a connection stays on the loop that accepted it.
  mutating func open(
    _ name: String, _ addresses: [SocketAddress], _ accepted: @escaping @Sendable (ConnectedSocket, EventLoop) -> Void
  ) throws(IOError) {
    for address in addresses {
      var bound = address
      for (index, loop) in service.loops.enumerated() {
        let listener = try TCPListener(bound, on: loop, sharesPort: service.loops.count > 1, isSibling: index > 0) {
          accepted($0, loop)
        }
        bound = listener.address
        listeners.append(listener)
      }
      service.log.info("listening", metadata: ["protocol": "\(name)", "address": "\(bound)"])
    }
  }

  func closeOnDrain() {
    let (listeners, sessions, loop) = (listeners, sessions, service.loop)
    service.onDrain {
      for listener in listeners { await listener.drain() }
      await sessions.close(on: loop, within: .seconds(5))
    }
  }
}

/// Starts the queue's work.
private enum MailRelay {
  static func start(
    _ service: Service, _ store: Store, _ settings: RelaySettings, _ counters: MailCounters, resolver: String?
  ) async throws {
    let names: NameLookup
    if let resolver {
      guard resolver.hasPrefix("http://") else {
        throw ValidationError("--resolver is a URL such as http://127.0.0.1:8055")
      }
      names =
        ResolverLookup(base: resolver.hasSuffix("/") ? String(resolver.dropLast()) : resolver, client: service.client)
        .names
    } else {
      names = .none
    }
    let (clock, loop) = (service.clock, service.loop)
    let relay = Relay(store: store, settings: settings, names: names, log: service.log, counters: counters, on: loop) {
      due, action in
      clock.at(WorldTime(seconds: due), on: loop, action)
    }
    await relay.start()
    service.onDrain { await relay.stop(within: .seconds(5)) }
  }
}
