import EventLoop
import HTTPClient
import HTTPServer
import Logging
import Octets
import ServiceKit
import Testing

@testable import Mail

/// A mail host's REST side on a port of its own, with bob in it.
final class APIWorld: Sendable {
  struct Answer: Sendable {
    let status: Int
    let body: String
    let octets: [UInt8]
    let head: ClientResponseHead

    var tag: String { head.header("etag") ?? "" }
  }

  let test: TestStore
  let bob: MailboxRecord
  let loop: EventLoop
  let api: MailAPI
  let address: SocketAddress
  private let server: HTTPServer
  private let client: HTTPClient

  var store: Store { test.store }

  init(
    catchMode: Int? = nil, limits: MailLimits = MailLimits(), failures: Int = 20
  ) async throws {
    loop = try EventLoop.start(name: "api")
    test = try TestStore(catchMode: catchMode, limits: limits)
    bob = try await test.store.createMailbox("bob@hamburger.edu", password: "hungry")
    let log = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    let desk = LoginDesk(
      store: test.store, gate: LoginGate(limits: LoginGate.Limits(failures: failures)), log: log)
    let router = Router()
    api = MailAPI(store: test.store, desk: desk) { request in
      guard Access.credentials(request) == .bearer(Array("admin".utf8)) else { throw Unauthorized() }
    }
    api.register(on: router)
    server = HTTPServer(router: router)
    address = try server.listen(on: SocketAddress(ip: .loopbackV4, port: 0), loops: [loop])
    client = HTTPClient(on: loop)
  }

  /// A request of bob's, or of whoever `credentials` are.
  func ask(
    _ method: String, _ path: String, _ body: String? = nil, as credentials: String = "Basic Ym9iOmh1bmdyeQ==",
    ifMatch: String? = nil, ifNoneMatch: String? = nil
  ) async throws -> Answer {
    var headers: [(name: String, value: String)] = [("Authorization", credentials)]
    if let ifMatch { headers.append(("If-Match", ifMatch)) }
    if let ifNoneMatch { headers.append(("If-None-Match", ifNoneMatch)) }
    if body != nil { headers.append(("Content-Type", "application/json")) }
    let response = try await client.send(
      ClientRequest(method, "http://\(address)\(path)", headers: headers, body: body.map { Array($0.utf8) }))
    return Answer(
      status: response.status, body: String(decoding: response.body, as: UTF8.self), octets: response.body,
      head: response.head)
  }

  static let admin = "Bearer admin"
  static let box = "/v1/mailboxes/bob@hamburger.edu"
  static let messages = "\(box)/messages"
}
