import EventLoop
public import HTTPServer
import HTTPWire
import Octets

/// Who may call: the administrator's token, and which names and origins the API answers to.
public struct Access: Sendable {
  private let current: Lock<AdminToken>
  /// Names besides loopback and the address of the connection.
  private let hosts: [String]

  init(token: AdminToken, hosts: [String]) {
    current = Lock(token)
    self.hosts = hosts
  }

  /// The administrator's token as it is now: ask each time, since it may be changed.
  public var token: AdminToken { current.withLock { $0 } }

  /// Reads the token's file again. Blocks.
  /// - Throws: `AdminToken.Failure`, and the token stays what it was.
  func reload() throws {
    let new = try token.reloaded()
    current.withLock { $0 = new }
  }

  /// What a request shows of its sender.
  public enum Credentials: Sendable, Equatable {
    case none
    case bearer([UInt8])
    case basic(user: String, password: [UInt8])
  }

  /// Reads Authorization (RFC 6750 §2.1, RFC 7617), and PowerDNS's `X-API-Key` as a bearer.
  public static func credentials(_ request: Request) -> Credentials {
    if let key = request.header("x-api-key") { return .bearer(Array(key.utf8)) }
    guard let value = request.header("authorization"), let space = value.firstIndex(of: " ") else { return .none }
    let rest = value[value.index(after: space)...].drop { $0 == " " }
    switch value[..<space].lowercased() {
    case "bearer": return .bearer(Array(rest.utf8))
    case "basic":
      guard let pair = Base64.decode(Array(rest.utf8)), let colon = pair.firstIndex(of: 0x3A) else { return .none }
      return .basic(user: String(decoding: pair[..<colon], as: UTF8.self), password: Array(pair[(colon + 1)...]))
    default: return .none
    }
  }

  public func isAdmin(_ request: Request) -> Bool {
    if case .bearer(let candidate) = Self.credentials(request) { token.matches(candidate) } else { false }
  }

  /// - Throws: `Unauthorized` unless the request bears the administrator's token.
  public func requireAdmin(_ request: Request) throws {
    switch Self.credentials(request) {
    case .none: throw Unauthorized()
    case .basic:
      throw Unauthorized(
        "This needs the administrator's token, not a name and a password: Authorization: Bearer TOKEN.")
    case .bearer(let candidate):
      guard token.matches(candidate) else {
        throw Unauthorized("The token is not the administrator's; that one is in the data directory's admin-token.")
      }
    }
  }

  /// Refuses a Host that is not ours and an Origin that is not the Host's: a page on the web that resolves its own name to this
  /// machine (DNS rebinding) must not reach the API with the browser's help.
  func check(_ request: Request) throws -> Response? {
    let head = request.head
    guard head.authority.isEmpty || isOurs(head.host.range, in: head.bytes) else {
      return .problem(
        .forbidden, "This server does not answer to the host \(head.text(head.authority)); see --allow-host.")
    }
    if let origin = request.header("origin"), origin.lowercased() != "http://\(head.text(head.authority).lowercased())"
    {
      return .problem(.forbidden, "Requests from the origin \(origin) are not answered.")
    }
    return nil
  }

  /// Every request passes here: names are compared where they lie.
  private func isOurs(_ host: Range<Int>, in octets: [UInt8]) -> Bool {
    // A literal address can't be rebound.
    if IPAddress(octets.span.extracting(host)) != nil { return true }
    let name = octets[host]
    return name.equalsIgnoringASCIICase("localhost".utf8)
      || hosts.contains { $0 == "*" || name.equalsIgnoringASCIICase($0.utf8) }
  }
}

/// 401, with the schemes that would do.
public struct Unauthorized: ResponseError {
  public var detail: String

  public init(
    _ detail: String =
      "Credentials are missing: Authorization: Bearer TOKEN; the administrator's token is in the data directory's admin-token."
  ) { self.detail = detail }

  public var response: Response {
    Response.problem(.unauthorized, detail).with("www-authenticate", #"Bearer realm="utopia", Basic realm="utopia""#)
  }
}
