import SQL
import ServiceKit

/// Why an order failed for good.
struct Refusal: Error {
  enum Cause: String, Sendable {
    /// The name is in use, though not through this registrar.
    case name
    /// The top-level domain's server can't serve what was asked for.
    case data
    /// It does not let this registrar work, or has no such zone.
    case server
  }

  let cause: Cause
  let reason: String
  let at: WorldTime
}

extension Store {
  /// How long a refusal can be read, in seconds: a day.
  private static let refusalLifetime: Int64 = 86_400

  /// Why the last order for the name failed; nil when there is none, when it did not, or when it was somebody else's.
  func refusal(_ name: DomainName, for principal: Principal) async throws -> Refusal? {
    let owner: Int? = if case .registrant(let id) = principal { id } else { nil }
    return try await database.read { connection in
      try connection.first(
        "SELECT cause, reason, created_at FROM refusal WHERE name = ? AND (? IS NULL OR registrant = ?)", name.text,
        owner, owner
      ) { row in
        Refusal.Cause(rawValue: row.text(0)).map {
          Refusal(cause: $0, reason: row.text(1), at: WorldTime(seconds: Int64(row.int(2))))
        }
      } ?? nil
    }
  }

  // MARK: Inside a transaction

  /// A new order makes the last one's fate unimportant.
  static func forgetRefusal(_ name: DomainName, _ connection: Connection) throws {
    try connection.run("DELETE FROM refusal WHERE name = ?", name.text)
  }

  static func remember(_ refusal: Refusal, of attempt: Attempt, _ connection: Connection) throws {
    try connection.run("DELETE FROM refusal WHERE created_at <= ?", refusal.at.seconds - refusalLifetime)
    try connection.run(
      """
      INSERT OR REPLACE INTO refusal (name, registrant, cause, reason, created_at)
      SELECT name, registrant, ?, ?, ? FROM domain WHERE id = ?
      """, refusal.cause.rawValue, refusal.reason, refusal.at.seconds, attempt.domain)
  }
}
