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

  /// Nothing came.
  static let none = Arrival(row: [], file: nil, size: 0, summary: Summary(), at: 0)
}

/// Letters come in.
extension Store {
  /// Delivers to the mailboxes here and queues for the rest, in one durable transaction: when this returns, the letter is safe.
  func accept(_ letter: Letter) async throws -> Accepted {
    let plan = try plan(letter)
    let arrival = try await prepare(letter.content)
    let keep = settings.catchMode
    let (accepted, mailboxes, files) = try await settle(arrival) { connection in
      let body = try connection.insertBody(arrival)
      return try connection.place(letter, plan, arrival, body: body, keep: keep)
    }
    announce(accepted, mailboxes)
    await removeFiles(files)
    return accepted
  }

  /// Tells the listeners.
  func announce(_ accepted: Accepted, _ mailboxes: [Int64]) {
    var changes = zip(mailboxes, accepted.delivered).map { Change.delivered(mailbox: $0, message: $1) }
    if let letter = accepted.queued { changes.append(.queue(letter: letter)) }
    feed.publish(changes)
  }

  /// Who gets it here and who elsewhere.
  struct Plan: Sendable {
    var local: [MailAddress] = []
    var remote: [MailAddress] = []
    var caught = false
  }

  func plan(_ letter: Letter) throws(StoreError) -> Plan {
    var plan = Plan()
    plan.caught = settings.catchMode != nil
    for text in letter.recipients {
      guard let address = complete(text) else { throw .unknownRecipient(text) }
      if plan.caught { continue }
      if !isLocal(address) {
        if !plan.remote.contains(address) { plan.remote.append(address) }
      } else if !plan.local.contains(where: { $0.folded == address.folded }) {
        guard verdict(on: address, trusted: true) == .accepted else { throw .unknownRecipient(text) }
        plan.local.append(address)
      }
    }
    return plan
  }

  /// What has to be done outside the transaction: a large body becomes a file.
  func prepare(_ content: [UInt8]) async throws -> Arrival {
    var arrival = Arrival(row: content, file: nil, size: content.count, summary: Summary(), at: now())
    guard content.count > BodyFiles.rowLimit else {
      arrival.summary = Summary.of(content)
      return arrival
    }
    let (files, name) = (files, BodyFiles.newName())
    do {
      arrival.summary = try await pool.run {
        try files.write(content, as: name)
        return Summary.of(content)
      }
    } catch let failure as BodyFiles.Failure where failure.isFull {
      noteRoom(false)
      throw StoreError.full
    }
    arrival.row = []
    arrival.file = name
    return arrival
  }

  /// Writes what names the arrival's file; where that fails, the file goes too.
  func settle<Value: Sendable>(
    _ arrival: Arrival, _ body: @escaping @Sendable (Connection) throws -> Value
  ) async throws -> Value {
    do {
      return try await write(body)
    } catch {
      if let file = arrival.file { await removeFiles([file]) }
      throw error
    }
  }
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
        receiver, subject, sent_at, message_id, attachments, text, sender_key, receiver_key, subject_key)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
      """, mailbox, folder, uid, flags.rawValue, body, arrival.size + Store.returnPath(returnPath).utf8.count,
      returnPath, recipients.joined(separator: "\n"), arrival.at, summary.from, summary.to, summary.subject,
      summary.date, summary.messageID, summary.attachments, summary.text, summary.from.lowercased(),
      summary.to.lowercased(), summary.subject.lowercased())
    return Int64(lastInsertID)
  }

  /// Puts the body into the mailboxes and the queue.
  func place(
    _ letter: Letter, _ plan: Store.Plan, _ arrival: Arrival, body: Int64, keep: Int?
  ) throws -> (Accepted, mailboxes: [Int64], files: [String]) {
    var accepted = Accepted()
    var mailboxes: [Int64] = []
    var files: [String] = []
    if let keep {
      let folder = try folderID(Store.catchMailbox, "INBOX")
      let message = try insertMessage(
        arrival, body: body, mailbox: Store.catchMailbox, folder: folder, flags: [], returnPath: letter.sender,
        recipients: letter.recipients)
      accepted.delivered.append(message)
      mailboxes.append(Store.catchMailbox)
      files = try forgetAllBut(keep, newest: message)
    }
    for address in plan.local {
      let mailbox = try destination(address, at: arrival.at)
      let message = try insertMessage(
        arrival, body: body, mailbox: mailbox, folder: try folderID(mailbox, "INBOX"), flags: [],
        returnPath: letter.sender, recipients: [address.description])
      accepted.delivered.append(message)
      mailboxes.append(mailbox)
    }
    if !plan.remote.isEmpty {
      accepted.queued = try enqueue(letter, plan.remote, arrival, body: body)
    }
    if let copy = letter.copy {
      accepted.copy = try insertMessage(
        arrival, body: body, mailbox: copy.mailbox, folder: try folderID(copy.mailbox, copy.folder), flags: [.seen],
        returnPath: nil, recipients: letter.recipients)
    }
    return (accepted, mailboxes, files)
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

  /// Catch mode keeps the newest only.
  private func forgetAllBut(_ keep: Int, newest: Int64) throws -> [String] {
    // Numbers only grow, so most of the time this says at once that nothing is too much.
    guard newest > Int64(keep) else { return [] }
    let old = try all(
      "SELECT id FROM message WHERE mailbox = ? ORDER BY id DESC LIMIT -1 OFFSET ?", Store.catchMailbox, max(keep, 1)
    ) { Int64($0.int(0)) }
    return try dropMessages(old)
  }
}
