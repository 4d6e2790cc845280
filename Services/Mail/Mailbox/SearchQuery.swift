import ServiceKit

/// The search language of mailboxes: `from:` `to:` `subject:` `is:unread` `is:read` `before:` `after:` and words, all of
/// which have to match. A value with blanks stands in double quotes: `subject:"pickles and ketchup"`.
enum SearchQuery {
  /// Why a query is refused, for the person who wrote it.
  struct Invalid: Error, Equatable {
    var reason: String
  }

  /// Words of a query that are looked at; more are refused.
  static let termLimit = 20

  static func parse(_ query: String) throws(Invalid) -> Search {
    var search = Search()
    let terms = terms(query)
    guard terms.count <= termLimit else { throw Invalid(reason: "has more than \(termLimit) terms") }
    for (key, value) in terms {
      switch key {
      case "from": search.from.append(value)
      case "to": search.to.append(value)
      case "subject": search.subject.append(value)
      case "is":
        guard value == "unread" || value == "read" else { throw Invalid(reason: "knows is:unread and is:read alone") }
        search.unread = value == "unread"
      case "before", "after":
        guard let time = WorldTime(rfc3339: value)?.seconds else {
          throw Invalid(reason: "needs a date such as \(key):2026-11-23 or \(key):2026-11-23T10:00:00Z")
        }
        if key == "before" {
          search.before = min(time, search.before ?? time)
        } else {
          search.after = max(time, search.after ?? time)
        }
      default: search.words.append(value)
      }
    }
    return search
  }

  /// An address from a query string, where who writes `+` as it is has a blank arrive. An address has blanks in quotes alone, so
  /// elsewhere a blank was a `+`.
  static func address(_ text: String) -> String {
    text.contains("\"") ? text : String(text.map { $0 == " " ? "+" : $0 })
  }

  private static let keys: Set<String> = ["from", "to", "subject", "is", "before", "after"]

  /// Terms in their order. What looks like a key and is none, such as `http:`, is a word; an empty value is no term.
  private static func terms(_ query: String) -> [(key: String, value: String)] {
    var terms: [(key: String, value: String)] = []
    var key = ""
    var value = String.UnicodeScalarView()
    var isQuoted = false
    func end() {
      if !value.isEmpty { terms.append((key, String(value))) }
      key = ""
      value = String.UnicodeScalarView()
    }
    for scalar in query.unicodeScalars {
      switch scalar {
      case "\"": isQuoted.toggle()
      case _ where !isQuoted && scalar.properties.isWhitespace: end()
      case ":" where !isQuoted && key.isEmpty && keys.contains(String(value).lowercased()):
        key = String(value).lowercased()
        value = String.UnicodeScalarView()
      default: value.append(scalar)
      }
    }
    end()
    return terms
  }
}
