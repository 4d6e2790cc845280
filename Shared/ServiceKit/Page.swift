public import HTTPServer
import HTTPWire
import Octets

/// A page of a list as every service answers it: `next` is the `cursor` of the page behind it.
public struct Page<Item: Encodable>: Encodable {
  public var items: [Item]
  public var next: String?

  public init(items: [Item]) { self.items = items }

  /// From one more record than the page holds.
  public init<Record>(_ records: [Record], limit: Int, cursor: (Record) -> String, view: (Record) -> Item) {
    let shown = records.prefix(limit)
    items = shown.map(view)
    next = records.count > limit ? shown.last.map(cursor) : nil
  }
}

extension Request {
  /// The most items of a page, 1 to 1000; 100 unless the client says.
  ///
  /// - Throws: 400.
  public func limit() throws(Problem) -> Int { try limit(upTo: 1000, otherwise: 100) }

  /// The same where a list has its own bounds.
  public func limit(upTo most: Int, otherwise usual: Int) throws(Problem) -> Int {
    guard let text = query("limit") else { return usual }
    guard let limit = Array(text.utf8).parsedDecimal(as: Int.self), 1...most ~= limit else {
      throw Problem(400, "limit is a number from 1 to \(most).", field: "limit")
    }
    return limit
  }

  /// The cursor of a list that is ordered by numbers; nil at its beginning.
  ///
  /// - Throws: 400.
  public func idCursor() throws(Problem) -> Int64? {
    guard let text = query("cursor") else { return nil }
    guard text.utf8.count <= 15, let id = Array(text.utf8).parsedDecimal(as: Int64.self) else {
      throw Problem(400, "cursor is the next of the page before.", field: "cursor")
    }
    return id
  }
}
