import MailWire

/// What became of one recipient.
struct DeliveryVerdict: Sendable, Equatable {
  enum Kind: Sendable, Equatable {
    case delivered, deferred, refused
  }

  var kind: Kind
  var status: EnhancedStatus
  /// One line, for people and for the report.
  var text: String
  /// What the other side said; nil where this side judged.
  var reply: SMTPReply?
  /// Another host of the domain may be asked at once (RFC 5321 §5.1). Not where the letter may have been taken already.
  var maySearchOn = false
  /// The other side said so, rather than this one.
  var remote: Bool { reply != nil }

  /// Octets of a reply that are kept.
  static let replyLimit = 1000

  /// Judged by a reply; the enhanced status is taken from it or made from its code.
  init(_ reply: SMTPReply) {
    kind = reply.isCompleted ? .delivered : reply.isPermanent ? .refused : .deferred
    status = reply.enhanced ?? EnhancedStatus(kind == .delivered ? 2 : kind == .refused ? 5 : 4, 0, 0)
    let short = SMTPReply(
      reply.code, reply.enhanced, reply.lines.joined(separator: " ").cut(to: DeliveryVerdict.replyLimit))
    text = short.description
    self.reply = short
    maySearchOn = kind == .deferred
  }

  /// Judged on this side.
  init(_ kind: Kind, _ status: EnhancedStatus, _ text: String) {
    self.kind = kind
    self.status = status
    self.text = text
    maySearchOn = kind == .deferred
  }
}
