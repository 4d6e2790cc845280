import EventLoop
import MailWire
import Octets
import SQL

/// Messages in mailboxes.
extension Store {
  private static let columns = """
    message.id, message.mailbox, folder.name, uid, flags, size, received_at, return_path, recipients, sender, receiver,
    subject, sent_at, message_id, attachments, text, revision
    """

  private static func message(_ row: borrowing Row) -> MessageRecord {
    MessageRecord(
      id: Int64(row.int(0)), mailbox: Int64(row.int(1)), folder: row.text(2), uid: Int64(row.int(3)),
      flags: MessageFlags(rawValue: Int64(row.int(4))), size: row.int(5), receivedAt: Int64(row.int(6)),
      sender: row.text(7), recipients: row.text(8).split(separator: "\n").map(String.init),
      summary: Summary(
        from: row.text(9), to: row.text(10), subject: row.text(11), date: row.optionalInt(12).map(Int64.init),
        messageID: row.text(13), attachments: row.int(14), text: row.text(15)), revision: Int64(row.int(16)))
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

  private static func pattern(_ text: String) -> String { "%" + escaped(text.lowercased()) + "%" }

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

  private static func message(_ connection: Connection, _ mailbox: Int64, _ id: Int64) throws -> MessageRecord? {
    try connection.first(
      """
      SELECT \(columns) FROM message JOIN folder ON folder.id = message.folder
      WHERE message.id = ? AND message.mailbox = ?
      """, id, mailbox
    ) { message($0) }
  }

  /// The message as it was received, behind its Return-Path line. Nil where there is none.
  func raw(_ mailbox: Int64, _ id: Int64) async throws -> [UInt8]? {
    let found = try await database.read { connection in
      try connection.first("SELECT return_path, body FROM message WHERE id = ? AND mailbox = ?", id, mailbox) {
        ($0.optionalText(0), Int64($0.int(1)))
      }
    }
    guard let (path, body) = found, let content = try await content(of: body) else { return nil }
    return Array(Self.returnPath(path).utf8) + content
  }

  static func returnPath(_ sender: String?) -> String { sender.map { "Return-Path: <\($0)>\r\n" } ?? "" }

  /// The octets of a body, from its row or its file.
  func content(of body: Int64, atMost limit: Int = .max) async throws -> [UInt8]? {
    let found = try await database.read { connection in
      try connection.first("SELECT content, file, size FROM body WHERE id = ?", body) {
        ($0.optionalBytes(0), $0.optionalText(1), $0.int(2))
      }
    }
    guard let (content, file, size) = found else { return nil }
    guard let file else { return content ?? [] }
    let files = files
    return try await pool.run { try files.read(file, size: min(size, limit)) }
  }

  /// The messages of a POP3 session, in the order of arrival.
  func inbox(_ mailbox: Int64) async throws -> [(id: Int64, size: Int, receivedAt: Int64)] {
    try await database.read { connection in
      try connection.all(
        """
        SELECT message.id, size, received_at FROM message JOIN folder ON folder.id = message.folder
        WHERE folder.mailbox = ? AND folder.name = 'INBOX' ORDER BY uid
        """, mailbox
      ) { (id: Int64($0.int(0)), size: $0.int(1), receivedAt: Int64($0.int(2))) }
    }
  }

  /// Changes flags, folder or both; what is nil stays.
  func update(
    _ mailbox: Int64, _ id: Int64, flags: MessageFlags?, folder: String?, ifRevision: Int64?
  ) async throws -> MessageRecord {
    let record = try await write { connection in
      guard let old = try Self.message(connection, mailbox, id) else { throw StoreError.noSuchMessage }
      if let ifRevision, ifRevision != old.revision { throw StoreError.stale }
      let moves = folder.map { $0 != old.folder } ?? false
      if !moves && (flags ?? old.flags) == old.flags { return old }
      if moves, let folder {
        let target = try connection.folderID(mailbox, folder)
        let uid = try connection.takeUID(target)
        try connection.run("UPDATE message SET folder = ?, uid = ? WHERE id = ?", target, uid, id)
      }
      try connection.run(
        "UPDATE message SET flags = ?, revision = revision + 1 WHERE id = ?", (flags ?? old.flags).rawValue, id)
      return try Self.message(connection, mailbox, id) ?? old
    }
    feed.publish([.changed(mailbox: mailbox, message: id)])
    return record
  }

  func delete(_ mailbox: Int64, _ id: Int64, ifRevision: Int64?) async throws {
    let files = try await write(.removal) { connection in
      guard let old = try Self.message(connection, mailbox, id) else { throw StoreError.noSuchMessage }
      if let ifRevision, ifRevision != old.revision { throw StoreError.stale }
      return try connection.dropMessages([id])
    }
    feed.publish([.deleted(mailbox: mailbox, message: id)])
    await removeFiles(files)
  }

  /// Deletes, at once, what of these is still in the folder: a POP3 session knows the INBOX as it was when it opened
  /// (RFC 1939 §5), and a letter that was moved out of it meanwhile is no longer its to delete.
  func delete(_ mailbox: Int64, all ids: [Int64], in folder: String) async throws {
    let (gone, files) = try await write(.removal) { connection in
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

  /// Puts a message into a folder without delivering it: a draft.
  func append(_ mailbox: Int64, folder: String, content: [UInt8], flags: MessageFlags) async throws -> Int64 {
    let arrival = try await prepare(content)
    let id = try await settle(arrival) { connection in
      let body = try connection.insertBody(arrival)
      return try connection.insertMessage(
        arrival, body: body, mailbox: mailbox, folder: try connection.folderID(mailbox, folder), flags: flags,
        returnPath: nil, recipients: [])
    }
    feed.publish([.delivered(mailbox: mailbox, message: id)])
    return id
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
