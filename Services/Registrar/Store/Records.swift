import ServiceKit

/// Who may register.
struct Registrant: Sendable {
  let id: Int
  let name: String
  let email: String?
  let createdAt: WorldTime
}

/// What is to be done at the top-level domain's server.
enum OrderKind: String, Sendable {
  case register
  case change
  case delete
  case expire

  /// The domain goes when it is done.
  var isFinal: Bool { self == .delete || self == .expire }
}

/// An order under way.
struct Order: Sendable {
  let kind: OrderKind
  let attempts: Int
  let lastError: String?
  let nextAttempt: WorldTime
}

/// A registered domain.
struct Domain: Sendable {
  let id: Int
  let name: DomainName
  /// Nil for the administrator's own.
  let registrant: Int?
  let createdAt: WorldTime
  let expiresAt: WorldTime
  let revision: Int
  let nameServers: [NameServer]
  /// Nil when the top-level domain serves what is here.
  let order: Order?

  /// A strong validator: the identity keeps a name's second life apart from its first.
  var entityTag: String { "\"\(id)-\(revision)\"" }
}

/// Why the store did not do what was asked.
enum StoreError: Error, Equatable {
  case taken
  case noSuchDomain
  case noSuchRegistrant
  /// If-Match names another revision.
  case stale
  /// The domain is being deleted or has expired.
  case leaving
  /// The domain was there when it was ordered, and is no more.
  case vanished
  case hasDomains
  /// The Idempotency-Key was used for another request.
  case keyReused
  /// What the key's request made is gone.
  case keySpent
  /// The term would end later than is allowed.
  case termTooLong
}

/// Who asks: what they may see and touch.
enum Principal: Sendable, Equatable {
  case administrator
  case registrant(Int)

  /// Keys of different askers don't meet.
  var number: Int {
    switch self {
    case .administrator: 0
    case .registrant(let id): id
    }
  }

  func owns(_ domain: Domain) -> Bool {
    switch self {
    case .administrator: true
    case .registrant(let id): domain.registrant == id
    }
  }
}
