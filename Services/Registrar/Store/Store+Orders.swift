import SQL
import ServiceKit

/// One attempt at an order: what the zone has to become.
struct Attempt: Sendable {
  let domain: Int
  let name: DomainName
  let kind: OrderKind
  /// Tells an order from the one that overtook it.
  let version: Int
  /// How many came before.
  let earlier: Int
  /// As the database keeps them.
  let servers: String
  /// What the zone may hold already of what we wrote.
  let claimed: Set<RecordSet.Key>
  let change: ZoneChange

  /// Nothing of the domain was ever written to the zone, so what is there is somebody else's.
  var isFirst: Bool { kind == .register && claimed.isEmpty }

  /// An attempt before this one, at this order or at one that it overtook, may have been carried out though we weren't told.
  var mayFollowWrites: Bool { earlier > 0 || version > 1 }
}

extension Store {
  /// What is to be done for the domain now; nil when nothing is, or not yet.
  func nextAttempt(_ name: DomainName, now: WorldTime) async throws -> Attempt? {
    try await database.read { connection in
      let found = try connection.first(
        """
        SELECT d.id, d.name_servers, d.published, o.kind, o.version, o.attempts
        FROM domain d JOIN orders o ON o.domain = d.id WHERE d.name = ? AND o.next_attempt <= ?
        """, name.text, now.seconds
      ) { row in (row.int(0), row.text(1), row.text(2), row.text(3), row.int(4), row.int(5)) }
      guard let (id, servers, published, kindText, version, attempts) = found, let kind = OrderKind(rawValue: kindText)
      else { return nil }
      let wanted = kind.isFinal ? [] : Delegation.recordSets(DelegationText.nameServers(servers), of: name)
      let claimed = DelegationText.keys(published)
      return Attempt(
        domain: id, name: name, kind: kind, version: version, earlier: attempts, servers: servers, claimed: claimed,
        change: ZoneChange(replace: wanted, delete: claimed.subtracting(wanted.map(\.key)).sorted()))
    }
  }

  /// From here on the zone may hold what the attempt writes, and the database knows it, so that whatever comes later takes
  /// it away again.
  func claim(_ attempt: Attempt) async throws {
    let wanted = Set(attempt.change.replace.map(\.key))
    if !wanted.isSubset(of: attempt.claimed) { try await setClaim(attempt, attempt.claimed.union(wanted)) }
  }

  /// The attempt has certainly written nothing.
  func disclaim(_ attempt: Attempt) async throws { try await setClaim(attempt, attempt.claimed) }

  private func setClaim(_ attempt: Attempt, _ keys: Set<RecordSet.Key>) async throws {
    try await database.write { connection in
      try connection.run(
        "UPDATE domain SET published = ? WHERE id = ?", DelegationText.write(keys), attempt.domain)
    }
  }

  /// The zone is as the attempt wanted it.
  /// - Returns: false when another order has overtaken it and has still to be done.
  func finish(_ attempt: Attempt) async throws -> Bool {
    try await database.write(attempt.kind.isFinal ? .removal : .addition) { connection in
      guard try Store.isCurrent(attempt, connection) else { return false }
      if attempt.kind.isFinal {
        try connection.run("DELETE FROM domain WHERE id = ?", attempt.domain)
      } else {
        try connection.run("DELETE FROM orders WHERE domain = ?", attempt.domain)
        try connection.run(
          "UPDATE domain SET published = ?, served = ?, revision = revision + 1 WHERE id = ?",
          DelegationText.write(attempt.change.replace.map(\.key)), attempt.servers, attempt.domain)
      }
      return true
    }
  }

  private static func isCurrent(_ attempt: Attempt, _ connection: Connection) throws -> Bool {
    try connection.exists(
      "SELECT 1 FROM orders WHERE domain = ? AND version = ?", attempt.domain, attempt.version)
  }

  /// The server will not have it. A registration is released, so that the name is free again; after a change the domain is
  /// what it was. Where an earlier attempt may have been carried out unseen, an order remains that undoes it.
  /// - Returns: false when an order has still to be done.
  func refuse(_ attempt: Attempt, _ refusal: Refusal) async throws -> Bool {
    try await database.write { connection in
      guard try Store.isCurrent(attempt, connection) else { return false }
      try Store.remember(refusal, of: attempt, connection)
      switch attempt.kind {
      case .register where attempt.claimed.isEmpty:
        // The key is free, too: the same order may be sent again when its reason is mended.
        try Store.forgetKeys(ofDomain: attempt.domain, connection)
        try connection.run("DELETE FROM domain WHERE id = ?", attempt.domain)
        return true
      case .register:
        try connection.run("UPDATE domain SET revision = revision + 1 WHERE id = ?", attempt.domain)
        try Store.order(.delete, attempt.domain, refusal.at, connection)
        return false
      case .change, .delete, .expire:
        let isRestoring = try connection.exists(
          "SELECT 1 FROM domain WHERE id = ? AND name_servers = served", attempt.domain)
        try connection.run(
          "UPDATE domain SET name_servers = served, revision = revision + 1 WHERE id = ?", attempt.domain)
        guard attempt.mayFollowWrites, !isRestoring else {
          try connection.run("DELETE FROM orders WHERE domain = ?", attempt.domain)
          return true
        }
        try Store.order(.change, attempt.domain, refusal.at, connection)
        return false
      }
    }
  }

  /// The attempt failed; the order stays for later.
  func postpone(_ attempt: Attempt, because reason: String, until next: WorldTime) async throws {
    try await database.write { connection in
      try connection.run(
        """
        UPDATE orders SET attempts = attempts + 1, last_error = ?, next_attempt = ? WHERE domain = ? AND version = ?
        """, reason, next.seconds, attempt.domain, attempt.version)
    }
  }

  /// Orders an end for every domain whose term is over.
  func expire(now: WorldTime) async throws {
    try await database.write { connection in
      let ended = try connection.all(
        """
        SELECT d.id FROM domain d LEFT JOIN orders o ON o.domain = d.id
        WHERE d.expires_at <= ? AND (o.kind IS NULL OR o.kind NOT IN ('delete', 'expire'))
        """, now.seconds
      ) { $0.int(0) }
      for id in ended {
        try connection.run("UPDATE domain SET revision = revision + 1 WHERE id = ?", id)
        try Store.order(.expire, id, now, connection)
      }
    }
  }

  /// Domains whose orders are due, the longest waiting first.
  func due(now: WorldTime, limit: Int) async throws -> [DomainName] {
    try await database.read { connection in
      try connection.all(
        """
        SELECT d.name FROM orders o JOIN domain d ON d.id = o.domain WHERE o.next_attempt <= ?
        ORDER BY o.next_attempt, d.id LIMIT ?
        """, now.seconds, limit
      ) { DomainName($0.text(0)) }
    }
    .compactMap { $0 }
  }

  /// When the next order or end is due; nil when none is to come.
  func nextDue() async throws -> WorldTime? {
    try await database.read { connection in
      try connection.first(
        """
        SELECT min(due) FROM (
          SELECT min(next_attempt) AS due FROM orders
          UNION ALL
          SELECT min(d.expires_at) FROM domain d LEFT JOIN orders o ON o.domain = d.id
          WHERE o.kind IS NULL OR o.kind NOT IN ('delete', 'expire'))
        """
      ) { row in row.optionalInt(0).map { WorldTime(seconds: Int64($0)) } } ?? nil
    }
  }
}
