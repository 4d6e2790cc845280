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
    guard let owner = MailAddress(mailbox.address) else { throw Problem(409, "This mailbox can't send.") }
    let draft = try await request.checked(Draft.self, limit: store.settings.sizeLimit / 3 * 4 + 1 << 20)
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
    guard letter.content.count <= store.settings.sizeLimit else {
      throw Problem(
        413, "The letter would have \(letter.content.count) octets; \(store.settings.sizeLimit) are allowed.")
    }
    let sent = try await asking("to") {
      draft.draft == true ? try await keep(letter, mailbox) : try await send(letter, mailbox, trace: request.trace)
    }
    return try .created(sent, at: "\(MailAPI.url(mailbox))/messages/\(sent.id)")
  }

  private func keep(_ letter: Draft.Composed, _ mailbox: MailboxRecord) async throws -> SentView {
    let id = try await store.append(mailbox.id, folder: "Drafts", content: letter.content, flags: [.seen, .draft])
    return SentView(id: id, messageId: letter.messageID, queued: nil, delivered: 0)
  }

  private func send(_ letter: Draft.Composed, _ mailbox: MailboxRecord, trace: TraceContext?) async throws -> SentView {
    let mark = store.settings.isTracing ? Array(TraceHeaders.traceparent(after: trace).utf8) : []
    let accepted = try await store.accept(
      Letter(
        sender: letter.sender.description, recipients: letter.recipients.map(\.description),
        content: mark.isEmpty ? letter.content : mark + letter.content,
        eightBit: letter.needsUTF8, utf8: letter.needsUTF8, copy: (mailbox: mailbox.id, folder: "Sent")))
    guard let copy = accepted.copy else { throw Problem(500, "The letter was sent without a copy.") }
    return SentView(
      id: copy, messageId: letter.messageID, queued: accepted.queued, delivered: accepted.delivered.count)
  }
}
