import Octets

/// A name server of a domain, with its addresses where the domain itself contains it.
struct NameServer: Hashable, Sendable {
  let name: DomainName
  let addresses: [IPAddress]
}

/// A set of records of one name and type in a top-level domain's zone.
struct RecordSet: Hashable, Sendable {
  /// What names a set.
  struct Key: Hashable, Comparable, Sendable {
    let name: DomainName
    /// "NS", "A" or "AAAA".
    let type: String

    static func < (one: Key, other: Key) -> Bool { (one.name, one.type) < (other.name, other.type) }
  }

  let key: Key
  /// In presentation format.
  let contents: [String]
}

/// What stands in a top-level domain's zone for one domain.
enum Delegation {
  /// As many as fit in a classic 512-octet answer, which is why the root has so many.
  static let nameServerLimit = 13

  /// - Throws: `RuleError` naming the field.
  static func check(_ servers: [NameServer], of domain: DomainName) throws(RuleError) {
    guard 1...nameServerLimit ~= servers.count else {
      throw RuleError(field: "name_servers", reason: "must name 1 to \(nameServerLimit) name servers")
    }
    var seen: Set<DomainName> = []
    for (index, server) in servers.enumerated() {
      guard seen.insert(server.name).inserted else {
        throw RuleError(field: "name_servers[\(index)].name", reason: "\(server.name) is named twice")
      }
      let field = "name_servers[\(index)].addresses"
      if server.name.isAtOrBelow(domain) {
        guard 1...nameServerLimit ~= server.addresses.count else {
          let reason = "must have 1 to \(nameServerLimit) addresses: nobody could find \(server.name) without"
          throw RuleError(field: field, reason: reason)
        }
        guard Set(server.addresses).count == server.addresses.count else {
          throw RuleError(field: field, reason: "must not repeat an address")
        }
        guard !server.addresses.contains(where: \.isUnspecified) else {
          throw RuleError(field: field, reason: "must be addresses of a host")
        }
      } else if !server.addresses.isEmpty {
        // Whoever has the other domain says where its hosts are.
        throw RuleError(field: field, reason: "must be left out: \(server.name) is not within \(domain)")
      }
    }
  }

  /// The NS set, and the glue of name servers within the domain.
  static func recordSets(_ servers: [NameServer], of domain: DomainName) -> [RecordSet] {
    var sets = [
      RecordSet(key: RecordSet.Key(name: domain, type: "NS"), contents: servers.map(\.name.absolute))
    ]
    for server in servers where server.name.isAtOrBelow(domain) {
      for (type, isV4) in [("A", true), ("AAAA", false)] {
        let addresses = server.addresses.filter { $0.isV4 == isV4 }.map { "\($0)" }
        guard !addresses.isEmpty else { continue }
        sets.append(RecordSet(key: RecordSet.Key(name: server.name, type: type), contents: addresses))
      }
    }
    return sets
  }
}

/// How delegations stand in the database: one line each, words apart by a blank.
enum DelegationText {
  static func write(_ servers: [NameServer]) -> String {
    servers.map { server in ([server.name.text] + server.addresses.map { "\($0)" }).joined(separator: " ") }
      .joined(separator: "\n")
  }

  static func nameServers(_ text: String) -> [NameServer] {
    text.split(separator: "\n").compactMap { line in
      let words = line.split(separator: " ")
      guard let name = words.first.flatMap({ DomainName($0) }) else { return nil }
      return NameServer(name: name, addresses: words.dropFirst().compactMap { IPAddress($0) })
    }
  }

  static func write(_ keys: some Sequence<RecordSet.Key>) -> String {
    keys.sorted().map { "\($0.name) \($0.type)" }.joined(separator: "\n")
  }

  static func keys(_ text: String) -> Set<RecordSet.Key> {
    Set(
      text.split(separator: "\n").compactMap { line in
        let words = line.split(separator: " ")
        guard words.count == 2, let name = DomainName(words[0]) else { return nil }
        return RecordSet.Key(name: name, type: String(words[1]))
      })
  }
}
