import HTTPServer
import HTTPWire
import Octets
import ServiceKit

/// `/v1/mailboxes`
extension MailAPI {
  func listMailboxes(_ request: Request) async throws -> Response {
    try access.admin(request)
    let limit = try request.limit()
    let records = try await store.mailboxes(
      domain: try request.text("domain", limit: 253), after: try request.text("cursor", limit: 320), limit: limit + 1)
    return try .encode(Page(records, limit: limit, cursor: \.key, view: MailboxView.init))
  }

  func createMailbox(_ request: Request) async throws -> Response {
    try access.admin(request)
    let body = try await request.checked(NewMailbox.self)
    try MailAPI.check(password: body.password)
    let mailbox = try await asking("address") {
      try await store.createMailbox(body.address, password: body.password)
    }
    return try .created(MailboxView(mailbox), at: MailAPI.url(mailbox)).tagged(mailbox.tag)
  }

  func getMailbox(_ request: Request) async throws -> Response {
    let mailbox = try await access.mailbox(request)
    return try request.unlessHeld(mailbox.tag) { try .encode(MailboxView(mailbox)) }
  }

  func updateMailbox(_ request: Request) async throws -> Response {
    let mailbox = try await access.mailbox(request)
    let body = try await request.checked(MailboxChange.self)
    try MailAPI.check(password: body.password)
    let changed = try await asking("password") {
      try await store.setPassword(mailbox.address, password: body.password, demand: request.demand())
    }
    return try .encode(MailboxView(changed)).tagged(changed.tag)
  }

  func deleteMailbox(_ request: Request) async throws -> Response {
    try access.admin(request)
    try await asking { try await store.deleteMailbox(request.parameter("address"), demand: request.demand()) }
    return .empty()
  }

  /// Where a mailbox is.
  static func url(_ mailbox: MailboxRecord) -> String { "/v1/mailboxes/\(PercentEncoding.encode(mailbox.address))" }

  private static func check(password: String) throws(Problem) {
    guard 1...200 ~= password.unicodeScalars.count else {
      throw Problem.invalid(field: "password", "has 1 to 200 characters")
    }
  }
}
