import ServiceKit

/// How long a domain is registered for.
enum Term {
  static let longest = 10

  /// The same day some years later; 28 February for a 29 February that year does not have.
  static func end(of start: WorldTime, years: Int) -> WorldTime? {
    let text = start.rfc3339
    guard let year = Int(text.prefix { $0 != "-" }), year + years <= 9999 else { return nil }
    let rest = text.drop { $0 != "-" }
    return WorldTime(rfc3339: "\(year + years)\(rest)")
      ?? WorldTime(rfc3339: "\(year + years)\(rest.replacing("-02-29", with: "-02-28"))")
  }

  /// - Throws: `RuleError` unless 1 to 10.
  static func check(_ years: Int) throws(RuleError) {
    guard 1...longest ~= years else { throw RuleError(field: "years", reason: "must be 1 to \(longest)") }
  }
}
