import MailWire
import SQL

/// A recipient whose turn it is.
struct DueRecipient: Sendable, Equatable {
  /// Which reset the numbers belong to: in another epoch they name nothing, or something else.
  var epoch: Int64 = 1
  var id: Int64
  var letter: Int64
  var address: String
  /// Tries so far.
  var attempts: Int
  var sender: String
  var body: Int64
  /// Of the letter, in octets.
  var size: Int
  var utf8: Bool
  var createdAt: Int64
  var expiresAt: Int64
}

/// What one try did to a letter.
struct AttemptResult: Sendable {
  struct Outcome: Sendable {
    var recipient: DueRecipient
    var state: QueueState
    var nextAttempt: Int64?
    var reply: String
  }

  var letter: Int64
  var epoch: Int64
  var at: Int64
  var host: String
  var address: String
  /// One line.
  var outcome: String
  var dialogue: [String]
  var recipients: [Outcome]
  /// The report to the sender, if one is due.
  var report: Letter?
}

/// Letters on their way out.
extension Store {
  // MARK: For people

  /// Newest first, with the first recipients of each.
  func letters(before: Int64?, limit: Int, state: QueueState?) async throws -> [LetterRecord] {
    let listed = settings.limits.listedRecipients
    return try await database.read { connection in
      var letters = try connection.all(
        """
        SELECT \(Self.letterColumns) FROM letter WHERE (? IS NULL OR id < ?) AND (? IS NULL OR state = ?)
        ORDER BY id DESC LIMIT ?
        """, before, before, state?.rawValue, state?.rawValue, limit
      ) { Self.letter($0) }
      for index in letters.indices {
        letters[index].recipients =
          try Self.recipients(connection, letters[index].id, limit: listed)
      }
      return letters
    }
  }

  func letter(_ id: Int64) async throws -> LetterRecord? {
    try await database.read { try Self.letter($0, id) }
  }

  /// A letter and the tries of one moment.
  func letterWithAttempts(_ id: Int64) async throws -> (letter: LetterRecord, attempts: [AttemptRecord])? {
    try await database.read { connection in
      guard let letter = try Self.letter(connection, id) else { return nil }
      return (letter, try Self.attempts(connection, id))
    }
  }

  private static func letter(_ connection: Connection, _ id: Int64) throws -> LetterRecord? {
    guard
      var record = try connection.first(
        "SELECT \(letterColumns) FROM letter WHERE id = ?", id, transform: { letter($0) })
    else { return nil }
    record.recipients = try recipients(connection, id)
    return record
  }

  private static let letterColumns = """
    id, sender, created_at, expires_at, size, state, subject, revision, (SELECT epoch FROM ledger),
    (SELECT COUNT(*) FROM recipient WHERE recipient.letter = letter.id)
    """

  private static func letter(_ row: borrowing Row) -> LetterRecord {
    LetterRecord(
      id: Int64(row.int(0)), sender: row.text(1), createdAt: Int64(row.int(2)), expiresAt: Int64(row.int(3)),
      size: row.int(4), state: QueueState(rawValue: row.text(5)) ?? .waiting, subject: row.text(6),
      revision: Int64(row.int(7)), epoch: Int64(row.int(8)), recipientCount: row.int(9), recipients: [])
  }

  private static func recipients(
    _ connection: Connection, _ letter: Int64, limit: Int = -1
  ) throws -> [RecipientRecord] {
    try connection.all(
      """
      SELECT address, state, attempts, next_attempt, reply, host FROM recipient WHERE letter = ? ORDER BY id LIMIT ?
      """, letter, limit
    ) {
      RecipientRecord(
        address: $0.text(0), state: QueueState(rawValue: $0.text(1)) ?? .waiting, attempts: $0.int(2),
        nextAttempt: $0.optionalInt(3).map(Int64.init), reply: $0.optionalText(4), host: $0.optionalText(5))
    }
  }

  /// In the order they were made.
  func attempts(_ letter: Int64) async throws -> [AttemptRecord] {
    try await database.read { try Self.attempts($0, letter) }
  }

  private static func attempts(_ connection: Connection, _ letter: Int64) throws -> [AttemptRecord] {
    try connection.all(
      "SELECT id, at, host, address, outcome, recipients, dialogue FROM attempt WHERE letter = ? ORDER BY id", letter
    ) {
      AttemptRecord(
        id: Int64($0.int(0)), at: Int64($0.int(1)), host: $0.text(2), address: $0.text(3), outcome: $0.text(4),
        recipients: $0.text(5).split(separator: "\n").map(String.init),
        dialogue: $0.text(6).split(separator: "\n").map(String.init))
    }
  }

  /// The octets of a letter. Nil where there is no such letter or it is finished.
  func openLetter(_ letter: LetterRecord) async throws -> LetterReader? {
    let found = try await database.read { connection in
      try connection.first(
        """
        SELECT content, file, body.size FROM letter JOIN body ON body.id = letter.body
        WHERE letter.id = ? AND ? = (SELECT epoch FROM ledger)
        """, letter.id, letter.epoch
      ) { ($0.optionalBytes(0), $0.optionalText(1), $0.int(2)) }
    }
    guard let (content, file, size) = found else { return nil }
    return try await reader([], content, file: file, size: size)
  }

  /// Makes its waiting recipients due.
  /// - Returns: false where none waits.
  func retryNow(_ id: Int64, demand: Demand<LetterRecord>? = nil) async throws -> Bool {
    let time = now()
    let changed = try await write { connection in
      guard let letter = try Self.letter(connection, id) else { throw StoreError.noSuchLetter }
      try demand?(letter)
      let changed = try connection.run(
        "UPDATE recipient SET next_attempt = ? WHERE letter = ? AND state = 'waiting'", time, id)
      if changed > 0 { try connection.run("UPDATE letter SET revision = revision + 1 WHERE id = ?", id) }
      return changed
    }
    if changed > 0 { feed.publish([.queue(letter: id)]) }
    return changed > 0
  }

  func deleteLetter(_ id: Int64, demand: Demand<LetterRecord>? = nil) async throws {
    let files = try await write(.removal) { connection in
      guard let letter = try Self.letter(connection, id) else { throw StoreError.noSuchLetter }
      try demand?(letter)
      let body = try connection.first("SELECT body FROM letter WHERE id = ?", id) { $0.optionalInt(0) }
      try connection.dropLetter(id)
      return try connection.releaseBodies((body ?? nil).map { [Int64($0)] } ?? [])
    }
    feed.publish([.queue(letter: id)])
    await removeFiles(files)
  }

  // MARK: For the relay

  /// The domains that have a recipient whose turn it is, those that wait longest first.
  func dueDomains(at time: Int64) async throws -> [String] {
    try await database.read { connection in
      try connection.all(
        """
        SELECT domain FROM recipient WHERE state = 'waiting' AND next_attempt <= ?
        GROUP BY domain ORDER BY MIN(next_attempt), domain
        """, time
      ) { $0.text(0) }
    }
  }

  /// A domain's recipients whose turn it is, letter by letter.
  func due(_ domain: String, limit: Int) async throws -> [DueRecipient] {
    let time = now()
    return try await database.read { connection in
      try connection.all(
        """
        SELECT recipient.id, letter, address, attempts, sender, body, utf8, created_at, expires_at,
          size, (SELECT epoch FROM ledger)
        FROM recipient JOIN letter ON letter.id = recipient.letter
        WHERE domain = ? AND recipient.state = 'waiting' AND next_attempt <= ? ORDER BY letter, recipient.id LIMIT ?
        """, domain, time, limit
      ) {
        DueRecipient(
          epoch: Int64($0.int(10)), id: Int64($0.int(0)), letter: Int64($0.int(1)), address: $0.text(2),
          attempts: $0.int(3), sender: $0.text(4),
          body: Int64($0.int(5)), size: $0.int(9), utf8: $0.bool(6), createdAt: Int64($0.int(7)),
          expiresAt: Int64($0.int(8)))
      }
    }
  }

  /// When the next recipient's turn comes; nil where none waits. What is due already does not count, for its domain may be
  /// served for hours, and the others are not to wait for that.
  func nextDue(after time: Int64) async throws -> Int64? {
    let found = try await database.read { connection in
      try connection.first("SELECT MIN(next_attempt) FROM recipient WHERE state = 'waiting' AND next_attempt > ?", time)
      {
        $0.optionalInt(0).map(Int64.init)
      }
    }
    return found ?? nil
  }

  /// Writes down a try and what follows from it, the report to the sender included: all of it or nothing, and nothing for a
  /// letter that was deleted while it was tried, with all others by a reset or alone.
  func record(_ result: AttemptResult) async throws {
    let report = try await placement(result.report)
    let settings = settings
    do {
      let (files, placed) = try await settle(report?.arrival) { connection in
        let files = try connection.record(result, settings.limits)
        return (files, try report.map { try connection.place($0, settings) })
      }
      feed.publish([.queue(letter: result.letter)])
      if let placed { announce(placed) }
      await removeFiles(files + (placed?.files ?? []))
    } catch is LetterGone {
    } catch StoreError.reset {}
  }

  /// Puts recipients off that no host was asked about, so that it is no try of theirs.
  func postpone(_ recipients: [DueRecipient], until time: Int64) async throws {
    let letters = Set(recipients.map(\.letter))
    let isDone = try await write { connection in
      let epoch = try connection.epoch()
      guard recipients.allSatisfy({ $0.epoch == epoch }) else { return false }
      for recipient in recipients {
        try connection.run(
          "UPDATE recipient SET next_attempt = ? WHERE id = ? AND state = 'waiting'", time, recipient.id)
      }
      for letter in letters { try connection.run("UPDATE letter SET revision = revision + 1 WHERE id = ?", letter) }
      return true
    }
    if isDone { feed.publish(letters.map { .queue(letter: $0) }) }
  }

  /// The content of a letter that is to go out, and where there is none, why. Never throws: what can't be read now is said so.
  func outgoing(_ recipient: DueRecipient) async -> OutgoingContent {
    do {
      if let content = try await content(of: recipient.body, epoch: recipient.epoch) { return .whole(content) }
      let isWaiting = try await database.read { connection in
        try connection.exists(
          "SELECT 1 FROM letter WHERE id = ? AND state = 'waiting' AND ? = (SELECT epoch FROM ledger)",
          recipient.letter,
          recipient.epoch)
      }
      return isWaiting ? .lost : .deleted
    } catch {
      return .unreadable("\(error)")
    }
  }
}

/// What is there of a letter that is to go out.
enum OutgoingContent: Sendable, Equatable {
  case whole([UInt8])
  /// The letter itself was deleted meanwhile.
  case deleted
  /// The letter is there and its content is not: somebody removed the file, or a backup was put back without it.
  case lost
  /// It may be there another time.
  case unreadable(String)
}

/// The letter was deleted while it was tried.
private struct LetterGone: Error {}

extension Connection {
  func dropLetter(_ id: Int64) throws {
    try run("DELETE FROM attempt WHERE letter = ?", id)
    try run("DELETE FROM recipient WHERE letter = ?", id)
    try run("DELETE FROM letter WHERE id = ?", id)
  }

  /// - Returns: the files that may go after the commit.
  fileprivate func record(_ result: AttemptResult, _ limits: MailLimits) throws -> [String] {
    try demand(epoch: result.epoch)
    guard let body = try first("SELECT body FROM letter WHERE id = ?", result.letter, transform: { $0.optionalInt(0) })
    else { throw LetterGone() }
    try run(
      "INSERT INTO attempt (letter, at, host, address, outcome, recipients, dialogue) VALUES (?, ?, ?, ?, ?, ?, ?)",
      result.letter, result.at, result.host, result.address, result.outcome,
      result.recipients.map(\.recipient.address).joined(separator: "\n"), result.dialogue.joined(separator: "\n"))
    // Whoever has a letter tried again and again keeps the newest tries only.
    try run(
      """
      DELETE FROM attempt WHERE letter = ? AND id <= (
        SELECT id FROM attempt WHERE letter = ? ORDER BY id DESC LIMIT 1 OFFSET ?)
      """, result.letter, result.letter, limits.attempts)
    try run("UPDATE letter SET revision = revision + 1 WHERE id = ?", result.letter)
    for outcome in result.recipients {
      try run(
        """
        UPDATE recipient SET state = ?, attempts = attempts + 1, next_attempt = ?, reply = ?, host = ? WHERE id = ?
        """, outcome.state.rawValue, outcome.nextAttempt, outcome.reply, result.host, outcome.recipient.id)
    }
    if try exists("SELECT 1 FROM recipient WHERE letter = ? AND state = 'waiting'", result.letter) { return [] }
    let failed = try exists("SELECT 1 FROM recipient WHERE letter = ? AND state = 'failed'", result.letter)
    let state: QueueState = failed ? .failed : .delivered
    try run("UPDATE letter SET state = ?, body = NULL WHERE id = ?", state.rawValue, result.letter)
    // Once in a while the oldest of the finished letters are forgotten.
    if result.letter % 64 == 0 {
      let old = try all(
        "SELECT id FROM letter WHERE state <> 'waiting' ORDER BY id DESC LIMIT -1 OFFSET ?", limits.finishedLetters
      ) { Int64($0.int(0)) }
      for id in old { try dropLetter(id) }
    }
    return try releaseBodies(body.map { [Int64($0)] } ?? [])
  }
}
