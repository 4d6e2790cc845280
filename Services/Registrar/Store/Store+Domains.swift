import SQL
import ServiceKit

extension Store {
  // MARK: Reading

  func domain(_ name: DomainName) async throws -> Domain? {
    try await database.read { try Store.domain(name, $0) }
  }

  /// Names after `after`, in their order, that the asker may see.
  func domains(for principal: Principal, after: String, limit: Int) async throws -> [Domain] {
    let owner: Int? = if case .registrant(let id) = principal { id } else { nil }
    return try await database.read { connection in
      try connection.all(
        "\(Store.columns) WHERE d.name > ? AND (? IS NULL OR d.registrant = ?) ORDER BY d.name LIMIT ?", after, owner,
        owner, limit, transform: Store.domain)
    }
    .compactMap { $0 }
  }

  // MARK: Changing

  /// Takes the order to register a name.
  /// - Throws: `.taken`, `.noSuchRegistrant`, `.keyReused` or `.keySpent`.
  func register(
    _ name: DomainName, for registrant: Int?, servers: [NameServer], until end: WorldTime, by principal: Principal,
    key: RepeatKey?, now: WorldTime
  ) async throws -> Domain {
    try await database.write { connection in
      if let id = try Store.repeated(key, principal, now, connection) { return try Store.repeated(id, connection) }
      if try connection.exists("SELECT 1 FROM domain WHERE name = ?", name.text) { throw StoreError.taken }
      if let registrant, !(try connection.exists("SELECT 1 FROM registrant WHERE id = ?", registrant)) {
        throw StoreError.noSuchRegistrant
      }
      try connection.run(
        """
        INSERT INTO domain (name, registrant, created_at, expires_at, revision, name_servers, published)
        VALUES (?, ?, ?, ?, 1, ?, '')
        """, name.text, registrant, now.seconds, end.seconds, DelegationText.write(servers))
      let id = connection.lastInsertID
      try Store.forgetRefusal(name, connection)
      try Store.order(.register, id, now, connection)
      try Store.remember(key, principal, .domain, id, now, connection)
      return try Store.present(name, connection)
    }
  }

  /// Takes the order to change the name servers.
  /// - Throws: `.noSuchDomain`, `.stale` or `.leaving`.
  func setNameServers(
    _ name: DomainName, _ servers: [NameServer], ifMatch: String?, by principal: Principal, now: WorldTime
  ) async throws -> Domain {
    try await database.write { connection in
      let domain = try Store.touchable(name, ifMatch, principal, now, connection)
      try connection.run(
        "UPDATE domain SET name_servers = ?, revision = revision + 1 WHERE id = ?", DelegationText.write(servers),
        domain.id)
      try Store.forgetRefusal(name, connection)
      // A registration that is still to be done stays one.
      try Store.order(domain.order?.kind ?? .change, domain.id, now, connection)
      return try Store.present(name, connection)
    }
  }

  /// Moves the end of the term. `end` makes the new one of the old one; nil is too late an end.
  /// - Throws: `.noSuchDomain`, `.stale`, `.leaving`, `.termTooLong`, `.keyReused` or `.keySpent`.
  func renew(
    _ name: DomainName, ifMatch: String?, by principal: Principal, key: RepeatKey?, now: WorldTime,
    end: @escaping @Sendable (WorldTime) -> WorldTime?
  ) async throws -> Domain {
    try await database.write { connection in
      if let id = try Store.repeated(key, principal, now, connection) { return try Store.repeated(id, connection) }
      let domain = try Store.touchable(name, ifMatch, principal, now, connection)
      guard let end = end(domain.expiresAt) else { throw StoreError.termTooLong }
      try connection.run(
        "UPDATE domain SET expires_at = ?, revision = revision + 1 WHERE id = ?", end.seconds, domain.id)
      try Store.remember(key, principal, .domain, domain.id, now, connection)
      return try Store.present(name, connection)
    }
  }

  /// Takes the order to give the name back; again is the same as once.
  /// - Throws: `.noSuchDomain` or `.stale`.
  func delete(_ name: DomainName, ifMatch: String?, by principal: Principal, now: WorldTime) async throws {
    try await database.write(.removal) { connection in
      let domain = try Store.owned(name, ifMatch, principal, connection)
      guard domain.order?.kind.isFinal != true else { return }
      try connection.run("UPDATE domain SET revision = revision + 1 WHERE id = ?", domain.id)
      try Store.order(.delete, domain.id, now, connection)
    }
  }

  // MARK: Inside a transaction

  private static func owned(
    _ name: DomainName, _ ifMatch: String?, _ principal: Principal, _ connection: Connection
  ) throws -> Domain {
    guard let domain = try domain(name, connection), principal.owns(domain) else { throw StoreError.noSuchDomain }
    if let ifMatch, !matches(ifMatch, domain.entityTag) { throw StoreError.stale }
    return domain
  }

  private static func touchable(
    _ name: DomainName, _ ifMatch: String?, _ principal: Principal, _ now: WorldTime, _ connection: Connection
  ) throws -> Domain {
    let domain = try owned(name, ifMatch, principal, connection)
    // Its term may be over though nobody has ordered its end yet, as right after a start.
    if domain.order?.kind.isFinal == true || domain.expiresAt.seconds <= now.seconds { throw StoreError.leaving }
    return domain
  }

  /// RFC 9110 §13.1.1: `*` or a list of strong validators.
  private static func matches(_ field: String, _ entityTag: String) -> Bool {
    field.split(separator: ",").contains { part in
      let tag = part.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed()
      return String(tag) == "*" || String(tag) == entityTag
    }
  }

  /// Sets the domain's order; one that is under way learns by the version that it was overtaken.
  static func order(_ kind: OrderKind, _ domain: Int, _ now: WorldTime, _ connection: Connection) throws {
    try connection.run(
      """
      INSERT INTO orders (domain, kind, version, attempts, next_attempt) VALUES (?, ?, 1, 0, ?)
      ON CONFLICT (domain) DO UPDATE SET
        kind = excluded.kind, version = version + 1, attempts = 0, last_error = NULL, next_attempt = excluded.next_attempt
      """, domain, kind.rawValue, now.seconds)
  }

  /// What a repeated order made, as it is now.
  private static func repeated(_ id: Int, _ connection: Connection) throws -> Domain {
    guard let domain = try connection.first("\(columns) WHERE d.id = ?", id, transform: domain) ?? nil else {
      throw StoreError.keySpent
    }
    return domain
  }

  private static func present(_ name: DomainName, _ connection: Connection) throws -> Domain {
    guard let domain = try domain(name, connection) else { throw StoreError.noSuchDomain }
    return domain
  }

  private static let columns = """
    SELECT d.id, d.name, d.registrant, d.created_at, d.expires_at, d.revision, d.name_servers,
      o.kind, o.attempts, o.last_error, o.next_attempt
    FROM domain d LEFT JOIN orders o ON o.domain = d.id
    """

  static func domain(_ name: DomainName, _ connection: Connection) throws -> Domain? {
    try connection.first("\(columns) WHERE d.name = ?", name.text, transform: domain) ?? nil
  }

  private static func domain(_ row: borrowing Row) -> Domain? {
    guard let name = DomainName(row.text(1)) else { return nil }
    let order = OrderKind(rawValue: row.text(7)).map { kind in
      Order(
        kind: kind, attempts: row.int(8), lastError: row.optionalText(9),
        nextAttempt: WorldTime(seconds: Int64(row.int(10))))
    }
    return Domain(
      id: row.int(0), name: name, registrant: row.optionalInt(2), createdAt: WorldTime(seconds: Int64(row.int(3))),
      expiresAt: WorldTime(seconds: Int64(row.int(4))), revision: row.int(5),
      nameServers: DelegationText.nameServers(row.text(6)), order: order)
  }
}
