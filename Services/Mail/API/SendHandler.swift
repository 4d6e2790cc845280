import EventLoop
import HTTPServer
import HTTPWire
import MailWire
import Octets
import ServiceKit

/// `POST /v1/mailboxes/{address}/messages`
extension MailAPI {
  func sendMessage(_ request: Request) async throws -> Response {
    let mailbox = try await access.mailbox(request)
    let (draft, letter, room) = try await composed(request, mailbox)
    defer { withExtendedLifetime(room) {} }
    let sent = try await asking("to") {
      draft.draft == true ? try await keep(letter, mailbox) : try await send(letter, mailbox, trace: request.trace)
    }
    return try .created(sent, at: "\(MailAPI.url(mailbox))/messages/\(sent.id)")
  }

  /// The letter that a request writes, and the room that it takes.
  func composed(
    _ request: Request, _ mailbox: MailboxRecord
  ) async throws -> (draft: Draft, letter: Draft.Composed, room: RoomLease) {
    guard let owner = MailAddress(mailbox.address) else { throw Problem(409, "This mailbox can't send.") }
    let greatest = store.settings.limits.smtp.size
    // In base 64, and some text.
    let limit = greatest / 3 * 4 + 1 << 20
    let room = try takeRoom(for: request.head.contentLength(atMost: limit))
    let draft = try await request.checked(Draft.self, limit: limit)
    let time = store.now()
    let letter: Draft.Composed
    do {
      // Base 64 and line lengths of many megabytes take their time.
      let seed = store.settings.chance.next()
      letter = try await pool.run {
        var generator = SeededGenerator(seed: seed)
        return try draft.composed(by: owner, at: time, using: &generator)
      }
    } catch let error as Draft.Invalid {
      throw Problem.invalid(field: error.field, error.reason)
    }
    guard letter.content.count <= greatest else {
      throw Problem(413, "The letter would have \(letter.content.count) octets; \(greatest) are allowed.")
    }
    return (draft, letter, room)
  }

  private func keep(_ letter: Draft.Composed, _ mailbox: MailboxRecord) async throws -> SentView {
    let id = try await store.append(
      mailbox.id, folder: "Drafts", content: letter.content, recipients: letter.recipients.map(\.description),
      flags: [.seen, .draft])
    return SentView(id: id, messageId: letter.messageID, queued: nil, delivered: 0)
  }

  private func send(_ letter: Draft.Composed, _ mailbox: MailboxRecord, trace: TraceContext?) async throws -> SentView {
    let accepted = try await store.accept(
      Letter(
        sender: letter.sender.description, recipients: letter.recipients.map(\.description),
        content: marked(letter.content, trace), eightBit: letter.needsUTF8, utf8: letter.needsUTF8,
        copy: (mailbox: mailbox.id, folder: "Sent")))
    guard let copy = accepted.copy else { throw Problem(500, "The letter was sent without a copy.") }
    return SentView(
      id: copy, messageId: letter.messageID, queued: accepted.queued, delivered: accepted.delivered.count)
  }

  /// While traces are on, a letter says which one it belongs to.
  func marked(_ content: [UInt8], _ trace: TraceContext?) -> [UInt8] {
    store.settings.isTracing ? Array(TraceHeaders.traceparent(after: trace).utf8) + content : content
  }
}

extension RequestHead {
  /// What the content will take; where the client does not say, as much as it may.
  fileprivate func contentLength(atMost limit: Int) -> Int {
    switch framing {
    case .none: 0
    case .length(let octets): min(octets, limit)
    case .chunked: limit
    }
  }
}
