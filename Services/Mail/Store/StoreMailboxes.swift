import EventLoop
import MailWire
import Octets
import SQL

/// Domains and mailboxes.
extension Store {
  // MARK: Domains

  func domains() async throws -> [DomainRecord] {
    try await database.read { connection in
      try connection.all(
        """
        SELECT name, created_at, (SELECT COUNT(*) FROM mailbox WHERE mailbox.domain = domain.name)
        FROM domain ORDER BY name
        """
      ) { DomainRecord(name: $0.text(0), createdAt: Int64($0.int(1)), mailboxes: $0.int(2)) }
    }
  }

  func domain(_ name: String) async throws -> DomainRecord? {
    let name = MailAddress.domainKey(name)
    return try await domains().first { $0.name == name }
  }

  func addDomain(_ name: String) async throws -> DomainRecord {
    guard let parsed = MailAddress(local: "postmaster", domain: name), parsed.literal == nil else {
      throw StoreError.invalid("the domain is not a host name")
    }
    let name = parsed.foldedDomain
    let record = DomainRecord(name: name, createdAt: now(), mailboxes: 0)
    try await write(.addition) { connection in
      if try connection.exists("SELECT 1 FROM domain WHERE name = ?", name) { throw StoreError.exists }
      try connection.run("INSERT INTO domain (name, created_at) VALUES (?, ?)", name, record.createdAt)
    } learn: { directory, _ in
      directory.domains.insert(name)
    }
    return record
  }

  /// A domain with mailboxes stays; the postmaster's mailbox that made itself does not count.
  func removeDomain(_ name: String) async throws {
    let name = MailAddress.domainKey(name)
    let automatic = try await write(.removal) { connection in
      guard try connection.exists("SELECT 1 FROM domain WHERE name = ?", name) else { throw StoreError.noSuchDomain }
      if try connection.exists("SELECT 1 FROM mailbox WHERE domain = ? AND secret <> ''", name) {
        throw StoreError.domainInUse
      }
      let automatic = try connection.all("SELECT id FROM mailbox WHERE domain = ?", name) { Int64($0.int(0)) }
      var files: [String] = []
      for mailbox in automatic { files += try connection.dropMailbox(mailbox) }
      try connection.run("DELETE FROM domain WHERE name = ?", name)
      return files
    } learn: { directory, _ in
      directory.domains.remove(name)
      directory.mailboxes.remove("postmaster@\(name)")
    }
    await removeFiles(automatic)
  }

  // MARK: Mailboxes

  private static let columns = "id, address, key, created_at, revision"

  private static func mailbox(_ row: borrowing Row) -> MailboxRecord {
    MailboxRecord(
      id: Int64(row.int(0)), address: row.text(1), key: row.text(2), createdAt: Int64(row.int(3)),
      revision: Int64(row.int(4)))
  }

  /// In the order of their keys.
  /// - Parameter after: a key; the list begins behind it.
  func mailboxes(domain: String?, after: String?, limit: Int) async throws -> [MailboxRecord] {
    let after = after ?? ""
    let domain = domain.map(MailAddress.domainKey)
    return try await database.read { connection in
      try connection.all(
        """
        SELECT \(Self.columns) FROM mailbox WHERE id <> \(Store.catchMailbox) AND key > ? AND (? IS NULL OR domain = ?)
        ORDER BY key LIMIT ?
        """, after, domain, domain, limit
      ) { Self.mailbox($0) }
    }
  }

  func mailbox(_ address: String) async throws -> MailboxRecord? {
    guard let key = complete(address)?.folded else { return nil }
    return try await database.read { connection in
      try connection.first("SELECT \(Self.columns) FROM mailbox WHERE key = ?", key) { Self.mailbox($0) }
    }
  }

  /// The mailbox that is to be changed, as it is in this transaction.
  private static func mailbox(
    _ connection: Connection, _ key: String, _ demand: Demand<MailboxRecord>?
  ) throws -> MailboxRecord {
    let found = try connection.first("SELECT \(columns) FROM mailbox WHERE key = ?", key) { mailbox($0) }
    guard let found, found.id != Store.catchMailbox else { throw StoreError.noSuchMailbox }
    try demand?(found)
    return found
  }

  /// The mailbox with this number.
  func mailbox(number: Int64) async throws -> MailboxRecord? {
    try await database.read { connection in
      try connection.first("SELECT \(Self.columns) FROM mailbox WHERE id = ?", number) { Self.mailbox($0) }
    }
  }

  func createMailbox(_ address: String, password: String) async throws -> MailboxRecord {
    guard let parsed = MailAddress(address) else { throw StoreError.invalid("the address is not user@domain") }
    // A path is decoded before it is taken apart, so such a mailbox could never be named in one.
    guard !parsed.local.utf8.contains(0x2F) else { throw StoreError.invalid("the address has a slash") }
    guard !password.isEmpty else { throw StoreError.invalid("the password is empty") }
    guard isLocal(parsed) else { throw StoreError.noSuchDomain }
    let key = parsed.folded
    if directory.withLock({ $0.mailboxes.contains(key) }) { throw StoreError.exists }
    let secret = try await passwords.hash(password)
    let time = now()
    return try await write(.addition) { connection in
      if try connection.exists("SELECT 1 FROM mailbox WHERE key = ?", key) { throw StoreError.exists }
      guard try connection.exists("SELECT 1 FROM domain WHERE name = ?", parsed.foldedDomain) else {
        throw StoreError.noSuchDomain
      }
      return try connection.makeMailbox(parsed, secret: secret, at: time)
    } learn: { directory, _ in
      directory.mailboxes.insert(key)
    }
  }

  func setPassword(
    _ address: String, password: String, demand: Demand<MailboxRecord>? = nil
  ) async throws -> MailboxRecord {
    guard let key = complete(address)?.folded else { throw StoreError.noSuchMailbox }
    guard !password.isEmpty else { throw StoreError.invalid("the password is empty") }
    let secret = try await passwords.hash(password)
    return try await write { connection in
      var mailbox = try Self.mailbox(connection, key, demand)
      try connection.run("UPDATE mailbox SET secret = ?, revision = revision + 1 WHERE id = ?", secret, mailbox.id)
      mailbox.revision += 1
      return mailbox
    }
  }

  func deleteMailbox(_ address: String, demand: Demand<MailboxRecord>? = nil) async throws {
    guard let key = complete(address)?.folded else { throw StoreError.noSuchMailbox }
    let files = try await write(.removal) { connection in
      try connection.dropMailbox(try Self.mailbox(connection, key, demand).id)
    } learn: { directory, _ in
      directory.mailboxes.remove(key)
    }
    await removeFiles(files)
  }

  /// The mailbox a user name and password open; a bare name belongs to the default domain. Nil where the password is wrong.
  /// - Throws: where the database fails or the pool is full: that says nothing of the password.
  func authenticate(_ user: String, password: String) async throws -> MailboxRecord? {
    guard let key = complete(user)?.folded else { return nil }
    let found = try await database.read { connection in
      try connection.first("SELECT \(Self.columns), secret FROM mailbox WHERE key = ?", key) {
        (Self.mailbox($0), $0.text(5))
      }
    }
    guard let (record, secret) = found, !secret.isEmpty else {
      // As much work as for a name that exists, so that time does not tell which names do.
      _ = try await passwords.hash(password)
      return nil
    }
    return try await passwords.verify(password, secret) ? record : nil
  }
}

extension Connection {
  /// Gives domains and mailboxes from before `MailAddress.folded` was what it is their key. Where two spellings were two mailboxes,
  /// the one that has the key already keeps it, and the other's name gets a mark: each can be told from the other and deleted.
  func rekeyMailboxes() throws {
    for name in try all("SELECT name FROM domain", transform: { $0.text(0) }) {
      let key = MailAddress.domainKey(name)
      guard key != name else { continue }
      if try exists("SELECT 1 FROM domain WHERE name = ?", key) {
        try run("DELETE FROM domain WHERE name = ?", name)
      } else {
        try run("UPDATE domain SET name = ? WHERE name = ?", key, name)
      }
    }
    try composeFolders()
    let mailboxes = try all("SELECT id, key, address FROM mailbox WHERE id <> ?", Store.catchMailbox) {
      (id: Int64($0.int(0)), key: $0.text(1), address: MailAddress($0.text(2)))
    }
    for mailbox in mailboxes {
      guard var address = mailbox.address, !address.folded.utf8.elementsEqual(mailbox.key.utf8) else { continue }
      while try exists("SELECT 1 FROM mailbox WHERE key = ?", address.folded) {
        guard let other = MailAddress(local: address.local + "'", domain: address.domain) else { break }
        address = other
      }
      try run(
        "UPDATE mailbox SET key = ?, address = ?, domain = ? WHERE id = ?", address.folded, Connection.shown(address),
        address.foldedDomain, mailbox.id)
    }
  }

  /// Folders from before names were composed. Where two were one name in two forms, the second gets a mark.
  private func composeFolders() throws {
    let folders = try all("SELECT id, mailbox, name FROM folder") { (Int64($0.int(0)), Int64($0.int(1)), $0.text(2)) }
    for (id, mailbox, name) in folders where !name.composed.utf8.elementsEqual(name.utf8) {
      var wanted = name.composed
      while try exists("SELECT 1 FROM folder WHERE mailbox = ? AND name = ?", mailbox, wanted) { wanted += "'" }
      try run("UPDATE folder SET name = ? WHERE id = ?", wanted, id)
    }
  }

  /// As a mailbox is called: the local part keeps its case.
  private static func shown(_ address: MailAddress) -> String { "\(address.quotedLocal)@\(address.foldedDomain)" }

  func makeMailbox(_ address: MailAddress, secret: String, at time: Int64) throws -> MailboxRecord {
    let text = Connection.shown(address)
    try run(
      "INSERT INTO mailbox (key, address, domain, secret, created_at) VALUES (?, ?, ?, ?, ?)", address.folded, text,
      address.foldedDomain, secret, time)
    let id = Int64(lastInsertID)
    for folder in Store.folders { try run("INSERT INTO folder (mailbox, name) VALUES (?, ?)", id, folder) }
    return MailboxRecord(id: id, address: text, key: address.folded, createdAt: time, revision: 1)
  }

  /// - Returns: the files that may go after the commit.
  func dropMailbox(_ id: Int64) throws -> [String] {
    let bodies = try all("SELECT body FROM message WHERE mailbox = ?", id) { Int64($0.int(0)) }
    try run("DELETE FROM message WHERE mailbox = ?", id)
    try run("DELETE FROM folder WHERE mailbox = ?", id)
    try run("DELETE FROM mailbox WHERE id = ?", id)
    return try releaseBodies(bodies)
  }

  /// Lets go of bodies that nothing names any more.
  /// - Returns: the files that may go after the commit.
  func releaseBodies(_ bodies: [Int64]) throws -> [String] {
    var files: [String] = []
    for body in Set(bodies) {
      let isNamed = try exists(
        "SELECT 1 FROM message WHERE body = ? UNION ALL SELECT 1 FROM letter WHERE body = ?", body, body)
      if isNamed { continue }
      if let file = try first("SELECT file FROM body WHERE id = ?", body, transform: { $0.optionalText(0) }), let file {
        files.append(file)
      }
      try run("DELETE FROM body WHERE id = ?", body)
    }
    return files
  }
}
