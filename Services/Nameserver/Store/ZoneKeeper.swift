import DNSWire
import EventLoop
import ServiceKit

/// Why a change of the zones was not made.
enum ZoneFailure: Error, Sendable {
  case noSuchZone(Name)
  case exists(Name)
  /// `If-Match` names another revision (RFC 9110 §13.1.1).
  case stale
}

/// Owns the zones: a change is validated, made durable, then served by every loop, and only then acknowledged.
///
/// Changes of one zone happen one after another, those of different zones together, so that they share a commit. A reset
/// has all zones to itself: beside it a change would add its difference to tables that are empty.
actor ZoneKeeper {
  nonisolated let loop: EventLoop
  nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe loop.asUnownedSerialExecutor() }

  private let database: ZoneDatabase
  private let pool: BlockingPool
  private let loops: [DNSLoop]
  private let clock: WorldClock
  private let hash: NameHash
  private var zones: [Name: StoredZone] = [:]
  private var trees: [Name: ZoneTree] = [:]
  private var version = 0
  private var turns = Turns()

  /// - Parameter hash: that of the loops.
  init(
    on loop: EventLoop, database: ZoneDatabase, pool: BlockingPool, loops: [DNSLoop], clock: WorldClock,
    hash: NameHash
  ) {
    self.loop = loop
    self.database = database
    self.pool = pool
    self.loops = loops
    self.clock = clock
    self.hash = hash
  }

  /// Reads all zones and serves them.
  func start() async throws {
    let (database, hash) = (database, hash)
    let loaded = try await pool.run {
      try database.load().map { (stored: $0, tree: try ZoneCompiler.compile($0.zone, by: hash)) }
    }
    for (stored, tree) in loaded {
      zones[stored.zone.name] = stored
      trees[stored.zone.name] = tree
    }
    await publish()
  }

  // MARK: Reading

  /// In no order.
  func all() -> [StoredZone] { Array(zones.values) }

  func zone(_ name: Name) throws(ZoneFailure) -> StoredZone {
    guard let stored = zones[name] else { throw .noSuchZone(name) }
    return stored
  }

  // MARK: Changing

  /// Adds a zone, its serial as it is.
  func create(_ zone: Zone) async throws -> StoredZone {
    await enter(zone.name)
    defer { turns.leave(zone.name) }
    guard zones[zone.name] == nil else { throw ZoneFailure.exists(zone.name) }
    return try await commit(replacing: nil) { zone }
  }

  /// Changes a zone; its serial advances if its data do.
  /// - Parameters:
  ///   - isExpected: whether the zone is still at the revision that the client knows.
  ///   - edit: runs in the pool.
  @discardableResult
  func change(
    _ name: Name, if isExpected: @Sendable (Int64) -> Bool, _ edit: @escaping @Sendable (inout Zone) throws -> Void
  ) async throws -> StoredZone {
    await enter(name)
    defer { turns.leave(name) }
    let old = try zone(name)
    guard isExpected(old.revision) else { throw ZoneFailure.stale }
    let now = clock.now
    return try await commit(replacing: old) {
      var zone = old.zone
      try edit(&zone)
      if zone.rrsets != old.zone.rrsets, let serial = old.zone.soa?.serial {
        zone.advanceSerial(from: serial, date: ZoneKeeper.date(now), seconds: now.seconds)
      }
      return zone
    }
  }

  func delete(_ name: Name, if isExpected: @Sendable (Int64) -> Bool) async throws {
    await enter(name)
    defer { turns.leave(name) }
    let old = try zone(name)
    guard isExpected(old.revision) else { throw ZoneFailure.stale }
    try await database.delete(name)
    zones[name] = nil
    let tree = trees.removeValue(forKey: name)
    await publish()
    letGo([old], [tree])
  }

  /// Back to no zones at all.
  func reset() async throws {
    await withCheckedContinuation { turns.enterAlone($0) }
    defer { turns.leaveAlone() }
    try await database.deleteAll()
    let (old, gone) = (Array(zones.values), Array(trees.values))
    zones = [:]
    trees = [:]
    await publish()
    letGo(old, gone)
  }

  /// What costs as much as the zone is large is done in the pool: the loop has queries to answer.
  private func commit(
    replacing old: StoredZone?, _ make: @escaping @Sendable () throws -> Zone
  ) async throws -> StoredZone {
    let hash = hash
    let (zone, tree) = try await pool.run {
      let zone = try make()
      return (zone, try ZoneCompiler.compile(zone, by: hash))
    }
    let new = StoredZone(zone: zone, revision: (old?.revision ?? clock.now.milliseconds) + 1)
    try await database.save(new, replacing: old)
    zones[zone.name] = new
    let gone = trees.updateValue(tree, forKey: zone.name)
    await publish()
    letGo([old], [gone])
    return new
  }

  /// What nobody is served any more is taken apart in the pool, since that too takes as long as a zone is large; a while later,
  /// when whoever changed it holds it no more.
  private func letGo(_ zones: [StoredZone?], _ trees: [ZoneTree?]) {
    // The closures hold the box alone, so that the last to hold what is in it is the pool.
    let box = Lock(Optional((zones, trees)))
    loop.after(.seconds(1)) { [pool] in
      _ = pool.submit {
        let dead = box.withLock { content in
          defer { content = nil }
          return content
        }
        withExtendedLifetime(dead) {}
      }
    }
  }

  /// Hands all zones to every loop; returns when each serves them.
  private func publish() async {
    version += 1
    let version = version
    let catalog = ZoneCatalog(Array(trees.values))
    for loop in loops { await loop.serve(catalog, version: version) }
  }

  /// The day as a number, 20261123.
  static func date(_ now: WorldTime) -> UInt32 {
    UInt32(now.rfc3339.prefix(10).filter { $0 != "-" }) ?? 0
  }

  private func enter(_ name: Name) async {
    await withCheckedContinuation { turns.enter(name, $0) }
  }
}
