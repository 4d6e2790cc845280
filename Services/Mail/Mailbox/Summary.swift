import MailWire

extension Summary {
  /// Octets of text that are looked at: enough for a preview and for search, whatever the letter's size.
  private static let textLimit = 4096
  /// Octets of a subject or an author that are kept: every list shows them.
  private static let fieldLimit = 1024
  /// Octets of the recipients, and how many of them: search looks at them.
  private static let recipientsLimit = 4096
  private static let recipients = 100

  /// What a list shows of a letter. Never fails: what can't be understood is left as it stands.
  static func of(_ letter: [UInt8]) -> Summary {
    let message = ParsedMessage(letter)
    var summary = Summary()
    summary.from = shown(message.from, message.header.first("From")).cut(to: fieldLimit)
    summary.to = shown(message.to + message.cc, message.header.first("To")).cut(to: recipientsLimit)
    summary.subject = message.subject.cut(to: fieldLimit)
    summary.date = message.date
    summary.messageID = message.messageID ?? ""
    summary.attachments = message.attachments.count
    if let text = message.text(limit: textLimit) {
      summary.text = text.text.cut(to: textLimit)
    } else if let html = message.html(limit: 4 * textLimit) {
      summary.text = PlainText.ofHTML(html.text).cut(to: textLimit)
    }
    return summary
  }

  private static func shown(_ addresses: [NamedAddress], _ field: HeaderField?) -> String {
    addresses.isEmpty ? field?.text ?? "" : addresses.prefix(recipients).map(\.text).joined(separator: ", ")
  }
}
