public import HTTPServer
import HTTPWire

extension Request {
  /// Refuses query parameters that would be passed over in silence: a misspelt filter or limit is a mistake to be told.
  /// - Parameter known: the parameters that the operation has.
  /// - Throws: 400 naming one that it doesn't have, or that is there twice.
  public func requireQuery(of known: String...) throws { try requireQuery(of: known) }

  /// The same, of a list.
  public func requireQuery(of known: [String]) throws {
    var seen: Set<String> = []
    for (name, _) in head.queryItems {
      guard known.contains(name) else {
        let list = known.isEmpty ? "none" : known.joined(separator: ", ")
        throw Problem(400, "There is no such query parameter here; there is \(list).", field: name)
      }
      guard seen.insert(name).inserted else { throw Problem(400, "\(name) is there twice.", field: name) }
    }
  }
}
