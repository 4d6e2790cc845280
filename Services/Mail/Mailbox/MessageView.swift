import MailWire
import ServiceKit

/// One line of a list of messages, as JSON.
struct MessageItem: Encodable {
  var id: Int64
  var folder: String
  /// As people read them, decoded.
  var from: String
  var to: String
  var subject: String
  /// The beginning of the text in one line.
  var preview: String
  /// The letter's own Date.
  var date: WorldTime?
  var receivedAt: WorldTime
  /// Octets.
  var size: Int
  /// How many.
  var attachments: Int
  var seen: Bool
  var answered: Bool
  var flagged: Bool
  var draft: Bool
  var envelope: EnvelopeView

  init(_ record: MessageRecord) {
    id = record.id
    folder = record.folder
    from = record.summary.from
    to = record.summary.to
    subject = record.summary.subject
    let words = record.summary.text.split(whereSeparator: \.isWhitespace).prefix(40).joined(separator: " ")
    preview = words.cut(to: 200)
    date = record.summary.date.flatMap(WorldTime.init(shown:))
    receivedAt = WorldTime(seconds: record.receivedAt)
    size = record.size
    attachments = record.summary.attachments
    seen = record.flags.contains(.seen)
    answered = record.flags.contains(.answered)
    flagged = record.flags.contains(.flagged)
    draft = record.flags.contains(.draft)
    envelope = EnvelopeView(sender: record.sender, recipients: record.recipients)
  }
}

/// What SMTP said, whatever the letter's own header claims.
struct EnvelopeView: Encodable {
  /// Empty is the null path `<>`.
  var sender: String
  var recipients: [String]
}

/// A mailbox in a header field.
struct AddressView: Encodable {
  /// Empty where there is none.
  var name: String
  /// As it stands there, also where it is none.
  var address: String

  init(_ address: NamedAddress) {
    name = address.name
    self.address = address.raw
  }
}

/// A message taken apart, as JSON. What could not be understood is shown as it stands, with the reason in `problems`.
struct MessageView: Encodable {
  struct Field: Encodable {
    var name: String
    var value: String
  }

  struct Attachment: Encodable {
    var number: Int
    var name: String?
    var type: String
    /// Octets when decoded.
    var size: Int
    var contentId: String?
    var isInline: Bool
    /// Where its content is.
    var url: String
  }

  var id: Int64
  var folder: String
  var from: [AddressView]
  var to: [AddressView]
  var cc: [AddressView]
  var replyTo: [AddressView]
  var subject: String
  var date: WorldTime?
  var receivedAt: WorldTime
  var messageId: String?
  var inReplyTo: [String]
  var references: [String]
  var size: Int
  var seen: Bool
  var answered: Bool
  var flagged: Bool
  var draft: Bool
  var envelope: EnvelopeView
  /// All fields in their order, decoded.
  var headers: [Field]
  var text: String?
  var html: String?
  var attachments: [Attachment]
  var problems: [String]

  /// Octets of text that are shown of a part; the rest is in `raw`.
  static let textLimit = 1 << 20
  /// Fields that are shown.
  static let fieldLimit = 500
  /// Octets of a field's name.
  static let nameLimit = 200
  /// Problems that are told, and octets of each.
  static let problemLimit = (count: 100, octets: 300)

  /// - Parameter url: where the message itself is; its attachments are below.
  init(_ record: MessageRecord, _ letter: [UInt8], url: String) {
    let message = ParsedMessage(letter)
    let item = MessageItem(record)
    id = item.id
    folder = item.folder
    receivedAt = item.receivedAt
    size = item.size
    seen = item.seen
    answered = item.answered
    flagged = item.flagged
    draft = item.draft
    envelope = item.envelope
    from = message.from.map(AddressView.init)
    to = message.to.map(AddressView.init)
    cc = message.cc.map(AddressView.init)
    replyTo = message.replyTo.map(AddressView.init)
    subject = message.subject
    date = message.date.flatMap(WorldTime.init(shown:))
    messageId = message.messageID
    inReplyTo = message.inReplyTo
    references = message.references
    var problems = message.problems
    headers = message.header.fields.prefix(MessageView.fieldLimit).map { field in
      let (value, problem) = field.read()
      if let problem { problems.append("\(field.name.cut(to: MessageView.nameLimit)): \(problem)") }
      return Field(name: field.name.cut(to: MessageView.nameLimit), value: value)
    }
    if message.header.fields.count > MessageView.fieldLimit {
      problems.append("only the first \(MessageView.fieldLimit) header fields are shown")
    }
    problems += ["From", "To", "Cc", "Reply-To"].compactMap(message.addressProblem)
    if let field = message.header.first("Date"), message.date == nil {
      problems.append("the date is not to be understood: \(field.text)")
    }
    let text = message.text(limit: MessageView.textLimit)
    let html = message.html(limit: MessageView.textLimit)
    self.text = text?.text
    self.html = html?.text
    problems += (text?.problems ?? []) + (html?.problems ?? [])
    attachments = message.attachments.map { attachment in
      let content = message.content(of: attachment)
      if let problem = content.problem { problems.append("attachment \(attachment.number): \(problem)") }
      return Attachment(
        number: attachment.number, name: attachment.fileName, type: attachment.type, size: content.octets.count,
        contentId: attachment.contentID, isInline: attachment.isInline, url: "\(url)/attachments/\(attachment.number)")
    }
    self.problems = MessageView.told(problems)
  }

  /// Each once, however many there are and whatever the letter itself has put into them.
  private static func told(_ problems: [String]) -> [String] {
    var told: [String] = []
    for problem in problems.map({ $0.cut(to: problemLimit.octets) }) where !told.contains(problem) {
      guard told.count < problemLimit.count else { return told + ["there are more problems than are told"] }
      told.append(problem)
    }
    return told
  }
}

extension WorldTime {
  /// A letter's own date where RFC 3339 can write it: years 0 to 9999.
  init?(shown seconds: Int64) {
    guard -62_167_219_200...253_402_300_799 ~= seconds else { return nil }
    self.init(seconds: seconds)
  }
}
