import EventLoop
import Logging
import MailWire
import Octets
import Testing

@testable import Mail

/// Keeps what is logged as errors.
struct ErrorLog: LogHandler {
  let lines: Lock<[String]>
  var metadata: Logger.Metadata = [:]
  var logLevel = Logger.Level.error

  init(_ lines: Lock<[String]>) { self.lines = lines }

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) { lines.withLock { $0.append("\(event.message)") } }
}

/// alice's host, its relay, and the loop both run on.
struct RelayWorld {
  let loop: EventLoop
  let crepes: TestStore
  let errors = Lock<[String]>([])
  let alice: MailboxRecord

  init() async throws {
    loop = try EventLoop.start(name: "relay")
    crepes = try TestStore(domains: ["crepes.fr"])
    alice = try await crepes.store.createMailbox("alice@crepes.fr", password: "x")
  }

  func queue(_ recipients: String..., content: String = "Subject: hi\r\n\r\nx\r\n", utf8: Bool = false) async throws
    -> Int64
  {
    let accepted = try await crepes.store.accept(
      Letter(
        sender: "alice@crepes.fr", recipients: recipients, content: Array(content.utf8), utf8: utf8))
    return try #require(accepted.queued)
  }

  /// - Parameter hosts: the addresses of `best` and `worse`, which are the MX of every domain.
  func relay(
    port: UInt16, best: IPAddress = .loopbackV4, worse: IPAddress? = nil, names: NameLookup? = nil,
    change: (inout RelaySettings) -> Void = { _ in },
    alarm: @escaping @Sendable (_ due: Int64, _ action: @escaping @Sendable () -> Void) -> Void = { _, _ in }
  ) -> Relay {
    var settings = RelaySettings()
    settings.port = port
    settings.limits.pause = .milliseconds(5)
    change(&settings)
    var exchangers = [MailExchanger(preference: 10, host: "best")]
    if worse != nil { exchangers.append(MailExchanger(preference: 20, host: "worse")) }
    let names =
      names
      ?? NameLookup(
        exchangers: { [exchangers] _ in .records(exchangers) },
        addresses: { .records($0 == "best" ? [best] : [worse ?? best]) })
    let errors = errors
    return Relay(
      store: crepes.store, settings: settings, names: names,
      log: Logger(label: "test") { _ in ErrorLog(errors) }, on: loop, alarm: alarm)
  }

  /// Every domain is its own host; those that begin with `silent` are at `other`.
  static func names(silent other: IPAddress) -> NameLookup {
    NameLookup(
      exchangers: { .records([MailExchanger(preference: 10, host: $0)]) },
      addresses: { .records([$0.hasPrefix("silent") ? other : .loopbackV4]) })
  }

  /// Waits until the letter was tried so many times.
  func attempts(_ letter: Int64, _ count: Int = 1) async throws -> [AttemptRecord] {
    while true {
      let attempts = try await crepes.store.attempts(letter)
      if attempts.count >= count { return attempts }
      try await loop.patience()
    }
  }

  func settled(_ letter: Int64) async throws -> LetterRecord {
    while true {
      if let record = try await crepes.store.letter(letter), record.state != .waiting { return record }
      try await loop.patience()
    }
  }

  /// The reports that alice has, whole.
  func reports() async throws -> [String] {
    var texts: [String] = []
    for message in try await crepes.store.messages(alice.id, folder: "INBOX", before: nil, limit: 10) {
      texts.append(String(decoding: try await crepes.store.raw(alice.id, message.id) ?? [], as: UTF8.self))
    }
    return texts
  }
}

extension EventLoop {
  /// A moment, for one who waits for something to come about; the end of it when the test's time is up.
  func patience() async throws {
    try Task.checkCancellation()
    await sleep(for: .milliseconds(5))
  }
}
