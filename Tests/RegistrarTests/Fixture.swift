import EventLoop
import Glibc
import HTTPClient
import HTTPServer
import Logging
import Octets
import SQL
import ServiceKit
import Testing

@testable import Registrar

/// A registrar in this process, with its API on a port of its own.
final class Fixture: Sendable {
  struct Answer: Sendable {
    let status: Int
    let body: String
    let head: ClientResponseHead

    func value(_ name: String) -> String? {
      guard let start = body.firstRange(of: "\"\(name)\":\"") else { return nil }
      return String(body[start.upperBound...].prefix { $0 != "\"" })
    }
  }

  static let adminToken = "the administrator's"
  let loop: EventLoop
  let clock: WorldClock
  let zone = FakeZone()
  let store: Store
  let publisher: Publisher
  let router = Router()
  let address: SocketAddress
  let path: String
  private let client: HTTPClient
  private let servers: [HTTPServer]

  /// - Parameter pause: what the publisher does when nothing can be written down.
  init(pause: (@Sendable () async -> Void)? = nil) async throws {
    loop = try EventLoop.start(name: "test")
    clock = WorldClock(on: loop)
    client = HTTPClient(on: loop)
    var template = Array("/tmp/registrar-tests-XXXXXX".utf8CString)
    path = unsafe template.withUnsafeMutableBufferPointer { buffer in
      guard let base = buffer.baseAddress, let made = unsafe mkdtemp(base) else { return "/tmp" }
      return unsafe String(cString: made)
    }
    store = try Store(path: path + "/registrar.sqlite")
    let free = SocketAddress(ip: .loopbackV4, port: 0)
    let zoneServer = HTTPServer(router: zone.router())
    let zoneAddress = try zoneServer.listen(on: free, loops: [loop])
    var domains: [DomainName: String] = [:]
    for text in ["com", "net"] { domains[try #require(DomainName(text))] = "http://\(zoneAddress)" }
    let topLevelDomains = TopLevelDomains(domains)
    let zones = ZoneServers(domains: topLevelDomains, client: client) { "zone key" }
    publisher = Publisher(
      store: store, zones: zones, clock: clock, log: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, on: loop,
      pause: pause)
    RegistrarAPI(
      store: store, publisher: publisher, zones: zones, domains: topLevelDomains, clock: clock,
      isAdministrator: { Access.credentials($0) == .bearer(Array(Fixture.adminToken.utf8)) }
    ).addRoutes(to: router)
    let server = HTTPServer(router: router)
    address = try server.listen(on: free, loops: [loop])
    servers = [server, zoneServer]
  }

  deinit {
    for suffix in ["", "-wal", "-shm"] { unsafe unlink(path + "/registrar.sqlite" + suffix) }
    unsafe rmdir(path)
  }

  func ask(
    _ method: String, _ path: String, _ body: String? = nil, as token: String? = Fixture.adminToken,
    _ headers: [(name: String, value: String)] = []
  ) async throws -> Answer {
    var headers = headers
    if let token { headers.append(("Authorization", "Bearer \(token)")) }
    if body != nil { headers.append(("Content-Type", "application/json")) }
    let response = try await client.send(
      ClientRequest(method, "http://\(address)\(path)", headers: headers, body: body.map { Array($0.utf8) }))
    return Answer(status: response.status, body: String(decoding: response.body, as: UTF8.self), head: response.head)
  }

  /// A new registrant's token.
  func registrant(_ name: String) async throws -> String {
    let answer = try await ask("POST", "/v1/registrants", #"{"name":"\#(name)"}"#)
    return try #require(answer.value("token"))
  }

  func register(
    _ name: String, as token: String? = Fixture.adminToken, key: String? = nil, address: String = "127.0.11.1"
  ) async throws -> Answer {
    let body = #"{"name":"\#(name)","years":1,"name_servers":[{"name":"dns1.\#(name)","addresses":["\#(address)"]}]}"#
    return try await ask("POST", "/v1/domains", body, as: token, key.map { [("Idempotency-Key", $0)] } ?? [])
  }
}
