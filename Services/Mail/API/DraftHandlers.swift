import EventLoop
import HTTPServer
import HTTPWire
import MailWire
import ServiceKit

/// A draft of `/v1/mailboxes/{address}/messages/{id}`: written anew, and sent.
extension MailAPI {
  func replaceDraft(_ request: Request) async throws -> Response {
    let mailbox = try await access.mailbox(request)
    let id = try request.id()
    let (isDraft, letter, room) = try await composed(request, mailbox, isDraft: true)
    defer { withExtendedLifetime(room) {} }
    guard isDraft != false else { throw MailAPI.staysDraft }
    let kept = try await asking {
      try await store.replaceDraft(
        mailbox.id, id, content: letter.content, recipients: letter.recipients.map(\.description),
        demand: request.demand())
    }
    return try .encode(MessageItem(kept)).tagged(kept.tag)
  }

  func sendDraft(_ request: Request) async throws -> Response {
    let mailbox = try await access.mailbox(request)
    guard let owner = MailAddress(mailbox.address) else { throw Problem(409, "This mailbox can't send.") }
    let id = try request.id()
    let (draft, reader) = try await opened(mailbox.id, id)
    let demand: Demand<MessageRecord>? = request.demand()
    let room = try takeRoom(for: reader.size)
    defer { withExtendedLifetime(room) {} }
    let accepted = try await asking("to") {
      try demand?(draft)
      guard draft.isUnsent else { throw StoreError.noDraft }
      let whole = try await reader.whole()
      let time = store.now()
      let (content, isUTF8, recipients) = try await work(on: whole.count) {
        let named = draft.recipients.isEmpty ? MailAPI.named(in: whole) : draft.recipients
        return (MailAPI.redated(whole, time), SevenBit.hasUTF8Header(whole), named)
      }
      guard !recipients.isEmpty else { throw StoreError.invalid("it names nobody") }
      let needsUTF8 = isUTF8 || recipients.contains { MailAddress($0)?.needsUTF8 == true }
      do {
        return try await store.accept(
          Letter(
            sender: owner.description, recipients: recipients, content: marked(content, request.trace),
            eightBit: needsUTF8, utf8: needsUTF8, draft: draft))
      } catch StoreError.stale where demand == nil {
        throw Problem(409, "It was changed while it was being sent; read it again.")
      }
    }
    let sent = SentView(
      id: id, messageId: draft.summary.messageID, queued: accepted.queued, delivered: accepted.delivered.count)
    return try .encode(sent)
  }

  static let staysDraft = Problem.invalid(field: "draft", "stays true; POST …/send sends it")

  /// Whom the letter itself names, each once: drafts of before version 3 of the tables stand there without their envelope.
  private static func named(in letter: [UInt8]) -> [String] {
    let message = ParsedMessage(letter)
    var known: Set<MailAddress> = []
    return (message.to + message.cc).compactMap(\.address).filter { known.insert($0).inserted }.map(\.description)
  }

  /// A letter is dated when its author says that it is done (RFC 5322 §3.6.1).
  private static func redated(_ letter: [UInt8], _ time: Int64) -> [UInt8] {
    guard let date = HeaderBlock(letter).fields.first(where: { $0.isNamed("Date") }) else { return letter }
    var letter = letter
    letter.replaceSubrange(date.range, with: Array("Date: \(MailDate.format(time))\r\n".utf8))
    return letter
  }
}
