import EventLoop
import HTTPServer
import HTTPWire
import ServiceKit

/// `/v1/events`
extension MailAPI {
  /// An event's data.
  private struct EventView: Encodable {
    var mailbox: String?
    var message: Int64?
    var letter: Int64?
    /// Where it is; nil where its mailbox is gone.
    var url: String?
  }

  func listenToEvents(_ request: Request) async throws -> Response {
    var mailbox: Int64?
    if case .owner(let record) = try await access.caller(request) { mailbox = record.id }
    guard let listener = hub.listen(after: request.header("last-event-id"), mailbox: mailbox) else {
      throw Problem(503, "Too many are listening already.", retryAfter: 5)
    }
    return .events(of: listener, on: request.loop) { [self] in try await rendered($0) }
  }

  private func rendered(_ change: Change) async throws -> (name: String, data: [UInt8]) {
    let name: String
    var view = EventView()
    switch change {
    case .delivered(let mailbox, let message):
      name = "message.delivered"
      view = try await messageView(mailbox, message)
    case .changed(let mailbox, let message):
      name = "message.changed"
      view = try await messageView(mailbox, message)
    case .deleted(let mailbox, let message):
      name = "message.deleted"
      view = try await messageView(mailbox, message)
    case .queue(let letter):
      name = "queue.changed"
      view = EventView(letter: letter, url: "/v1/queue/\(letter)")
    case .reset:
      name = "reset"
    }
    return (name, try JSON.encode(view))
  }

  private func messageView(_ mailbox: Int64, _ message: Int64) async throws -> EventView {
    if mailbox == Store.catchMailbox { return EventView(message: message, url: "/v1/messages/\(message)") }
    guard let record = try await store.mailbox(number: mailbox) else { return EventView(message: message) }
    return EventView(
      mailbox: record.address, message: message, url: "\(MailAPI.url(record))/messages/\(message)")
  }
}
