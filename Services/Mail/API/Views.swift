import ServiceKit

struct DomainView: Encodable {
  var name: String
  var createdAt: WorldTime
  var mailboxes: Int

  init(_ record: DomainRecord) {
    name = record.name
    createdAt = WorldTime(seconds: record.createdAt)
    mailboxes = record.mailboxes
  }
}

struct MailboxView: Encodable {
  var address: String
  var createdAt: WorldTime

  init(_ record: MailboxRecord) {
    address = record.address
    createdAt = WorldTime(seconds: record.createdAt)
  }
}

struct FolderView: Encodable {
  var name: String
  var total: Int
  var unread: Int
  var uidValidity: Int64
  var uidNext: Int64

  init(_ record: FolderRecord) {
    name = record.name
    total = record.total
    unread = record.unread
    uidValidity = record.uidValidity
    uidNext = record.uidNext
  }
}

struct SentView: Encodable {
  /// The copy in Sent, or the draft.
  var id: Int64
  var messageId: String?
  var queued: Int64?
  var delivered: Int
}

struct RecipientView: Encodable {
  var address: String
  var state: String
  var attempts: Int
  var nextAttempt: WorldTime?
  var reply: String?
  var host: String?

  init(_ record: RecipientRecord) {
    address = record.address
    state = record.state.rawValue
    attempts = record.attempts
    nextAttempt = record.nextAttempt.map { WorldTime(seconds: $0) }
    reply = record.reply
    host = record.host
  }
}

struct AttemptView: Encodable {
  var at: WorldTime
  var host: String
  var address: String
  var outcome: String
  var recipients: [String]
  var dialogue: [String]

  init(_ record: AttemptRecord) {
    at = WorldTime(seconds: record.at)
    host = record.host
    address = record.address
    outcome = record.outcome
    recipients = record.recipients
    dialogue = record.dialogue
  }
}

struct LetterView: Encodable {
  var id: Int64
  var sender: String
  var subject: String
  var createdAt: WorldTime
  var expiresAt: WorldTime
  var size: Int
  var state: String
  /// All of them; a list shows the first only.
  var recipientCount: Int
  var recipients: [RecipientView]
  /// Only where one letter is shown.
  var attempts: [AttemptView]?

  init(_ record: LetterRecord, _ attempts: [AttemptRecord]? = nil) {
    id = record.id
    sender = record.sender
    subject = record.subject
    createdAt = WorldTime(seconds: record.createdAt)
    expiresAt = WorldTime(seconds: record.expiresAt)
    size = record.size
    state = record.state.rawValue
    recipientCount = record.recipientCount
    recipients = record.recipients.map(RecipientView.init)
    self.attempts = attempts.map { $0.map(AttemptView.init) }
  }
}
