import Octets

/// A host name of letters, digits and hyphens (RFC 1123 §2.1) in lower case, without a final dot.
struct DomainName: Hashable, Comparable, Sendable, CustomStringConvertible {
  let text: String

  /// Accepts any case and one final dot; nil for what is no host name: empty or long labels, hyphens at an end or in the
  /// third and fourth place other than `xn--` (RFC 5891 §4.2.3.1), more than 253 octets, or only digits at the end.
  init?(_ text: some StringProtocol) {
    var octets = text.utf8.map(\.asciiLowercased)
    if octets.last == UInt8(ascii: ".") { octets.removeLast() }
    guard !octets.isEmpty, octets.count <= 253 else { return nil }
    let labels = octets.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    guard labels.allSatisfy(DomainName.isLabel), let last = labels.last, !last.allSatisfy(\.isASCIIDigit) else {
      return nil
    }
    self.text = String(decoding: octets, as: UTF8.self)
  }

  private static func isLabel(_ label: ArraySlice<UInt8>) -> Bool {
    let hyphen = UInt8(ascii: "-")
    guard 1...63 ~= label.count, label.allSatisfy({ $0.isASCIIAlphanumeric || $0 == hyphen }), label.first != hyphen,
      label.last != hyphen
    else { return false }
    let start = Array(label.prefix(4))
    return start.count < 4 || start[2] != hyphen || start[3] != hyphen || start.starts(with: "xn".utf8)
  }

  /// Without its first label; nil for a name of one label.
  var parent: DomainName? {
    text.utf8.firstIndex(of: UInt8(ascii: ".")).flatMap { DomainName(text[text.utf8.index(after: $0)...]) }
  }

  func isAtOrBelow(_ other: DomainName) -> Bool {
    self == other || text.hasSuffix("." + other.text)
  }

  /// With the final dot, as zone files and the zone API want it.
  var absolute: String { text + "." }

  var description: String { text }

  static func < (one: DomainName, other: DomainName) -> Bool { one.text < other.text }
}

/// A rule of the registry that a request does not keep.
struct RuleError: Error, Equatable {
  /// The field at fault, such as `name_servers[0].addresses`.
  let field: String
  /// What is wrong with it and what would be right.
  let reason: String
}

/// The top-level domains and the base URL of the zone API of the server of each.
struct TopLevelDomains: Sendable {
  private let servers: [DomainName: String]

  init(_ servers: [DomainName: String]) { self.servers = servers }

  var names: [DomainName] { servers.keys.sorted() }

  func server(of name: DomainName) -> String? { servers[name] }

  /// The top-level domain that the name stands directly under.
  /// - Throws: `RuleError` for a name that nobody could register here.
  func owner(of name: DomainName) throws(RuleError) -> DomainName {
    if servers[name] != nil {
      throw RuleError(field: "name", reason: "\(name) is a top-level domain; register a name under it")
    }
    if let parent = name.parent, servers[parent] != nil { return parent }
    if let above = servers.keys.filter({ name.isAtOrBelow($0) }).max(by: { $0.text.utf8.count < $1.text.utf8.count }) {
      throw RuleError(field: "name", reason: "names are registered directly under \(above)")
    }
    let known = names.map(\.text).joined(separator: ", ")
    throw RuleError(field: "name", reason: "\(name) is under none of the top-level domains here: \(known)")
  }
}
