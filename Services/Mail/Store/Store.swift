import EventLoop
import MailWire
import SQL

/// Everything that lasts: domains, mailboxes, letters in and letters out. The one place where SQL is written.
///
/// What an asynchronous function here returns from is durable. Its functions throw `StoreError`, or `SQLError` where the
/// database itself failed.
final class Store: Sendable {
  /// How passwords are kept; the hashing blocks nobody.
  struct Passwords: Sendable {
    var hash: @Sendable (_ password: String) async throws -> String
    /// - Throws: where it can't be told now, the pool being full.
    var verify: @Sendable (_ password: String, _ secret: String) async throws -> Bool
  }

  /// What RCPT has to know at once, kept in memory.
  struct Directory: Sendable {
    var domains: Set<String> = []
    /// The addresses in lower case.
    var mailboxes: Set<String> = []
  }

  /// In catch mode every letter is one message of this mailbox's INBOX.
  static let catchMailbox: Int64 = 1
  /// The folders every mailbox has.
  static let folders = ["INBOX", "Sent", "Drafts", "Trash"]
  let settings: MailSettings
  let feed = ChangeFeed()
  let database: Database
  let files: BodyFiles
  let pool: BlockingPool
  let passwords: Passwords
  let now: @Sendable () -> Int64
  let directory = Lock(Directory())
  /// Files without a name that a backup still needs.
  let removals = Lock(Removals())
  /// The last thing that was to be kept did not fit on the disk.
  private let isFull = Lock(false)

  /// Opens or makes the store in a directory that is already locked for this process. Blocks.
  /// - Parameter now: the world clock, seconds since 1970.
  init(
    directory path: String, settings: MailSettings, pool: BlockingPool, passwords: Passwords,
    now: @escaping @Sendable () -> Int64
  ) throws {
    self.settings = settings
    self.pool = pool
    self.passwords = passwords
    self.now = now
    files = try BodyFiles(directory: "\(path)/bodies")
    database = try Database(path: "\(path)/mail.sqlite", migrations: Schema.migrations)
    let time = now()
    let domains = settings.domains
    try database.writeAndWait { connection in
      try connection.rekeyMailboxes()
      for domain in domains {
        try connection.run(
          "INSERT INTO domain (name, created_at) VALUES (?, ?) ON CONFLICT (name) DO NOTHING", domain, time)
      }
    }
    let named = try database.readAndWait { connection in
      try connection.all("SELECT file FROM body WHERE file IS NOT NULL") { $0.text(0) }
    }
    files.sweep(keeping: Set(named))
    try loadDirectory()
  }

  private func loadDirectory() throws {
    let loaded = try database.readAndWait { connection in
      Directory(
        domains: Set(try connection.all("SELECT name FROM domain") { $0.text(0) }),
        mailboxes: Set(try connection.all("SELECT key FROM mailbox WHERE id > ?", Store.catchMailbox) { $0.text(0) }))
    }
    directory.withLock { $0 = loaded }
  }

  /// Empties everything but the domains of the settings (lab only), and begins a new epoch: whoever still holds something of the
  /// old one finds nothing of it here, though its numbers come again.
  /// - Parameter time: seconds since 1970, as it will be after the reset.
  func reset(at time: Int64) async throws {
    let domains = settings.domains
    let (removed, epoch) = try await write(.removal) { connection in
      // Only what was named goes: a letter that is on its way in has a file already and no name yet.
      let files = try connection.all("SELECT file FROM body WHERE file IS NOT NULL") { $0.text(0) }
      for table in ["message", "attempt", "recipient", "letter", "body", "domain"] {
        try connection.run("DELETE FROM \(table)")
      }
      try connection.run("DELETE FROM folder WHERE mailbox <> ?", Store.catchMailbox)
      try connection.run("DELETE FROM mailbox WHERE id <> ?", Store.catchMailbox)
      // Numbers begin anew, so that every run has the same; but UIDVALIDITY goes on, or a client would take what it remembers
      // of a folder for what is there now (RFC 3501 §2.3.1.1). So do the mailboxes' numbers, which nobody sees: a request or
      // session that has opened one finds it gone, and not somebody else's.
      try connection.run("DELETE FROM sqlite_sequence WHERE name NOT IN ('folder', 'mailbox')")
      try connection.run("UPDATE ledger SET epoch = epoch + 1")
      for domain in domains {
        try connection.run("INSERT INTO domain (name, created_at) VALUES (?, ?)", domain, time)
      }
      return (files, try connection.epoch())
    } learn: { directory, _ in
      directory = Directory(domains: Set(domains))
    }
    feed.publish([.reset(epoch: epoch)])
    await removeFiles(removed)
  }

  /// A durable write; a full disk is told as `StoreError.full`.
  func write<Value: Sendable>(_ body: @escaping @Sendable (Connection) throws -> Value) async throws -> Value {
    try await write(.addition, body)
  }

  /// The same with its purpose: a removal goes on where the disk is full.
  /// - Parameter learn: tells the directory. It is called in the order of the commits, so that what is remembered last is what
  ///   was written last, whoever of two hears of it first.
  func write<Value: Sendable>(
    _ purpose: Purpose, _ body: @escaping @Sendable (Connection) throws -> Value,
    learn: @escaping @Sendable (inout Directory, Value) -> Void = { _, _ in }
  ) async throws -> Value {
    do {
      let value = try await withCheckedThrowingContinuation { continuation in
        database.write(purpose, body) { [self] outcome in
          if case .success(let value) = outcome { directory.withLock { learn(&$0, value) } }
          continuation.resume(with: outcome)
        }
      }
      if purpose == .addition { noteRoom(true) }
      return value
    } catch let error as SQLError where error.kind == .full {
      noteRoom(false)
      throw StoreError.full
    }
  }

  func noteRoom(_ isThere: Bool) { isFull.withLock { $0 = !isThere } }

  /// Whether work can go on. A small write may still fit where a letter did not, so after a letter that did not fit there has
  /// to be room for one again.
  /// - Throws: `StoreError.full`, or what is wrong with the database.
  func check() async throws {
    try await database.probe()
    guard isFull.withLock({ $0 }) else { return }
    let (files, name) = (files, BodyFiles.newName())
    do {
      try await pool.run {
        try files.write([UInt8](repeating: 0x20, count: BodyFiles.rowLimit), as: name)
        files.remove(name)
      }
    } catch {
      throw StoreError.full
    }
    noteRoom(true)
  }

  // MARK: Where an address leads

  /// An address as this host understands it: a bare user name belongs to the default domain.
  func complete(_ text: String) -> MailAddress? {
    text.contains("@") ? MailAddress(text).map(complete) : MailAddress(local: text, domain: settings.defaultDomain)
  }

  /// With the default domain where it has none. The postmaster of this very host, from whom its reports come, is that of the
  /// default domain (RFC 5321 §4.5.1).
  func complete(_ address: MailAddress) -> MailAddress {
    guard address.domain.isEmpty || isHostsPostmaster(address) else { return address }
    return MailAddress(local: address.local, domain: settings.defaultDomain) ?? address
  }

  private func isHostsPostmaster(_ address: MailAddress) -> Bool {
    guard address.isPostmaster else { return false }
    let domain = address.foldedDomain
    return domain == MailAddress.domainKey(settings.hostname) && !directory.withLock { $0.domains.contains(domain) }
  }

  /// Whether the address's domain is served here.
  func isLocal(_ address: MailAddress) -> Bool {
    let domain = complete(address).foldedDomain
    return directory.withLock { $0.domains.contains(domain) }
  }

  /// What RCPT is told. `trusted` clients may send anywhere.
  func verdict(on address: MailAddress, trusted: Bool) -> RecipientVerdict {
    if settings.catchMode != nil { return .accepted }
    let address = complete(address)
    let key = address.folded
    return directory.withLock { directory in
      guard directory.domains.contains(address.foldedDomain) else { return trusted ? .accepted : .relayingDenied }
      // Every domain has a postmaster (RFC 5321 §4.5.1); the mailbox is made when the first letter comes.
      return directory.mailboxes.contains(key) || address.isPostmaster ? .accepted : .unknownUser
    }
  }
}

extension Connection {
  /// Which reset the numbers of this moment belong to.
  func epoch() throws -> Int64 { Int64(try integer("SELECT epoch FROM ledger")) }

  /// - Throws: `StoreError.reset` where numbers read in this epoch mean nothing any more.
  func demand(epoch: Int64) throws {
    guard try self.epoch() == epoch else { throw StoreError.reset }
  }
}
