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
    let name = try request.text("folder", limit: 100)?.composed ?? "INBOX"
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
    do {
      let demand: Demand<MessageRecord>? = request.demand()
      let changed = try await store.update(
        mailbox.id, id, folder: change.folder?.composed, flags: { change.applied(to: $0) }
      ) { message in
        try demand?(message)
        // What was sent or came in can't become a draft, which could be written anew and sent once more; and a draft that were none
        // any more could be neither.
        if change.draft == true, !message.isUnsent { throw StoreError.noDraft }
        if change.draft == false, message.isUnsent { throw MailAPI.staysDraft }
      }
      return try .encode(MessageItem(changed)).tagged(changed.tag)
    } catch let error as StoreError {
      throw Problem.from(error, field: error == .noSuchFolder ? "folder" : "")
    }
  }

  func deleteMessage(_ request: Request) async throws -> Response {
    let mailbox = try await access.mailbox(request)
    let id = try request.id()
    try await asking { try await store.delete(mailbox.id, id, demand: request.demand()) }
    return .empty()
  }

  func getRawMessage(_ request: Request) async throws -> Response {
    try await raw(request, try await access.mailbox(request).id)
  }

  func getAttachment(_ request: Request) async throws -> Response {
    try await attachment(request, try await access.mailbox(request).id)
  }

  // MARK: Shared with catch mode

  func opened(_ mailbox: Int64, _ id: Int64) async throws -> (record: MessageRecord, letter: LetterReader) {
    guard let found = try await store.open(mailbox, id) else { throw Problem.notFound("message \(id)") }
    return found
  }

  /// A message taken apart.
  func show(_ request: Request, _ mailbox: Int64, below url: String) async throws -> Response {
    let id = try request.id()
    let (record, letter) = try await opened(mailbox, id)
    if request.has(EntityTag(record.tag)) { return .notModified(record.tag) }
    let room = try takeRoom(for: letter.size)
    let content = try await letter.whole()
    let body = try await work(on: content.count) {
      try JSON.encode(MessageView(record, content, url: "\(url)/messages/\(id)")) + [0x0A]
    }
    // A large one stays in memory until the client has taken it.
    try hold(body.count, room)
    return Response.read(LetterReader(body), type: "application/json", holding: room).tagged(record.tag)
  }

  /// A message octet by octet.
  func raw(_ request: Request, _ mailbox: Int64) async throws -> Response {
    let id = try request.id()
    let (record, letter) = try await opened(mailbox, id)
    return request.unlessHeld(record.contentTag) {
      .download(letter, type: "message/rfc822", fileName: "\(id).eml")
    }
  }

  /// A decoded attachment.
  func attachment(_ request: Request, _ mailbox: Int64) async throws -> Response {
    let id = try request.id()
    guard let number = Int(digits: request.parameter("number")) else { throw Problem.notFound("such attachment") }
    let (record, letter) = try await opened(mailbox, id)
    let room = try takeRoom(for: letter.size)
    let content = try await letter.whole()
    let found = try await work(on: content.count) { () -> (content: [UInt8], type: String, name: String?)? in
      let message = ParsedMessage(content)
      guard let attachment = message.attachments.first(where: { $0.number == number }) else { return nil }
      return (message.content(of: attachment).octets, attachment.type, attachment.fileName)
    }
    guard let found else { throw Problem.notFound("attachment \(number) of message \(id)") }
    try hold(found.content.count, room)
    return request.unlessHeld("\(record.contentTag)-\(number)") {
      .download(
        LetterReader(found.content), type: found.type, fileName: found.name ?? "\(id)-\(number)", holding: room)
    }
  }

  /// - Throws: 503 where the letters of others take all there is.
  func takeRoom(for octets: Int) throws(Problem) -> RoomLease {
    let lease = room.lease()
    try hold(octets, lease)
    return lease
  }

  /// The same for a lease that there is: from now on it is for so many octets.
  func hold(_ octets: Int, _ lease: RoomLease) throws(Problem) {
    guard lease.hold(octets) else {
      throw Problem(503, "Too many large letters are in memory already.", retryAfter: 1)
    }
  }
}
