import MailWire
import Octets
import ServiceKit

/// A letter as a person's program writes it in JSON, and what becomes of it.
struct Draft: Decodable, Sendable {
  struct File: Decodable, Sendable {
    var name: String?
    /// `type/subtype`; by default `application/octet-stream`.
    var type: String?
    /// In base 64.
    var content: String
    /// Without angle brackets: the html shows the file as `cid:…`.
    var contentId: String?
  }

  /// The owner's address with or without a name; by default the bare address.
  var from: String?
  var to: [String]?
  var cc: [String]?
  /// Get the letter without being named in it.
  var bcc: [String]?
  var replyTo: [String]?
  var subject: String?
  var text: String?
  var html: String?
  var attachments: [Checked<File>]?
  var inReplyTo: String?
  var references: [String]?
  /// Further fields of the header.
  var headers: [String: String]?
  /// Keep it in Drafts instead of sending it.
  var draft: Bool?

  /// Which field of the JSON is wrong, and why.
  struct Invalid: Error, Equatable {
    var field: String
    var reason: String
  }

  /// A letter with its envelope.
  struct Composed: Sendable {
    var sender: MailAddress
    /// Each once, `bcc` too.
    var recipients: [MailAddress]
    var content: [UInt8]
    /// With its angle brackets.
    var messageID: String
    /// Some address is in UTF-8.
    var needsUTF8: Bool
  }

  static let recipientLimit = 1000
  /// Characters of the subject, and of a further field.
  static let textLimit = 10_000
  /// Values of JSON in one: its recipients, files and fields.
  static let valueLimit = 20_000

  /// Makes the letter.
  /// - Parameter owner: whose mailbox it is; the letter is from nobody else.
  func composed(
    by owner: MailAddress, at time: Int64, using generator: inout some RandomNumberGenerator
  ) throws(Invalid) -> Composed {
    try requireBounds()
    var author = NamedAddress(owner)
    if let from {
      guard let given = NamedAddress(from) else { throw Invalid(field: "from", reason: "is not a mailbox") }
      guard given.address?.folded == owner.folded else {
        throw Invalid(field: "from", reason: "must be \(owner)")
      }
      author.name = given.name
    }
    var builder = MessageBuilder(
      from: [author], date: time, messageID: MessageID.make(at: time, domain: messageIDDomain(owner), using: &generator)
    )
    builder.to = try Draft.addresses(to, "to")
    builder.cc = try Draft.addresses(cc, "cc")
    builder.replyTo = try Draft.addresses(replyTo, "reply_to")
    let hidden = try Draft.addresses(bcc, "bcc")
    builder.subject = subject ?? ""
    builder.text = text
    builder.html = html
    builder.inReplyTo = try Draft.ids(inReplyTo.map { [$0] }, "in_reply_to")
    builder.references = try Draft.ids(references, "references")
    for (name, value) in (headers ?? [:]).sorted(by: { $0.key < $1.key }) {
      guard MessageBuilder.isFreeField(name) else { throw Invalid(field: "headers", reason: "may not set \(name)") }
      guard value.utf8.allSatisfy({ $0 != 0x0D && $0 != 0x0A }) else {
        throw Invalid(field: "headers", reason: "has a line end in \(name)")
      }
      builder.fields.append((name, value))
    }
    builder.attachments = try files()
    var recipients: [MailAddress] = []
    var known: Set<MailAddress> = []
    for address in (builder.to + builder.cc + hidden).compactMap(\.address) where known.insert(address).inserted {
      recipients.append(address)
    }
    guard recipients.count <= Draft.recipientLimit else {
      throw Invalid(field: "to", reason: "has more than \(Draft.recipientLimit) recipients")
    }
    if draft != true, recipients.isEmpty { throw Invalid(field: "to", reason: "names nobody") }
    let named = builder.from + builder.to + builder.cc + builder.replyTo
    return Composed(
      sender: owner, recipients: recipients, content: builder.encoded(using: &generator), messageID: builder.messageID,
      needsUTF8: (named.compactMap(\.address) + recipients).contains { $0.needsUTF8 })
  }

  private func requireBounds() throws(Invalid) {
    for (field, count, limit) in [
      ("subject", subject?.unicodeScalars.count, Draft.textLimit), ("references", references?.count, 100),
      ("attachments", attachments?.count, 500), ("headers", headers?.count, 100),
    ] where count ?? 0 > limit {
      throw Invalid(field: field, reason: "has more than \(limit) \(field == "subject" ? "characters" : "of them")")
    }
    for (name, value) in headers ?? [:] where value.unicodeScalars.count > Draft.textLimit {
      throw Invalid(field: "headers", reason: "has more than \(Draft.textLimit) characters in \(name)")
    }
    for (index, file) in (attachments ?? []).map(\.body).enumerated() {
      for (name, text, limit) in [("type", file.type, 200), ("name", file.name, 1000)]
      where text?.unicodeScalars.count ?? 0 > limit {
        throw Invalid(field: "attachments[\(index)].\(name)", reason: "has more than \(limit) characters")
      }
    }
  }

  private func messageIDDomain(_ owner: MailAddress) -> String {
    let domain = owner.foldedDomain
    return domain.utf8.allSatisfy { $0 < 0x80 } ? domain : "localhost"
  }

  private static func addresses(_ list: [String]?, _ field: String) throws(Invalid) -> [NamedAddress] {
    var addresses: [NamedAddress] = []
    for (index, text) in (list ?? []).enumerated() {
      guard text.unicodeScalars.count <= 1000, let address = NamedAddress(text) else {
        throw Invalid(field: "\(field)[\(index)]", reason: "is not a mailbox such as Bob <bob@hamburger.edu>")
      }
      addresses.append(address)
    }
    return addresses
  }

  private static func ids(_ list: [String]?, _ field: String) throws(Invalid) -> [String] {
    var ids: [String] = []
    for id in list ?? [] {
      guard id.utf8.count <= 500, id.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }), MessageID.list(id.utf8) == [id] else {
        throw Invalid(field: field, reason: "is not a message id such as <1.x@crepes.fr>")
      }
      ids.append(id)
    }
    return ids
  }

  private func files() throws(Invalid) -> [MessageBuilder.Attachment] {
    var files: [MessageBuilder.Attachment] = []
    for (index, file) in (attachments ?? []).map(\.body).enumerated() {
      // Many encoders break lines (RFC 2045 §6.8), which RFC 4648 §3.1 leaves to the one who says what is read.
      var text = Array(file.content.utf8)
      text.removeAll { $0 == 0x0D || $0 == 0x0A }
      guard let content = Base64.decode(text) else {
        throw Invalid(field: "attachments[\(index)].content", reason: "is not base 64")
      }
      if let id = file.contentId {
        guard !id.isEmpty, id.utf8.count <= 200,
          id.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != 0x3C && $0 != 0x3E })
        else { throw Invalid(field: "attachments[\(index)].content_id", reason: "is not printable ASCII") }
      }
      files.append(
        .init(
          fileName: file.name, type: file.type ?? "application/octet-stream", content: content,
          contentID: file.contentId))
    }
    return files
  }
}
