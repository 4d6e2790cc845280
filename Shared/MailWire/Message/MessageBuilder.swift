import Octets

/// A letter to be written: text, html and attachments become correct MIME (RFC 2045 to 2049), in seven bits and short lines.
public struct MessageBuilder: Sendable {
  public var from: [NamedAddress]
  /// Needed where `from` has several (RFC 5322 §3.6.2).
  public var sender: NamedAddress?
  public var to: [NamedAddress] = []
  public var cc: [NamedAddress] = []
  public var replyTo: [NamedAddress] = []
  public var subject = ""
  /// Seconds since 1970.
  public var date: Int64
  /// With angle brackets.
  public var messageID: String
  public var inReplyTo: [String] = []
  public var references: [String] = []
  /// Further fields, as text.
  public var fields: [(name: String, text: String)] = []
  public var text: String?
  public var html: String?
  public var attachments: [Attachment] = []

  /// A file that goes with the letter.
  public struct Attachment: Sendable {
    public var fileName: String?
    /// `type/subtype`, parameters allowed; what is no media type becomes `application/octet-stream`.
    public var type: String
    public var content: [UInt8]
    /// Without angle brackets. With it the part stands beside the html, which names it as `cid:…`.
    public var contentID: String?

    public init(fileName: String?, type: String, content: [UInt8], contentID: String? = nil) {
      self.fileName = fileName
      self.type = type
      self.content = content
      self.contentID = contentID
    }
  }

  public init(from: [NamedAddress], date: Int64, messageID: String) {
    self.from = from
    self.date = date
    self.messageID = messageID
  }

  /// Whether a field may be given in `fields`: a name of printable ASCII that this builder doesn't write itself.
  public static func isFreeField(_ name: String) -> Bool {
    let own = [
      "from", "sender", "to", "cc", "bcc", "reply-to", "subject", "date", "message-id", "in-reply-to", "references",
      "mime-version", "received", "return-path",
    ]
    let folded = MailAddress.folded(name)
    return !name.isEmpty && name.utf8.count <= 60 && name.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != 0x3A }
      && !own.contains(folded) && !folded.hasPrefix("content-")
  }

  /// The letter with CRLF line ends; boundaries come from the generator.
  ///
  /// An address with UTF-8 stands as it is, for an SMTPUTF8 letter; all else is ASCII.
  public func encoded(using generator: inout some RandomNumberGenerator) -> [UInt8] {
    var header = HeaderWriter()
    header.structured("Date", MailDate.format(date))
    header.addresses("From", from)
    if let sender { header.addresses("Sender", [sender]) }
    header.addresses("Reply-To", replyTo)
    header.addresses("To", to)
    header.addresses("Cc", cc)
    header.text("Subject", subject)
    header.structured("Message-ID", messageID)
    if !inReplyTo.isEmpty { header.structured("In-Reply-To", inReplyTo.joined(separator: " ")) }
    if !references.isEmpty { header.structured("References", references.joined(separator: " ")) }
    for field in fields where MessageBuilder.isFreeField(field.name) { header.text(field.name, field.text) }
    header.structured("MIME-Version", "1.0")
    return header.bytes + tree().written(using: &generator)
  }

  /// mixed( related( alternative( text, html ), inline… ), attachments… ), without the layers that would hold one part.
  private func tree() -> Entity {
    var main: [Entity] = []
    if let text { main.append(.text(text, "text/plain")) }
    if let html { main.append(.text(html, "text/html")) }
    var body = Entity.wrapped(main, "multipart/alternative") ?? .text("", "text/plain")
    let inline = html == nil ? [] : attachments.filter { $0.contentID != nil }
    if !inline.isEmpty {
      let root = text == nil ? "text/html" : "multipart/alternative"
      body = Entity(
        type: ParameterField("multipart/related", [("type", root)]),
        children: [body] + inline.map { .file($0, "inline") })
    }
    let beside = attachments.filter { html == nil || $0.contentID == nil }
    return Entity.wrapped([body] + beside.map { .file($0, "attachment") }, "multipart/mixed") ?? body
  }
}

/// A part to be written, with its content or its children.
struct Entity {
  var type: ParameterField
  var disposition: ParameterField?
  var contentID: String?
  var description: String?
  var encoding = TransferEncoding.sevenBit
  /// Encoded already; ends in CRLF or is empty.
  var content: [UInt8] = []
  var children: [Entity] = []

  /// One entity alone needs no multipart; nil for none.
  static func wrapped(_ entities: [Entity], _ type: String) -> Entity? {
    entities.count > 1 ? Entity(type: ParameterField(type), children: entities) : entities.first
  }

  /// Text in the shortest form that passes everywhere: as it is, in quoted-printable or in base64.
  static func text(_ text: String, _ type: String) -> Entity {
    var octets = text.withCRLF
    if !octets.isEmpty, !octets.ends(with: [0x0D, 0x0A]) { octets += [0x0D, 0x0A] }
    let isASCII = octets.allSatisfy { $0 < 0x80 }
    var entity = Entity(type: ParameterField(type, [("charset", isASCII ? "us-ascii" : "utf-8")]))
    if octets.isPlainMailText {
      entity.content = octets
      return entity
    }
    let quoted = TransferEncoding.encodeQuotedPrintable(octets)
    let base64 = TransferEncoding.encodeBase64(octets)
    entity.encoding = quoted.count <= base64.count ? .quotedPrintable : .base64
    entity.content = quoted.count <= base64.count ? quoted : base64
    return entity
  }

  static func file(_ file: MessageBuilder.Attachment, _ disposition: String) -> Entity {
    var type = ParameterField(parsing: file.type.utf8)
    let isComposite = type.value.hasPrefix("multipart/") || type.value.hasPrefix("message/")
    let isLetter = type.value == "message/rfc822" && file.content.isPlainMailText
    if !MIMEPart.isMediaType(type.value) || (isComposite && !isLetter) {
      type = ParameterField("application/octet-stream")
    }
    var entity = Entity(type: type, contentID: file.contentID)
    entity.disposition = ParameterField(disposition, file.fileName.map { [("filename", $0)] } ?? [])
    if isLetter {
      entity.content = file.content
    } else {
      entity.encoding = .base64
      entity.content = TransferEncoding.encodeBase64(file.content)
    }
    return entity
  }

  /// Header and body.
  func written(using generator: inout some RandomNumberGenerator) -> [UInt8] {
    var header = HeaderWriter()
    guard children.isEmpty else {
      // "=_" stands in no quoted-printable and no base64 text; the random rest keeps it out of 7bit parts.
      let boundary =
        "=_\(String(generator.next() as UInt64, radix: 36))\(String(generator.next() as UInt64, radix: 36))"
      header.parameters(
        "Content-Type",
        ParameterField(type.value, type.parameters.map { ($0.name, $0.value) } + [("boundary", boundary)]))
      header.endHeader()
      var output = header.bytes
      for child in children {
        output += "--\(boundary)\r\n".utf8
        output += child.written(using: &generator)
        output += [0x0D, 0x0A]
      }
      output += "--\(boundary)--\r\n".utf8
      return output
    }
    header.parameters("Content-Type", type)
    if encoding != .sevenBit { header.structured("Content-Transfer-Encoding", encoding.name) }
    if let disposition { header.parameters("Content-Disposition", disposition) }
    if let contentID { header.structured("Content-ID", "<\(contentID)>") }
    if let description { header.text("Content-Description", description) }
    header.endHeader()
    return header.bytes + content
  }
}

extension String {
  /// With every line end, of whichever kind, as CRLF.
  var withCRLF: [UInt8] {
    var octets: [UInt8] = []
    octets.reserveCapacity(utf8.count + utf8.count / 32)
    var afterCR = false
    for octet in utf8 {
      if octet == 0x0D || (octet == 0x0A && !afterCR) {
        octets += [0x0D, 0x0A]
      } else if octet != 0x0A {
        octets.append(octet)
      }
      afterCR = octet == 0x0D
    }
    return octets
  }
}

extension [UInt8] {
  func ends(with suffix: [UInt8]) -> Bool { count >= suffix.count && self.suffix(suffix.count).elementsEqual(suffix) }

  /// ASCII without controls but tab and CRLF, in lines of at most 78, none of which ends in a blank or begins with "From ".
  var isPlainMailText: Bool {
    var column = 0
    var last: UInt8 = 0x0A
    for (index, octet) in enumerated() {
      switch octet {
      case 0x0A:
        guard last == 0x0D else { return false }
        column = 0
      case 0x0D:
        guard index + 1 < count, self[index + 1] == 0x0A, !last.isASCIIBlank else { return false }
      case 0x09, 0x20..<0x7F:
        if column == 0, self[index...].starts(with: "From ".utf8) { return false }
        column += 1
        if column > 78 { return false }
      default: return false
      }
      last = octet
    }
    return true
  }
}
