import EventLoop
import MailWire
import SQL

/// A letter's content on its way into the database.
struct Arrival: Sendable {
  /// Empty where it is a file.
  var row: [UInt8]
  var file: String?
  var size: Int
  var summary: Summary
  var at: Int64
}

/// What becomes of a recipient here whose mailbox is gone, or full, by the time the letter is stored.
enum VanishedRecipient: Sendable {
  /// The letter is refused whole.
  case refused
  /// The others get it, and the sender a report: SMTP has promised a delivery at RCPT and has no other way back.
  case reported
}

/// Letters come in.
extension Store {
  /// Delivers to the mailboxes here and queues for the rest, in one durable transaction: when this returns, the letter is safe.
  /// - Throws: `StoreError.unknownRecipient` or `.mailboxFull` for a mailbox that is gone or full and not to be reported, or where
  ///   none is left; `.queueFull`; `.stale` where the draft it was has changed.
  func accept(_ letter: Letter, vanished: VanishedRecipient = .refused) async throws -> Accepted {
    var plan = try plan(letter, vanished)
    let arrival = try await prepare(letter.content)
    var reportFile: String?
    do {
      while true {
        let report = try await placement(report(on: plan.lost, of: letter))
        reportFile = report?.arrival.file
        do {
          return try await store(Placement(letter: letter, plan: plan, arrival: arrival), report)
        } catch let error as StoreError where vanished == .reported && plan.lose(error) {
          // The mailbox went, or was filled, between the plan and the transaction.
          await removeFiles([reportFile].compactMap(\.self))
        }
      }
    } catch {
      await removeFiles([arrival.file, reportFile].compactMap(\.self))
      throw error
    }
  }

  /// A letter, who gets it, and its content.
  struct Placement: Sendable {
    var letter: Letter
    var plan: Plan
    var arrival: Arrival
    /// A report made here has to find its place: it takes less than the letter it is about.
    var isReport = false
  }

  /// How a report made here is stored; nil for none, and where its addressee had a mailbox here that is gone: nobody else
  /// would want it.
  func placement(_ report: Letter?) async throws -> Placement? {
    guard let report, let plan = try? plan(report) else { return nil }
    return Placement(letter: report, plan: plan, arrival: try await prepare(report.content), isReport: true)
  }

  private func store(_ letter: Placement, _ report: Placement?) async throws -> Accepted {
    let settings = settings
    let placed = try await write { connection in
      try [letter, report].compactMap(\.self).map { try connection.place($0, settings) }
    }
    for place in placed { announce(place) }
    await removeFiles(placed.flatMap(\.files))
    return placed.first?.accepted ?? Accepted()
  }

  private func report(on lost: [Plan.Lost], of letter: Letter) -> Letter? {
    let time = now()
    let failures = lost.map { recipient in
      let status = recipient.isFull ? EnhancedStatus(5, 2, 2) : EnhancedStatus(5, 1, 1)
      var failure = DeliveryReport.Recipient(recipient.address, .failed, status)
      failure.diagnostic =
        recipient.isFull
        ? SMTPReply(552, status, "the mailbox is full")
        : SMTPReply(550, status, "there is no such mailbox here any more")
      failure.lastAttempt = time
      return failure
    }
    return Letter.report(
      failures, sender: letter.sender, content: letter.content, arrival: time, host: settings.hostname, now: time,
      using: settings.chance)
  }

  /// Tells the listeners.
  func announce(_ placed: Placed) {
    var changes = placed.messages.map { Change.delivered(mailbox: $0.mailbox, message: $0.id) }
    changes += placed.sent.map { Change.changed(mailbox: $0.mailbox, message: $0.id) }
    changes += placed.forgotten.map { Change.deleted(mailbox: Store.catchMailbox, message: $0) }
    if let letter = placed.accepted.queued { changes.append(.queue(letter: letter)) }
    feed.publish(changes)
  }

  /// Who gets it here and who elsewhere.
  struct Plan: Sendable {
    var local: [MailAddress] = []
    var remote: [MailAddress] = []
    /// Had a mailbox here, or have one that is full.
    var lost: [Lost] = []
    var caught = false

    struct Lost: Sendable {
      var address: MailAddress
      var isFull = false
    }

    /// A mailbox turned out to be gone or full. False: that is nothing to go on with, for nobody is left.
    mutating func lose(_ error: StoreError) -> Bool {
      let (text, isFull): (String, Bool)
      switch error {
      case .unknownRecipient(let address): (text, isFull) = (address, false)
      case .mailboxFull(let address): (text, isFull) = (address, true)
      default: return false
      }
      guard let index = local.firstIndex(where: { $0.description == text }) else { return false }
      lost.append(Lost(address: local.remove(at: index), isFull: isFull))
      return !local.isEmpty || !remote.isEmpty
    }
  }

  func plan(_ letter: Letter, _ vanished: VanishedRecipient = .refused) throws(StoreError) -> Plan {
    var plan = Plan()
    plan.caught = settings.catchMode != nil
    for text in letter.recipients {
      guard let address = complete(text) else { throw .unknownRecipient(text) }
      if plan.caught { continue }
      if !isLocal(address) {
        if !plan.remote.contains(address) { plan.remote.append(address) }
      } else if !plan.local.contains(where: { $0.folded == address.folded }) {
        if verdict(on: address, trusted: true) == .accepted {
          plan.local.append(address)
        } else if vanished == .reported {
          plan.lost.append(Plan.Lost(address: address))
        } else {
          throw .unknownRecipient(text)
        }
      }
    }
    if let lost = plan.lost.first, plan.local.isEmpty, plan.remote.isEmpty {
      throw .unknownRecipient(lost.address.description)
    }
    return plan
  }

  /// Octets of the text that are kept as written, for a preview; what is searched is kept in lower case.
  static let previewLimit = 1024

  /// Letters up to this many octets are taken apart where the caller is; larger ones would keep its loop from other
  /// connections for too long, and go to the pool.
  static let promptLimit = 8192

  /// What has to be done outside the transaction: a large body becomes a file.
  func prepare(_ content: [UInt8]) async throws -> Arrival {
    var arrival = Arrival(row: content, file: nil, size: content.count, summary: Summary(), at: now())
    if content.count <= Store.promptLimit {
      arrival.summary = Summary.of(content)
      return arrival
    }
    guard content.count > BodyFiles.rowLimit else {
      arrival.summary = try await pool.run { Summary.of(content) }
      return arrival
    }
    let (files, name) = (files, BodyFiles.newName())
    do {
      arrival.summary = try await pool.run {
        try files.write(content, as: name)
        return Summary.of(content)
      }
    } catch let failure as SQLError where failure.kind == .full {
      noteRoom(false)
      throw StoreError.full
    }
    arrival.row = []
    arrival.file = name
    return arrival
  }

  /// Writes what names the arrival's file; where that fails, the file goes too.
  func settle<Value: Sendable>(
    _ arrival: Arrival?, _ body: @escaping @Sendable (Connection) throws -> Value
  ) async throws -> Value {
    do {
      return try await write(body)
    } catch {
      if let file = arrival?.file { await removeFiles([file]) }
      throw error
    }
  }
}

/// What the database did with a letter.
struct Placed: Sendable {
  var accepted = Accepted()
  /// Every message that came into a mailbox, the copy too.
  var messages: [(mailbox: Int64, id: Int64)] = []
  /// The drafts that became copies in Sent.
  var sent: [(mailbox: Int64, id: Int64)] = []
  /// The messages that catch mode let go for these.
  var forgotten: [Int64] = []
  /// The files that may go after the commit.
  var files: [String] = []
}

extension Connection {
  func insertBody(_ arrival: Arrival) throws -> Int64 {
    let isFile = arrival.file != nil
    try run(
      "INSERT INTO body (size, content, file) VALUES (?, ?, ?)", arrival.size, isFile ? nil : arrival.row, arrival.file)
    return Int64(lastInsertID)
  }

  /// - Parameter returnPath: nil where it is not delivered but put there.
  func insertMessage(
    _ arrival: Arrival, body: Int64, mailbox: Int64, folder: Int64, flags: MessageFlags, returnPath: String?,
    recipients: [String]
  ) throws -> Int64 {
    let summary = arrival.summary
    let uid = try takeUID(folder)
    try run(
      """
      INSERT INTO message (mailbox, folder, uid, flags, body, size, return_path, recipients, received_at, sender,
        receiver, subject, sent_at, message_id, attachments, text, sender_key, receiver_key, subject_key,
        text_key)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
      """, mailbox, folder, uid, flags.rawValue, body, arrival.size + Store.returnPath(returnPath).utf8.count,
      returnPath, recipients.joined(separator: "\n"), arrival.at, summary.from, summary.to, summary.subject,
      summary.date, summary.messageID, summary.attachments, summary.text.cut(to: Store.previewLimit),
      Store.searchKey(summary.from), Store.searchKey(summary.to), Store.searchKey(summary.subject),
      Store.searchKey(summary.text))
    return Int64(lastInsertID)
  }

  /// Puts a letter into the mailboxes and the queue, its body once.
  func place(_ placement: Store.Placement, _ settings: MailSettings) throws -> Placed {
    let (letter, plan, arrival) = (placement.letter, placement.plan, placement.arrival)
    let limits = placement.isReport ? nil : settings.limits
    let body = try insertBody(arrival)
    var placed = Placed()
    func deliver(_ mailbox: Int64, _ folder: String, _ flags: MessageFlags, returnPath: String?, to: [String]) throws
      -> Int64
    {
      let id = try insertMessage(
        arrival, body: body, mailbox: mailbox, folder: try folderID(mailbox, folder), flags: flags,
        returnPath: returnPath, recipients: to)
      placed.messages.append((mailbox, id))
      return id
    }
    if let keep = settings.catchMode {
      let message = try deliver(
        Store.catchMailbox, "INBOX", [], returnPath: letter.sender, to: letter.recipients)
      placed.accepted.delivered.append(message)
      placed.forgotten = try tooOld(keep, settings.limits)
      placed.files = try dropMessages(placed.forgotten)
    }
    for address in plan.local {
      let mailbox = try destination(address, at: arrival.at)
      if let limits {
        do {
          try demandRoom(in: mailbox, for: arrival.size, limits)
        } catch StoreError.mailboxFull {
          throw StoreError.mailboxFull(address.description)
        }
      }
      placed.accepted.delivered.append(
        try deliver(mailbox, "INBOX", [], returnPath: letter.sender, to: [address.description]))
    }
    if !plan.remote.isEmpty {
      if let limits { try demandPlace(for: arrival.size, limits) }
      placed.accepted.queued = try enqueue(letter, plan.remote, arrival, body: body)
    }
    if let draft = letter.draft {
      placed.files += try fileAsSent(draft, arrival, body: body, to: letter.recipients)
      placed.sent.append((draft.mailbox, draft.id))
      placed.accepted.copy = draft.id
    }
    if let copy = letter.copy {
      try demandRoom(in: copy.mailbox, for: arrival.size, settings.limits)
      placed.accepted.copy = try deliver(
        copy.mailbox, copy.folder, [.seen], returnPath: nil, to: letter.recipients)
    }
    return placed
  }

  /// The mailbox of a local address; a postmaster's is made when it is first needed.
  private func destination(_ address: MailAddress, at time: Int64) throws -> Int64 {
    if let id = try first("SELECT id FROM mailbox WHERE key = ?", address.folded, transform: { Int64($0.int(0)) }) {
      return id
    }
    guard address.isPostmaster else { throw StoreError.unknownRecipient(address.description) }
    return try makeMailbox(address, secret: "", at: time).id
  }

  private func enqueue(_ letter: Letter, _ remote: [MailAddress], _ arrival: Arrival, body: Int64) throws -> Int64 {
    try run(
      """
      INSERT INTO letter (sender, body, size, subject, utf8, created_at, expires_at, state)
      VALUES (?, ?, ?, ?, ?, ?, ?, 'waiting')
      """, letter.sender, body, arrival.size, arrival.summary.subject, letter.utf8, arrival.at,
      arrival.at + RetrySchedule.lifetime)
    let id = Int64(lastInsertID)
    for address in remote {
      try run(
        "INSERT INTO recipient (letter, address, domain, state, next_attempt) VALUES (?, ?, ?, 'waiting', ?)", id,
        address.description, address.foldedDomain, arrival.at)
    }
    return id
  }

  /// - Throws: `StoreError.queueFull` where one more letter would be too much.
  private func demandPlace(for octets: Int, _ limits: MailLimits) throws {
    let isFull = try exists(
      "SELECT 1 FROM ledger WHERE letters >= ? OR octets + ? > ?", limits.queueLetters, octets, limits.queueOctets)
    if isFull { throw StoreError.queueFull }
  }

  /// Catch mode keeps the newest only: so many of them, and no more octets than a mailbox may hold.
  /// - Returns: those that have to go.
  private func tooOld(_ keep: Int, _ limits: MailLimits) throws -> [Int64] {
    // Most of the time the counts say at once that nothing is too much.
    guard
      try exists(
        "SELECT 1 FROM mailbox WHERE id = ? AND (messages > ? OR octets > ?)", Store.catchMailbox, keep,
        limits.mailboxOctets)
    else { return [] }
    return try all(
      """
      SELECT id FROM (
        SELECT id, ROW_NUMBER() OVER (ORDER BY id DESC) AS place, SUM(size) OVER (ORDER BY id DESC) AS octets
        FROM message WHERE mailbox = ?)
      WHERE place > 1 AND (place > ? OR octets > ?)
      """, Store.catchMailbox, keep, limits.mailboxOctets
    ) { Int64($0.int(0)) }
  }
}
