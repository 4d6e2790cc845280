import SQL

/// Letters that are not sent yet. Their envelope stands with them, so that who is in no field of the header (Bcc) is kept too.
extension Store {
  /// Puts a letter into a folder without delivering it.
  func append(
    _ mailbox: Int64, folder: String, content: [UInt8], recipients: [String] = [], flags: MessageFlags
  ) async throws -> Int64 {
    let arrival = try await prepare(content)
    let limits = settings.limits
    let id = try await settle(arrival) { connection in
      try connection.demandRoom(in: mailbox, for: arrival.size, limits)
      let body = try connection.insertBody(arrival)
      return try connection.insertMessage(
        arrival, body: body, mailbox: mailbox, folder: try connection.folderID(mailbox, folder), flags: flags,
        returnPath: nil, recipients: recipients)
    }
    feed.publish([.delivered(mailbox: mailbox, message: id)])
    return id
  }

  /// Gives a draft another content and envelope; it stays in its folder.
  /// - Throws: `StoreError.noDraft` for anything else.
  func replaceDraft(
    _ mailbox: Int64, _ id: Int64, content: [UInt8], recipients: [String], demand: Demand<MessageRecord>? = nil
  ) async throws -> MessageRecord {
    let arrival = try await prepare(content)
    let limits = settings.limits
    let (record, files) = try await settle(arrival) { connection in
      guard let old = try Self.message(connection, mailbox, id) else { throw StoreError.noSuchMessage }
      try demand?(old)
      guard old.isUnsent else { throw StoreError.noDraft }
      // What makes a mailbox smaller is let in however full it is.
      if arrival.size > old.size {
        try connection.demandRoom(in: mailbox, for: arrival.size - old.size, messages: 0, limits)
      }
      let files = try connection.rewrite(
        old, arrival, body: try connection.insertBody(arrival), folder: old.folder, flags: old.flags,
        recipients: recipients)
      return (try Self.message(connection, mailbox, id) ?? old, files)
    }
    feed.publish([.changed(mailbox: mailbox, message: id)])
    await removeFiles(files)
    return record
  }
}

extension MessageRecord {
  /// Somebody here is still writing it.
  var isUnsent: Bool { flags.contains(.draft) && !isDelivered }
}

extension Connection {
  /// - Throws: `StoreError.mailboxFull` where so many octets and messages more are too much for a mailbox.
  func demandRoom(in mailbox: Int64, for octets: Int, messages: Int = 1, _ limits: MailLimits) throws {
    let held = try first("SELECT messages, octets, address FROM mailbox WHERE id = ?", mailbox) {
      (messages: $0.int(0), octets: $0.int(1), address: $0.text(2))
    }
    guard let held else { throw StoreError.noSuchMailbox }
    if held.messages + messages > limits.mailboxMessages || held.octets + octets > limits.mailboxOctets {
      throw StoreError.mailboxFull(held.address)
    }
  }

  /// The draft is sent: it goes to Sent, with the octets that were sent.
  /// - Throws: `StoreError.stale` where it is not what was read.
  /// - Returns: the files that may go after the commit.
  func fileAsSent(
    _ draft: MessageRecord, _ arrival: Arrival, body: Int64, to recipients: [String]
  ) throws -> [String] {
    guard let now = try Store.message(self, draft.mailbox, draft.id), now.tag == draft.tag else {
      throw StoreError.stale
    }
    return try rewrite(
      now, arrival, body: body, folder: "Sent", flags: now.flags.union(.seen).subtracting(.draft),
      recipients: recipients)
  }

  /// A UID means the same octets for ever (RFC 3501 §2.3.1.1), so what is written anew takes the next one.
  fileprivate func rewrite(
    _ old: MessageRecord, _ arrival: Arrival, body: Int64, folder: String, flags: MessageFlags, recipients: [String]
  ) throws -> [String] {
    let folder = try folderID(old.mailbox, folder)
    let uid = try takeUID(folder)
    let summary = arrival.summary
    try run(
      """
      UPDATE message SET folder = ?, uid = ?, flags = ?, body = ?, size = ?, recipients = ?, received_at = ?, sender = ?,
        receiver = ?, subject = ?, sent_at = ?, message_id = ?, attachments = ?, text = ?, sender_key = ?,
        receiver_key = ?, subject_key = ?, text_key = ?, revision = revision + 1
      WHERE id = ?
      """, folder, uid, flags.rawValue, body, arrival.size, recipients.joined(separator: "\n"), arrival.at,
      summary.from,
      summary.to, summary.subject, summary.date, summary.messageID, summary.attachments,
      summary.text.cut(to: Store.previewLimit), Store.searchKey(summary.from), Store.searchKey(summary.to),
      Store.searchKey(summary.subject), Store.searchKey(summary.text), old.id)
    return try releaseBodies([old.body])
  }
}
