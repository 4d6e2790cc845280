import ServiceKit

/// A domain whose mailboxes live here.
struct DomainRecord: Sendable, Equatable {
  var name: String
  /// Seconds since 1970, world clock, as every time in this file.
  var createdAt: Int64
  /// How many mailboxes it has.
  var mailboxes: Int
}

/// One person's mail.
struct MailboxRecord: Sendable, Equatable {
  var id: Int64
  /// As it was created: `Bob@hamburger.edu`. The domain is lower-case, the local part keeps its case.
  var address: String
  /// The order of lists, and what letters find it by.
  var key: String
  var createdAt: Int64
  /// Grows with each change of the mailbox itself (its password), for ETag.
  var revision: Int64
}

/// A record that has a state of its own, for ETag. A tag never comes back with another state: most ids and revisions begin anew
/// with each reset, and the epoch says which reset they belong to.
protocol Tagged: Sendable {
  /// What stands between the quotes of the ETag.
  var tag: String { get }
}

extension MailboxRecord: Tagged {
  /// A mailbox's number is never used again, over resets neither; its address is, when it is made anew.
  var tag: String { "\(id)-\(revision)" }
}

/// A condition on a record, asked in the transaction that changes it; throws `StoreError.stale` where it does not hold.
typealias Demand<Record> = @Sendable (Record) throws -> Void

/// A folder of a mailbox.
struct FolderRecord: Sendable, Equatable {
  var id: Int64
  var mailbox: Int64
  var name: String
  /// Differs for each folder that ever had this name (RFC 3501 §2.3.1.1).
  var uidValidity: Int64
  /// The UID the next message gets; it only grows.
  var uidNext: Int64
  var total: Int
  var unread: Int
}

extension FolderRecord: Tagged {
  /// A folder's number is never used again, over resets neither, and what is shown of it is these.
  var tag: String { "\(id)-\(uidNext)-\(total)-\(unread)" }
}

/// What a person did with a message.
struct MessageFlags: OptionSet, Sendable, Hashable {
  let rawValue: Int64

  static let seen = MessageFlags(rawValue: 1)
  static let answered = MessageFlags(rawValue: 2)
  static let flagged = MessageFlags(rawValue: 4)
  static let draft = MessageFlags(rawValue: 8)
}

/// What a list shows of a message and a search looks at, taken from it once, when it arrives.
struct Summary: Sendable, Equatable {
  var from = ""
  var to = ""
  var subject = ""
  /// The Date field, in seconds since 1970; nil where it is missing or not a date.
  var date: Int64?
  var messageID = ""
  var attachments = 0
  /// The beginning of the text, decoded. Of a stored message, as much as a preview needs.
  var text = ""
}

/// A message in a folder.
struct MessageRecord: Sendable, Equatable {
  /// Stays the same when the message moves; never used again before a reset.
  var id: Int64
  var mailbox: Int64
  var folder: String
  /// Unique in the folder, growing, never used again.
  var uid: Int64
  var flags: MessageFlags
  /// Octets of the raw message, the Return-Path line included.
  var size: Int
  var receivedAt: Int64
  /// The envelope's sender; empty is the null path `<>`. Of what was put here, the owner of the mailbox.
  var sender: String
  /// The envelope's recipients.
  var recipients: [String]
  var summary: Summary
  /// Grows with each change of flags, folder or a draft's content, for ETag.
  var revision: Int64
  var epoch: Int64 = 1
  /// Its content: another number, another content.
  var body: Int64 = 0
  /// It came in by mail and was not put here.
  var isDelivered = true
}

extension MessageRecord: Tagged {
  var tag: String { "\(epoch)-\(revision)" }
  /// The tag of its octets, and of what is taken out of them.
  var contentTag: String { "\(epoch)-content-\(body)" }
}

/// What a list of messages is narrowed to; everything given has to match.
struct Search: Sendable, Equatable {
  var from: [String] = []
  /// Looked for in the To field and in the envelope.
  var to: [String] = []
  /// The whole address of a recipient in the envelope, or `@` and its domain; case doesn't matter.
  var recipient: String?
  var subject: [String] = []
  /// Looked for in sender, recipients, subject and text.
  var words: [String] = []
  var unread: Bool?
  /// Received before this time.
  var before: Int64?
  /// Received at this time or later.
  var after: Int64?
  /// Only messages with a greater id.
  var afterID: Int64?
}

/// A letter with its envelope, on its way in: from SMTP, from REST, or a report made here.
struct Letter: Sendable {
  /// Empty is the null path `<>`.
  var sender: String
  var recipients: [String]
  /// Lines that end in CRLF, not dot-stuffed, without Return-Path.
  var content: [UInt8]
  /// It has octets above 127 (BODY=8BITMIME).
  var eightBit = false
  /// Its headers or addresses are internationalised (SMTPUTF8).
  var utf8 = false
  /// Keep a copy in this folder too, marked as seen.
  var copy: (mailbox: Int64, folder: String)?
  /// The draft that it was, as it was read: it becomes the copy, in Sent.
  var draft: MessageRecord?
}

/// Where an accepted letter went.
struct Accepted: Sendable, Equatable {
  /// Its number in the queue, if some recipients are elsewhere.
  var queued: Int64?
  /// Its message numbers in the mailboxes here.
  var delivered: [Int64] = []
  /// The number of the copy that was asked for, or of what was the draft.
  var copy: Int64?
}

/// How far a letter, or one recipient of it, has come.
enum QueueState: String, Sendable {
  case waiting, delivered, failed
}

/// A letter in the queue. A finished one stays listed for a while with its dialogues; its body is let go.
struct LetterRecord: Sendable, Equatable {
  var id: Int64
  var sender: String
  var createdAt: Int64
  /// When it is given up.
  var expiresAt: Int64
  /// Octets.
  var size: Int
  var state: QueueState
  var subject: String
  /// Grows with each change of the letter or a recipient of it, for ETag.
  var revision: Int64
  var epoch: Int64
  var recipientCount: Int
  /// In a list of letters, the first `MailLimits.listedRecipients`.
  var recipients: [RecipientRecord]
}

extension LetterRecord: Tagged {
  var tag: String { "\(epoch)-\(revision)" }
}

/// One recipient of a letter in the queue.
struct RecipientRecord: Sendable, Equatable {
  var address: String
  var state: QueueState
  var attempts: Int
  var nextAttempt: Int64?
  /// The last answer, or why none came.
  var reply: String?
  /// The host that gave it.
  var host: String?
}

/// One try to hand a letter on.
struct AttemptRecord: Sendable, Equatable {
  var id: Int64
  var at: Int64
  var host: String
  /// Address and port, or empty where it never came to a connection.
  var address: String
  /// One line: what became of it.
  var outcome: String
  var recipients: [String]
  /// Lines that begin with `C: ` (this side), `S: ` (the other) or `* ` (a remark).
  var dialogue: [String]
}

/// Why the store could not do what was asked.
enum StoreError: Error, Equatable {
  case noSuchDomain, domainInUse, exists
  case noSuchMailbox, noSuchFolder, folderProtected, noSuchMessage, noSuchLetter
  /// The record changed since the caller read it (If-Match).
  case stale
  /// The disk is full: nothing was kept.
  case full
  /// It would hold more than `MailLimits` allow a mailbox.
  case mailboxFull(String)
  /// More would wait than `MailLimits` allow the queue.
  case queueFull
  case tooManyFolders(Int)
  /// Only a draft can be written anew or sent.
  case noDraft
  /// The store was reset since the caller read of it.
  case reset
  case unknownRecipient(String)
  case invalid(String)
}

/// Something changed; told after it is durable.
enum Change: Sendable, Equatable {
  case delivered(mailbox: Int64, message: Int64)
  case changed(mailbox: Int64, message: Int64)
  case deleted(mailbox: Int64, message: Int64)
  case queue(letter: Int64)
  /// Everything is gone, and numbers begin anew.
  case reset(epoch: Int64)
}

/// What the operator decides about a mail host.
struct MailSettings: Sendable {
  /// The name it greets with.
  var hostname: String
  /// Its first domains; a bare user name belongs to the first.
  var domains: [String]
  /// In catch mode every letter is accepted and the newest so many are kept.
  var catchMode: Int?
  var limits = MailLimits()
  /// Letters carry the trace they belong to, and what is asked on their way is a part of it.
  var isTracing = false
  /// What is made up, such as ids, comes from here.
  var chance = Chance()

  /// Where a bare user name and `postmaster` without domain belong.
  var defaultDomain: String { domains.first ?? hostname }
}
