import SQL
import ServiceKit

/// A request's `Idempotency-Key` with what it came with.
struct RepeatKey: Sendable {
  let key: String
  /// Method, path and body, to tell a repeated request from another one with the same key.
  let request: [UInt8]
}

/// Which requests were carried out already. A key is kept in the transaction that does what its request wants.
extension Store {
  /// What a request with a key made or changed. The request's path tells it too, so a key that is found again has the same kind.
  enum Subject: String {
    case domain
    case registrant
  }

  /// How long a repeated request is recognised, in seconds: a day.
  private static let keyLifetime: Int64 = 86_400

  // MARK: Inside a transaction

  /// The id of what the same request made before; nil where it is new or has no key.
  /// - Throws: `.keyReused` where the key came with another request.
  static func repeated(
    _ key: RepeatKey?, _ principal: Principal, _ now: WorldTime, _ connection: Connection
  ) throws -> Int? {
    guard let key else { return nil }
    try connection.run("DELETE FROM repeat_key WHERE created_at <= ?", now.seconds - keyLifetime)
    let found = try connection.first(
      "SELECT request, subject FROM repeat_key WHERE asker = ? AND key = ?", principal.number, key.key
    ) { ($0.bytes(0), $0.int(1)) }
    guard let (request, id) = found else { return nil }
    guard request == key.request else { throw StoreError.keyReused }
    return id
  }

  static func remember(
    _ key: RepeatKey?, _ principal: Principal, _ kind: Subject, _ id: Int, _ now: WorldTime, _ connection: Connection
  ) throws {
    guard let key else { return }
    try connection.run(
      "INSERT INTO repeat_key (asker, key, request, kind, subject, created_at) VALUES (?, ?, ?, ?, ?, ?)",
      principal.number, key.key, key.request, kind.rawValue, id, now.seconds)
  }

  /// The request may be sent again, as if for the first time.
  static func forgetKeys(ofDomain id: Int, _ connection: Connection) throws {
    try connection.run("DELETE FROM repeat_key WHERE kind = ? AND subject = ?", Subject.domain.rawValue, id)
  }
}
