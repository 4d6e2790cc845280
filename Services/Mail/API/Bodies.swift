/// Every body a client sends. Unknown names and null are refused, so that a typing error is told and not passed over.
struct Checked<Body: KnownBody>: Decodable, Sendable {
  var body: Body

  private struct Key: CodingKey {
    var stringValue: String
    var intValue: Int? { nil }
    init(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
  }

  init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: Key.self)
    for key in container.allKeys {
      guard Body.names.contains(key.stringValue) else {
        throw DecodingError.dataCorruptedError(forKey: key, in: container, debugDescription: "is not known here")
      }
      guard try !container.decodeNil(forKey: key) else {
        throw DecodingError.dataCorruptedError(
          forKey: key, in: container, debugDescription: "must not be null; leave it out")
      }
    }
    body = try Body(from: decoder)
  }
}

/// A JSON object whose names are all known.
protocol KnownBody: Decodable, Sendable {
  /// As Swift names them.
  static var names: Set<String> { get }
}

struct NewDomain: KnownBody {
  static let names: Set = ["name"]
  var name: String
}

struct NewMailbox: KnownBody {
  static let names: Set = ["address", "password"]
  var address: String
  var password: String
}

struct MailboxChange: KnownBody {
  static let names: Set = ["password"]
  var password: String
}

struct NewFolder: KnownBody {
  static let names: Set = ["name"]
  var name: String
}

struct MessageChange: KnownBody {
  static let names: Set = ["seen", "answered", "flagged", "draft", "folder"]
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
  static let names: Set = [
    "from", "to", "cc", "bcc", "replyTo", "subject", "text", "html", "attachments", "inReplyTo", "references",
    "headers",
    "draft",
  ]
}

extension Draft.File: KnownBody {
  static let names: Set = ["name", "type", "content", "contentId"]
}
