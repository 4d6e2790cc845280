import EventLoop
import MailWire
import Octets
import SQL

/// Messages in mailboxes.
extension Store {
  private static let columns = """
    message.id, message.mailbox, folder.name, uid, flags, size, received_at, return_path, recipients, sender, receiver,
    subject, sent_at, message_id, attachments, text, message.revision, body, (SELECT epoch FROM ledger), (SELECT address FROM mailbox WHERE mailbox.id = message.mailbox)
    """

  private static func message(_ row: borrowing Row) -> MessageRecord {
    MessageRecord(
      id: Int64(row.int(0)), mailbox: Int64(row.int(1)), folder: row.text(2), uid: Int64(row.int(3)),
      flags: MessageFlags(rawValue: Int64(row.int(4))), size: row.int(5), receivedAt: Int64(row.int(6)),
      // What was put here is its owner's.
      sender: row.optionalText(7) ?? row.text(19), recipients: row.text(8).split(separator: "\n").map(String.init),
      summary: Summary(
        from: row.text(9), to: row.text(10), subject: row.text(11), date: row.optionalInt(12).map(Int64.init),
        messageID: row.text(13), attachments: row.int(14), text: row.text(15)), revision: Int64(row.int(16)),
      epoch: Int64(row.int(18)), body: Int64(row.int(17)), isDelivered: row.optionalText(7) != nil)
  }

  /// Newest first.
  /// - Parameter before: the list begins behind the message with this number.
  func messages(
    _ mailbox: Int64, folder: String?, search: Search = Search(), before: Int64?, limit: Int
  ) async throws -> [MessageRecord] {
    var sql = "SELECT \(Self.columns) FROM message JOIN folder ON folder.id = message.folder WHERE message.mailbox = ?"
    var values: [(any SQLBindable)?] = [mailbox]
    func narrow(_ condition: String, _ value: (any SQLBindable)?) {
      sql += " AND " + condition
      values.append(value)
    }
    if let folder { narrow("folder.name = ?", folder) }
    if let before { narrow("message.id < ?", before) }
    if let id = search.afterID { narrow("message.id > ?", id) }
    if let time = search.before { narrow("received_at < ?", time) }
    if let time = search.after { narrow("received_at >= ?", time) }
    if let unread = search.unread { narrow("flags & 1 = ?", unread ? 0 : 1) }
    func contains(_ text: String, in columns: String...) {
      let pattern = Self.pattern(text)
      sql += " AND (" + columns.map { "\($0) LIKE ? ESCAPE '\\'" }.joined(separator: " OR ") + ")"
      for _ in columns { values.append(pattern) }
    }
    for text in search.from { contains(text, in: "sender_key", "return_path") }
    for text in search.to { contains(text, in: "receiver_key", "recipients") }
    // The recipients stand one a line.
    if let recipient = search.recipient {
      let wanted = MailAddress(recipient)?.description ?? recipient
      let folded = String(decoding: wanted.utf8.map(\.asciiLowercased), as: UTF8.self)
      narrow("lower(? || recipients || ?) LIKE ? ESCAPE '\\'", "\n")
      values.append("\n")
      values.append((recipient.hasPrefix("@") ? "%" : "%\n") + Self.escaped(folded) + "\n%")
    }
    for text in search.subject { contains(text, in: "subject_key") }
    for text in search.words {
      contains(text, in: "sender_key", "receiver_key", "recipients", "subject_key", "text_key")
    }
    sql += " ORDER BY message.id DESC LIMIT ?"
    values.append(limit)
    let (statement, bound) = (sql, values)
    return try await database.read { connection in
      try connection.all(statement, values: bound) { Self.message($0) }
    }
  }

  /// What a search compares: without case, and composed, so that a mark may stand apart from its letter.
  static func searchKey(_ text: String) -> String { text.lowercased().composed }

  private static func pattern(_ text: String) -> String { "%" + escaped(searchKey(text)) + "%" }

  /// For LIKE, where these three signs have a meaning.
  private static func escaped(_ text: String) -> String {
    var escaped = String.UnicodeScalarView()
    for scalar in text.unicodeScalars {
      if scalar == "%" || scalar == "_" || scalar == "\\" { escaped.append("\\") }
      escaped.append(scalar)
    }
    return String(escaped)
  }

  func message(_ mailbox: Int64, _ id: Int64) async throws -> MessageRecord? {
    try await database.read { try Self.message($0, mailbox, id) }
  }

  static func message(_ connection: Connection, _ mailbox: Int64, _ id: Int64) throws -> MessageRecord? {
    try connection.first(
      """
      SELECT \(columns) FROM message JOIN folder ON folder.id = message.folder
      WHERE message.id = ? AND message.mailbox = ?
      """, id, mailbox
    ) { message($0) }
  }

  /// A message and its octets as they were received, behind its Return-Path line. Nil where there is none.
  /// - Parameter epoch: where the number was read; in another it names nothing.
  func open(
    _ mailbox: Int64, _ id: Int64, epoch: Int64? = nil
  ) async throws -> (record: MessageRecord, letter: LetterReader)? {
    typealias Found = (record: MessageRecord, content: [UInt8]?, file: String?, size: Int)
    let found = try await database.read { connection -> Found? in
      guard let record = try Self.message(connection, mailbox, id), record.epoch == epoch ?? record.epoch else {
        return nil
      }
      return try connection.first("SELECT content, file, size FROM body WHERE id = ?", record.body) {
        (record: record, content: $0.optionalBytes(0), file: $0.optionalText(1), size: $0.int(2))
      }
    }
    guard let found else { return nil }
    let path = Self.returnPath(found.record.isDelivered ? found.record.sender : nil)
    let letter = try await reader(Array(path.utf8), found.content, file: found.file, size: found.size)
    return letter.map { (found.record, $0) }
  }

  /// All octets at once.
  func raw(_ mailbox: Int64, _ id: Int64) async throws -> [UInt8]? {
    try await open(mailbox, id)?.letter.whole()
  }

  static func returnPath(_ sender: String?) -> String { sender.map { "Return-Path: <\($0)>\r\n" } ?? "" }

  /// - Parameters:
  ///   - content: the row, where the body is one.
  ///   - size: of the body, in octets.
  func reader(_ head: [UInt8], _ content: [UInt8]?, file: String?, size: Int) async throws -> LetterReader? {
    guard let file else { return LetterReader(head + (content ?? [])) }
    let files = files
    guard let body = try await pool.run({ try files.open(file, size: size) }) else { return nil }
    return LetterReader(head, body, size: size, in: pool)
  }

  /// The octets of a body, from its row or its file. Nil where it is gone, and in another epoch than the one it is of.
  func content(of body: Int64, epoch: Int64, atMost limit: Int = .max) async throws -> [UInt8]? {
    let found = try await database.read { connection in
      try connection.first(
        "SELECT content, file, size FROM body WHERE id = ? AND ? = (SELECT epoch FROM ledger)", body, epoch
      ) { ($0.optionalBytes(0), $0.optionalText(1), $0.int(2)) }
    }
    guard let (content, file, size) = found else { return nil }
    return try await reader([], content, file: file, size: size)?.read(from: 0, atMost: limit)
  }

  /// The messages of a POP3 session, in the order of arrival, and the epoch that their numbers are of.
  func inbox(_ mailbox: Int64) async throws -> (epoch: Int64, messages: [(id: Int64, size: Int, receivedAt: Int64)]) {
    try await database.read { connection in
      let messages = try connection.all(
        """
        SELECT message.id, size, received_at FROM message JOIN folder ON folder.id = message.folder
        WHERE folder.mailbox = ? AND folder.name = 'INBOX' ORDER BY uid
        """, mailbox
      ) { (id: Int64($0.int(0)), size: $0.int(1), receivedAt: Int64($0.int(2))) }
      return (try connection.epoch(), messages)
    }
  }

  /// Changes flags, folder or both.
  /// - Parameters:
  ///   - folder: nil leaves it where it is.
  ///   - flags: makes of the flags what they shall be.
  func update(
    _ mailbox: Int64, _ id: Int64, folder: String?, flags: @escaping @Sendable (MessageFlags) -> MessageFlags = { $0 },
    demand: Demand<MessageRecord>? = nil
  ) async throws -> MessageRecord {
    let (record, isNew) = try await write { connection in
      guard let old = try Self.message(connection, mailbox, id) else { throw StoreError.noSuchMessage }
      try demand?(old)
      let wanted = flags(old.flags)
      let moves = folder.map { $0 != old.folder } ?? false
      if !moves && wanted == old.flags { return (old, false) }
      if moves, let folder {
        let target = try connection.folderID(mailbox, folder)
        let uid = try connection.takeUID(target)
        try connection.run("UPDATE message SET folder = ?, uid = ? WHERE id = ?", target, uid, id)
      }
      try connection.run("UPDATE message SET flags = ?, revision = revision + 1 WHERE id = ?", wanted.rawValue, id)
      return (try Self.message(connection, mailbox, id) ?? old, true)
    }
    if isNew { feed.publish([.changed(mailbox: mailbox, message: id)]) }
    return record
  }

  func delete(_ mailbox: Int64, _ id: Int64, demand: Demand<MessageRecord>? = nil) async throws {
    let files = try await write(.removal) { connection in
      guard let old = try Self.message(connection, mailbox, id) else { throw StoreError.noSuchMessage }
      try demand?(old)
      return try connection.dropMessages([id])
    }
    feed.publish([.deleted(mailbox: mailbox, message: id)])
    await removeFiles(files)
  }

  /// Deletes, at once, what of these is still in the folder: a POP3 session knows the INBOX as it was when it opened
  /// (RFC 1939 §5), and a letter that was moved out of it meanwhile is no longer its to delete.
  /// - Throws: `StoreError.reset` in another epoch than the one the numbers are of.
  func delete(_ mailbox: Int64, all ids: [Int64], in folder: String, epoch: Int64) async throws {
    let (gone, files) = try await write(.removal) { connection in
      try connection.demand(epoch: epoch)
      let gone = try ids.filter { id in
        try connection.exists(
          """
          SELECT 1 FROM message JOIN folder ON folder.id = message.folder
          WHERE message.id = ? AND message.mailbox = ? AND folder.name = ?
          """, id, mailbox, folder)
      }
      return (gone, try connection.dropMessages(gone))
    }
    feed.publish(gone.map { .deleted(mailbox: mailbox, message: $0) })
    await removeFiles(files)
  }

  /// Forgets everything that catch mode kept.
  func clearCatch() async throws {
    let (ids, files) = try await write(.removal) { connection in
      let ids = try connection.all("SELECT id FROM message WHERE mailbox = ?", Store.catchMailbox) { Int64($0.int(0)) }
      return (ids, try connection.dropMessages(ids))
    }
    feed.publish(ids.map { .deleted(mailbox: Store.catchMailbox, message: $0) })
    await removeFiles(files)
  }
}

extension Connection {
  /// - Returns: the files that may go after the commit.
  func dropMessages(_ ids: [Int64]) throws -> [String] {
    var bodies: [Int64] = []
    for id in ids {
      if let body = try first("SELECT body FROM message WHERE id = ?", id, transform: { Int64($0.int(0)) }) {
        bodies.append(body)
        try run("DELETE FROM message WHERE id = ?", id)
      }
    }
    return try releaseBodies(bodies)
  }
}
