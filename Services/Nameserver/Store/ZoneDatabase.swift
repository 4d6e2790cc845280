import DNSWire
import SQL

/// A zone with what the store knows of it.
struct StoredZone: Sendable {
  var zone: Zone
  /// Grows with each change; the zone's ETag.
  var revision: Int64
}

/// The zones in SQLite: a row a zone, a row an RRset, with its records and comments as text.
struct ZoneDatabase: Sendable {
  let database: Database

  init(path: String) throws {
    database = try Database(
      path: path,
      migrations: [
        Migration(
          1,
          """
          CREATE TABLE zone (
            name TEXT PRIMARY KEY, kind TEXT NOT NULL, account TEXT NOT NULL, soa_edit_api TEXT NOT NULL,
            revision INTEGER NOT NULL
          ) WITHOUT ROWID;
          CREATE TABLE record (
            zone TEXT NOT NULL REFERENCES zone (name) ON DELETE CASCADE, owner TEXT NOT NULL, type INTEGER NOT NULL,
            position INTEGER NOT NULL, name TEXT NOT NULL, ttl INTEGER NOT NULL, disabled INTEGER NOT NULL,
            content TEXT NOT NULL, PRIMARY KEY (zone, owner, type, position)
          ) WITHOUT ROWID;
          CREATE TABLE comment (
            zone TEXT NOT NULL REFERENCES zone (name) ON DELETE CASCADE, owner TEXT NOT NULL, type INTEGER NOT NULL,
            position INTEGER NOT NULL, content TEXT NOT NULL, account TEXT NOT NULL, modified_at INTEGER NOT NULL,
            PRIMARY KEY (zone, owner, type, position)
          ) WITHOUT ROWID;
          """)
      ])
  }

  /// Names are keys in lower case; `record.name` keeps the case.
  private static func key(_ name: Name) -> String { name.lowercased.description }

  /// All zones, for the start. Blocks.
  func load() throws -> [StoredZone] {
    try database.readAndWait { connection in
      var zones: [String: StoredZone] = [:]
      let heads = try connection.all("SELECT name, kind, account, soa_edit_api, revision FROM zone") { row in
        (row.text(0), row.text(1), row.text(2), row.text(3), Int64(row.int(4)))
      }
      for (key, kind, account, policy, revision) in heads {
        guard let name = Name(key) else { continue }
        var zone = Zone(name: name, kind: kind)
        zone.account = account
        zone.soaEditAPI = policy
        zones[key] = StoredZone(zone: zone, revision: revision)
      }
      let records = try connection.all(
        "SELECT zone, name, type, ttl, disabled, content FROM record ORDER BY zone, owner, type, position"
      ) { row in
        (row.text(0), row.text(1), row.int(2), row.int(3), row.bool(4), row.text(5))
      }
      for (zone, text, number, ttl, isDisabled, content) in records {
        let type = RecordType(rawValue: UInt16(clamping: number))
        guard let name = Name(text) else { continue }
        let record = RRset.Record(data: try RData(type: type, text: content), isDisabled: isDisabled)
        let key = RRsetKey(name: name, type: type)
        let empty = RRset(name: name, type: type, ttl: UInt32(clamping: ttl), records: [])
        zones[zone]?.zone.rrsets[key, default: empty].records.append(record)
      }
      let comments = try connection.all(
        "SELECT zone, owner, type, content, account, modified_at FROM comment ORDER BY zone, owner, type, position"
      ) { row in
        (row.text(0), row.text(1), row.int(2), row.text(3), row.text(4), Int64(row.int(5)))
      }
      for (zone, owner, type, content, account, modifiedAt) in comments {
        guard let name = Name(owner) else { continue }
        let key = RRsetKey(name: name, type: RecordType(rawValue: UInt16(clamping: type)))
        zones[zone]?.zone.rrsets[key]?.comments.append(
          RRset.Comment(content: content, account: account, modifiedAt: modifiedAt))
      }
      return zones.values.sorted { $0.zone.name < $1.zone.name }
    }
  }

  /// Makes the zone what `new` says. Of a zone that was there only what differs is written.
  func save(_ new: StoredZone, replacing old: StoredZone?) async throws {
    try await database.write { connection in
      let zone = ZoneDatabase.key(new.zone.name)
      try connection.run(
        """
        INSERT INTO zone (name, kind, account, soa_edit_api, revision) VALUES (?, ?, ?, ?, ?)
        ON CONFLICT (name) DO UPDATE SET kind = excluded.kind, account = excluded.account,
          soa_edit_api = excluded.soa_edit_api, revision = excluded.revision
        """, zone, new.zone.kind, new.zone.account, new.zone.soaEditAPI, new.revision)
      let before = old?.zone.rrsets ?? [:]
      for key in before.keys where new.zone.rrsets[key] == nil { try ZoneDatabase.remove(key, zone, connection) }
      for (key, set) in new.zone.rrsets where before[key]?.isWritten(as: set) != true {
        if before[key] != nil { try ZoneDatabase.remove(key, zone, connection) }
        try ZoneDatabase.insert(set, zone, connection)
      }
    }
  }

  func delete(_ name: Name) async throws {
    try await database.write(.removal) { connection in
      try connection.run("DELETE FROM zone WHERE name = ?", ZoneDatabase.key(name))
    }
  }

  func deleteAll() async throws {
    try await database.write(.removal) { connection in try connection.run("DELETE FROM zone") }
  }

  private static func remove(_ key: RRsetKey, _ zone: String, _ connection: Connection) throws {
    for table in ["record", "comment"] {
      try connection.run(
        "DELETE FROM \(table) WHERE zone = ? AND owner = ? AND type = ?", zone, self.key(key.name), key.type.rawValue)
    }
  }

  private static func insert(_ set: RRset, _ zone: String, _ connection: Connection) throws {
    let owner = key(set.name)
    for (position, record) in set.records.enumerated() {
      try connection.run(
        """
        INSERT INTO record (zone, owner, type, position, name, ttl, disabled, content) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
        """, zone, owner, set.type.rawValue, position, set.name.description, set.ttl, record.isDisabled,
        record.data.text)
    }
    for (position, comment) in set.comments.enumerated() {
      try connection.run(
        "INSERT INTO comment (zone, owner, type, position, content, account, modified_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
        zone, owner, set.type.rawValue, position, comment.content, comment.account, comment.modifiedAt)
    }
  }
}
