import DNSWire
import Octets

/// ResourceRecord sets and negative answers by name and type, bounded in bytes.
///
/// Less credible data never replaces what is more credible and still alive (RFC 2181 §5.4.1). Times are world seconds.
struct RecordCache {
  /// What the cache can say to a question.
  enum Finding {
    case records(CacheEntry)
    /// A CNAME of the name.
    case alias(CacheEntry)
    /// A DNAME above the name.
    case redirection(CacheEntry)
    case noData(CacheEntry)
    case noSuchName(CacheEntry)
    case failure
  }

  /// No TTL counts for longer, so that a slip in a zone heals within a day.
  static let longestTTL: UInt32 = 86_400
  /// RFC 2308 §5 finds one to three hours sensible.
  static let longestNegativeTTL: UInt32 = 10_800
  /// RFC 9520 §3.2 wants at least a second.
  static let failureTTL: Int64 = 2

  private var store: BoundedStore<CacheKey, CacheEntry>

  init(limit: Int) {
    store = BoundedStore(limit: limit)
  }

  var bytes: Int { store.bytes }
  var count: Int { store.count }
  var limit: Int { store.limit }

  private mutating func live(_ name: Name, _ type: UInt16, _ now: Int64) -> CacheEntry? {
    let key = CacheKey(name: name, type: type)
    guard let entry = store.use(key) else { return nil }
    if entry.isLive(at: now) { return entry }
    store.remove(key)
    return nil
  }

  /// What is known of the question, looking at the name itself before what is above it.
  mutating func find(_ name: Name, _ type: RecordType, now: Int64) -> Finding? {
    if let entry = live(name, type.rawValue, now), entry.credibility >= .answer {
      switch entry.kind {
      case .records: return .records(entry)
      case .noData: return .noData(entry)
      case .noSuchName: return .noSuchName(entry)
      case .failure: return .failure
      }
    }
    if type != .cname, type != .any, let entry = live(name, RecordType.cname.rawValue, now), entry.kind == .records,
      entry.credibility >= .answer
    {
      return .alias(entry)
    }
    var ancestor: Name? = name
    while let at = ancestor {
      if let entry = live(at, 0, now) { return .noSuchName(entry) }
      if at != name, let entry = live(at, RecordType.dname.rawValue, now), entry.kind == .records,
        entry.credibility >= .answer
      {
        return .redirection(entry)
      }
      ancestor = at.parent
    }
    return nil
  }

  /// The name servers of exactly this zone, credible or not.
  mutating func nameServers(of zone: Name, now: Int64) -> CacheEntry? {
    guard let entry = live(zone, RecordType.ns.rawValue, now), entry.kind == .records else { return nil }
    return entry
  }

  /// The addresses known for a name server, credible or not.
  mutating func addresses(of name: Name, now: Int64) -> [IPAddress] {
    [RecordType.a, .aaaa].flatMap { type in
      (live(name, type.rawValue, now).map { $0.kind == .records ? $0.records : [] } ?? []).compactMap(\.address)
    }
  }

  /// Keeps one record set: records of one name, type and TTL, as `Message.settled` makes them.
  /// - Parameter replaces: also what is more credible.
  /// - Returns: seconds that the set is good for, which may be fewer than its TTL.
  @discardableResult
  mutating func insert(
    _ records: [ResourceRecord], _ credibility: Credibility, now: Int64, replaces: Bool = false
  ) -> UInt32 {
    guard let first = records.first else { return 0 }
    if replaces { store.remove(CacheKey(name: first.name, type: first.type.rawValue)) }
    let expires = insert(
      CacheEntry(
        kind: .records, credibility: credibility, records: records, stored: now, expires: now + Int64(first.ttl)),
      first.name, first.type.rawValue, now: now)
    return UInt32(clamping: expires - now)
  }

  /// Keeps that a name, or a type of it, doesn't exist, for the settled TTL of its SOA. Without one it isn't kept (RFC 2308 §5).
  mutating func insertNegative(
    _ kind: CacheEntry.Kind, _ name: Name, _ type: RecordType, soa: ResourceRecord?, _ credibility: Credibility,
    now: Int64
  ) {
    guard let soa else { return }
    insert(
      CacheEntry(
        kind: kind, credibility: credibility, records: [soa], stored: now, expires: now + Int64(soa.ttl)),
      name, kind == .noSuchName ? 0 : type.rawValue, now: now)
  }

  /// Keeps for a moment that the question could not be answered.
  mutating func insertFailure(_ name: Name, _ type: RecordType, now: Int64) {
    let entry = CacheEntry(
      kind: .failure, credibility: .answer, records: [], stored: now, expires: now + Self.failureTTL)
    if live(name, type.rawValue, now) == nil { insert(entry, name, type.rawValue, now: now) }
  }

  /// - Returns: until when the entry is good, kept or not.
  @discardableResult
  private mutating func insert(_ entry: CacheEntry, _ name: Name, _ type: UInt16, now: Int64) -> Int64 {
    var entry = entry
    let key = CacheKey(name: name, type: type)
    if let old = live(name, type, now), old.kind != .failure {
      if old.credibility > entry.credibility { return entry.expires }
      // A child must not keep itself alive after its parent let it go: name servers never outlive the first delegation.
      if type == RecordType.ns.rawValue, old.kind == .records { entry.expires = min(entry.expires, old.expires) }
    }
    guard entry.expires > now else {
      store.remove(key)
      return entry.expires
    }
    // What exists ends an older word that it doesn't.
    if entry.kind == .records, entry.credibility >= .answer { store.remove(CacheKey(name: name, type: 0)) }
    let size = name.memory + entry.records.reduce(0) { $0 + $1.memory }
    store.insert(key, entry, bytes: size)
    return entry.expires
  }

  mutating func removeAll() {
    store.removeAll()
  }

  /// Forgets the name and all below it.
  mutating func remove(_ name: Name) {
    store.removeAll { key, _ in key.name.isAtOrBelow(name) }
  }

  /// Visits live entries from a position on.
  func visit(from start: Int, now: Int64, _ body: (CacheKey, CacheEntry, _ bytes: Int) -> Bool) -> Int? {
    store.visit(from: start) { key, entry, bytes in
      entry.isLive(at: now) ? body(key, entry, bytes) : true
    }
  }
}
