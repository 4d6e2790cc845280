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
    let (isDraft, letter, room) = try await composed(request, mailbox)
    defer { withExtendedLifetime(room) {} }
    let sent = try await asking("to") {
      isDraft == true ? try await keep(letter, mailbox) : try await send(letter, mailbox, trace: request.trace)
    }
    return try .created(sent, at: "\(MailAPI.url(mailbox))/messages/\(sent.id)")
  }

  /// The letter that a request writes, and the room that it takes.
  /// - Parameter isDraft: it is one unless it says otherwise.
  func composed(
    _ request: Request, _ mailbox: MailboxRecord, isDraft: Bool = false
  ) async throws -> (isDraft: Bool?, letter: Draft.Composed, room: RoomLease) {
    guard let owner = MailAddress(mailbox.address) else { throw Problem(409, "This mailbox can't send.") }
    let greatest = store.settings.limits.smtp.size
    try request.requireJSON()
    let (body, room) = try await arrived(request)
    let time = store.now()
    let (says, letter): (Bool?, Draft.Composed)
    do {
      let seed = store.settings.chance.next()
      (says, letter) = try await work(on: body.count) {
        var draft = try JSON.decode(
          Checked<Draft>.self, from: body, values: Draft.valueLimit, isSnakeCase: false
        ).body
        if isDraft { draft.draft = draft.draft ?? true }
        var generator = SeededGenerator(seed: seed)
        return (draft.draft, try draft.composed(by: owner, at: time, using: &generator))
      }
    } catch let error as Draft.Invalid {
      throw Problem.invalid(field: error.field, error.reason)
    }
    guard letter.content.count <= greatest else {
      throw Problem(413, "The letter would have \(letter.content.count) octets; \(greatest) are allowed.")
    }
    return (says, letter, room)
  }

  /// A letter's body as it comes, and the room it takes: no more than what has come.
  private func arrived(_ request: Request) async throws -> (body: [UInt8], room: RoomLease) {
    // In base 64, and some text.
    let limit = store.settings.limits.smtp.size / 3 * 4 + 1 << 20
    let end = request.loop.now + store.settings.limits.letterTime
    let room = room.lease()
    var body: [UInt8] = []
    while let portion = try await request.body.next() {
      guard body.count + portion.count <= limit else {
        throw Problem(413, "The body is larger than the \(limit) octets that are taken here.")
      }
      guard request.loop.now < end else { throw Problem(408, "The letter took too long to come in.") }
      try hold(body.count + portion.count, room)
      body += portion
    }
    return (body, room)
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
