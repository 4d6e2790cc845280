import EventLoop
import HTTPServer
import HTTPWire
import MailWire
import Octets
import ServiceKit

/// `/v1/mailboxes/{address}/messages`
extension MailAPI {
  func listMessages(_ request: Request) async throws -> Response {
    let mailbox = try await access.mailbox(request)
    let limit = try request.limit()
    let search = try request.search()
    let cursor = try request.idCursor()
    let name = try request.text("folder", limit: 100) ?? "INBOX"
    let folder = name == "*" ? nil : name
    if let folder, try await !store.folders(mailbox.id).contains(where: { $0.name == folder }) {
      throw Problem.notFound("folder \(folder)")
    }
    let records = try await store.messages(
      mailbox.id, folder: folder, search: search, before: cursor, limit: limit + 1)
    return try .encode(Page(records, limit: limit, cursor: { "\($0.id)" }, view: MessageItem.init))
  }

  func getMessage(_ request: Request) async throws -> Response {
    let mailbox = try await access.mailbox(request)
    return try await show(request, mailbox.id, below: MailAPI.url(mailbox))
  }

  func updateMessage(_ request: Request) async throws -> Response {
    let mailbox = try await access.mailbox(request)
    let change = try await request.checked(MessageChange.self)
    guard !change.isEmpty else { throw Problem.invalid(field: "", "has to change something") }
    let id = try request.id()
    while true {
      let record = try await found(mailbox.id, id)
      let demanded = try request.demandedRevision(record.revision)
      do {
        let changed = try await store.update(
          mailbox.id, id, flags: change.applied(to: record.flags), folder: change.folder,
          ifRevision: demanded ?? record.revision)
        return try .encode(MessageItem(changed)).tagged("\(changed.revision)")
      } catch StoreError.stale where demanded == nil {
        // Somebody else changed other flags in between, and they have to stay.
        continue
      } catch let error as StoreError {
        throw Problem.from(error, field: error == .noSuchFolder ? "folder" : "")
      }
    }
  }

  func deleteMessage(_ request: Request) async throws -> Response {
    let mailbox = try await access.mailbox(request)
    let id = try request.id()
    let record = try await found(mailbox.id, id)
    let demanded = try request.demandedRevision(record.revision)
    try await asking { try await store.delete(mailbox.id, id, ifRevision: demanded) }
    return .empty()
  }

  func getRawMessage(_ request: Request) async throws -> Response {
    try await raw(request, try await access.mailbox(request).id)
  }

  func getAttachment(_ request: Request) async throws -> Response {
    try await attachment(request, try await access.mailbox(request).id)
  }

  // MARK: Shared with catch mode

  func found(_ mailbox: Int64, _ id: Int64) async throws -> MessageRecord {
    guard let record = try await store.message(mailbox, id) else { throw Problem.notFound("message \(id)") }
    return record
  }

  /// A message taken apart.
  func show(_ request: Request, _ mailbox: Int64, below url: String) async throws -> Response {
    let id = try request.id()
    let record = try await found(mailbox, id)
    if request.has(EntityTag("\(record.revision)")) { return .notModified("\(record.revision)") }
    guard let letter = try await store.raw(mailbox, id) else { throw Problem.notFound("message \(id)") }
    // A large letter takes its time, which the loop's other connections have not.
    let body = try await pool.run { try JSON.encode(MessageView(record, letter, url: "\(url)/messages/\(id)")) }
    return Response.json(body).tagged("\(record.revision)")
  }

  /// A message octet by octet; it never changes.
  func raw(_ request: Request, _ mailbox: Int64) async throws -> Response {
    let id = try request.id()
    let tag = "raw-\(id)"
    guard try await store.message(mailbox, id) != nil else { throw Problem.notFound("message \(id)") }
    if request.has(EntityTag(tag)) { return .notModified(tag) }
    guard let letter = try await store.raw(mailbox, id) else { throw Problem.notFound("message \(id)") }
    return Response.download(letter, type: "message/rfc822", fileName: "\(id).eml").tagged(tag)
  }

  /// A decoded attachment.
  func attachment(_ request: Request, _ mailbox: Int64) async throws -> Response {
    let id = try request.id()
    guard let number = Int(digits: request.parameter("number")) else { throw Problem.notFound("such attachment") }
    guard let letter = try await store.raw(mailbox, id) else { throw Problem.notFound("message \(id)") }
    let found = try await pool.run { () -> (content: [UInt8], type: String, name: String?)? in
      let message = ParsedMessage(letter)
      guard let attachment = message.attachments.first(where: { $0.number == number }) else { return nil }
      return (message.content(of: attachment).octets, attachment.type, attachment.fileName)
    }
    guard let found else { throw Problem.notFound("attachment \(number) of message \(id)") }
    let tag = "attachment-\(id)-\(number)"
    if request.has(EntityTag(tag)) { return .notModified(tag) }
    return Response.download(found.content, type: found.type, fileName: found.name ?? "\(id)-\(number)").tagged(tag)
  }
}
