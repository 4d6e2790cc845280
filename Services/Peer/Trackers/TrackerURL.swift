import Octets

/// Where a tracker is asked: `http://`, `https://` (BEP 3) or `udp://` (BEP 15).
struct TrackerURL: Hashable, Sendable {
  enum Scheme: String, Sendable {
    case http, https, udp

    /// UDP trackers have none.
    var defaultPort: UInt16? {
      switch self {
      case .http: 80
      case .https: 443
      case .udp: nil
      }
    }
  }

  /// Octets of a URL, at most.
  static let limit = 2048

  let scheme: Scheme
  /// In lower-case ASCII; an address without brackets.
  let host: String
  let port: UInt16
  /// Begins with a slash, or is empty.
  let path: String
  /// Without its question mark; nil where there is none.
  let query: String?

  /// The address, where the host is one and not a name.
  var literal: IPAddress? { IPAddress(host) }

  /// - Throws: what a person has to change.
  init(_ text: some StringProtocol) throws(TrackerURLError) {
    guard text.utf8.count <= Self.limit else {
      throw TrackerURLError("a tracker's URL has at most \(Self.limit) octets")
    }
    guard !text.utf8.contains(where: { $0 <= 0x20 || $0 == 0x7F }) else {
      throw TrackerURLError("a tracker's URL has no spaces and no control characters")
    }
    guard let colon = text.utf8.firstIndex(of: 0x3A), text[colon...].hasPrefix("://"),
      let scheme = Scheme(rawValue: text[..<colon].lowercased())
    else { throw TrackerURLError("a tracker's URL begins with http://, https:// or udp://") }
    self.scheme = scheme
    let rest = text[text.utf8.index(colon, offsetBy: 3)...].prefix { $0 != "#" }
    let authority = rest.prefix { $0 != "/" && $0 != "?" }
    let place = rest[authority.endIndex...]
    guard place.utf8.allSatisfy({ $0 < 0x80 }) else {
      throw TrackerURLError(
        "in a tracker's URL only the host may have letters beyond ASCII; all else is percent-encoded")
    }
    path = String(place.prefix { $0 != "?" })
    query = place.firstIndex(of: "?").map { String(place[place.index(after: $0)...]) }
    (host, port) = try Self.hostAndPort(authority, scheme)
  }

  private static func hostAndPort(
    _ authority: some StringProtocol, _ scheme: Scheme
  ) throws(TrackerURLError) -> (String, UInt16) {
    guard !authority.contains("@") else { throw TrackerURLError("a tracker's URL has no name of a user") }
    let isBracketed = authority.hasPrefix("[")
    let end = isBracketed ? authority.firstIndex(of: "]") : authority.lastIndex(of: ":") ?? authority.endIndex
    guard let end else { throw TrackerURLError("the bracket before the tracker's address is not closed") }
    let host = try isBracketed ? v6(authority[..<end].dropFirst()) : name(authority[..<end])
    let rest = authority[end...].dropFirst(isBracketed ? 1 : 0)
    if rest.isEmpty || rest == ":" {
      guard let port = scheme.defaultPort else { throw TrackerURLError("a tracker's udp:// URL needs a port") }
      return (host, port)
    }
    guard rest.hasPrefix(":"), let port = Array(rest.utf8.dropFirst()).parsedDecimal(as: UInt16.self), port > 0 else {
      throw TrackerURLError("a tracker's port is 1 to 65535")
    }
    return (host, port)
  }

  private static func v6(_ text: some StringProtocol) throws(TrackerURLError) -> String {
    guard let address = IPAddress(text), !address.isV4 else {
      throw TrackerURLError("what stands in brackets in a tracker's URL is an IPv6 address")
    }
    return "\(address)"
  }

  private static func name(_ text: some StringProtocol) throws(TrackerURLError) -> String {
    if let address = IPAddress(text), address.isV4 { return "\(address)" }
    guard let host = HostName.ascii(text.hasSuffix(".") ? String(text.dropLast()) : String(text)) else {
      throw TrackerURLError("a tracker's URL has a host after ://")
    }
    // The C library reads 127.1 and 0x7f000001 as addresses, which nobody else does.
    guard let last = host.split(separator: ".").last, !last.hasPrefix("0x"), !last.utf8.allSatisfy(\.isASCIIDigit)
    else {
      throw TrackerURLError("an IPv4 address in a tracker's URL has four decimal numbers")
    }
    return host
  }
}

/// Why a text is no tracker's URL, in words.
struct TrackerURLError: Error, Equatable, CustomStringConvertible {
  let description: String

  init(_ description: String) { self.description = description }
}

extension TrackerURL: CustomStringConvertible {
  var description: String { "\(origin)\(path)\(query.map { "?\($0)" } ?? "")" }

  private var origin: String {
    "\(scheme.rawValue)://\(host.contains(":") ? "[\(host)]" : host)\(port == scheme.defaultPort ? "" : ":\(port)")"
  }

  /// The URL of an HTTP announce: a query that the tracker's own URL has, such as a passkey, stays in front.
  func announce(_ query: String) -> String { joined(path, query) }

  /// The URL of an HTTP scrape; nil where the tracker has none: what is behind the last slash has to begin with "announce" (BEP 48).
  func scrape(_ query: String) -> String? {
    guard let slash = path.lastIndex(of: "/"), self.query?.contains("/") != true else { return nil }
    let start = path.index(after: slash)
    guard path[start...].hasPrefix("announce") else { return nil }
    return joined("\(path[..<start])scrape\(path[start...].dropFirst("announce".count))", query)
  }

  private func joined(_ path: String, _ added: String) -> String {
    let queries = [query ?? "", added].filter { !$0.isEmpty }.joined(separator: "&")
    return "\(origin)\(path.isEmpty ? "/" : path)\(queries.isEmpty ? "" : "?\(queries)")"
  }

  /// Path and query as a UDP tracker is told them (BEP 41); empty where the URL has neither.
  var urlData: [UInt8] {
    let place = path == "/" ? "" : path
    guard let query, !query.isEmpty else { return Array(place.utf8) }
    return Array("\(path.isEmpty ? "/" : path)?\(query)".utf8)
  }
}
