import ServiceKit

struct NewDomain: KnownBody {
  enum CodingKeys: String, CodingKey {
    case name
  }
  var name: String
}

struct NewMailbox: KnownBody {
  enum CodingKeys: String, CodingKey {
    case address, password
  }
  var address: String
  var password: String
}

struct MailboxChange: KnownBody {
  enum CodingKeys: String, CodingKey {
    case password
  }
  var password: String
}

struct NewFolder: KnownBody {
  enum CodingKeys: String, CodingKey {
    case name
  }
  var name: String
}

struct MessageChange: KnownBody {
  enum CodingKeys: String, CodingKey {
    case seen, answered, flagged, draft, folder
  }
  var seen: Bool?
  var answered: Bool?
  var flagged: Bool?
  var draft: Bool?
  var folder: String?

  var isEmpty: Bool { seen == nil && answered == nil && flagged == nil && draft == nil && folder == nil }

  /// The flags as they are after the change.
  func applied(to flags: MessageFlags) -> MessageFlags {
    var flags = flags
    for (value, flag) in [(seen, MessageFlags.seen), (answered, .answered), (flagged, .flagged), (draft, .draft)] {
      guard let value else { continue }
      if value { flags.insert(flag) } else { flags.remove(flag) }
    }
    return flags
  }
}

extension Draft: KnownBody {
  enum CodingKeys: String, CodingKey {
    case from, to, cc, bcc, subject, text, html, attachments, references, headers, draft
    case replyTo = "reply_to"
    case inReplyTo = "in_reply_to"
  }
}

extension Draft.File: KnownBody {
  enum CodingKeys: String, CodingKey {
    case name, type, content
    case contentId = "content_id"
  }
}
