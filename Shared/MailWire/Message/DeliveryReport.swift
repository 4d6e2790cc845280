import Octets

/// A delivery status notification: what became of a letter, for its sender and for programs (RFC 3464 in RFC 6522).
///
/// It goes out from the null path `<>`, so that no report is ever made about it (RFC 5321 §4.5.5).
public struct DeliveryReport: Sendable {
  /// RFC 3464 §2.3.3.
  public enum Action: String, Sendable {
    case failed, delayed, delivered, relayed, expanded
  }

  /// What became of the letter for one recipient.
  public struct Recipient: Sendable {
    public var address: MailAddress
    /// From ORCPT, `rfc822;…` (RFC 3461 §4.2).
    public var originalRecipient: String?
    public var action: Action
    public var status: EnhancedStatus
    /// The host that answered.
    public var remoteHost: String?
    /// Its reply, or what a person should know instead.
    public var diagnostic: SMTPReply?
    /// For people: why, where no host replied.
    public var reason: String?
    /// Seconds since 1970.
    public var lastAttempt: Int64?
    /// Seconds since 1970; only for `delayed`.
    public var willRetryUntil: Int64?

    public init(_ address: MailAddress, _ action: Action, _ status: EnhancedStatus) {
      self.address = address
      self.action = action
      self.status = status
    }
  }

  /// The name of the host that makes the report.
  public var reportingHost: String
  /// ENVID (RFC 3461 §4.4).
  public var envelopeID: String?
  /// When the letter arrived; seconds since 1970.
  public var arrival: Int64?
  /// The letter's sender, who gets the report.
  public var to: MailAddress
  public var recipients: [Recipient]
  /// The letter; its header alone is returned.
  public var original: [UInt8]
  /// Seconds since 1970.
  public var date: Int64
  /// With angle brackets.
  public var messageID: String

  /// Octets of the letter's header that are returned at most.
  static let headerLimit = 65_536

  public init(
    reportingHost: String, to: MailAddress, recipients: [Recipient], original: [UInt8], date: Int64, messageID: String
  ) {
    self.reportingHost = reportingHost
    self.to = to
    self.recipients = recipients
    self.original = original
    self.date = date
    self.messageID = messageID
  }

  /// The report as a letter, in seven bits unless an address needs UTF-8.
  public func encoded(using generator: inout some RandomNumberGenerator) -> [UInt8] {
    var header = HeaderWriter()
    header.structured("Date", MailDate.format(date))
    header.structured("From", "Mail Delivery System <postmaster@\(reportingHost)>")
    header.addresses("To", [NamedAddress(to)])
    header.text("Subject", subject)
    header.structured("Message-ID", messageID)
    if let id = HeaderBlock(original).first("Message-ID").flatMap({ MessageID.list($0.value).first }) {
      header.structured("References", id)
    }
    // RFC 3834 §5: keeps vacation programs quiet.
    header.structured("Auto-Submitted", "auto-replied")
    header.structured("MIME-Version", "1.0")
    var human = Entity.text(humanText, "text/plain")
    human.description = "Notification"
    let report = Entity(
      type: ParameterField("multipart/report", [("report-type", "delivery-status")]),
      children: [human, statusPart, originalPart])
    return header.bytes + report.written(using: &generator)
  }

  private var worst: Action {
    recipients.contains { $0.action == .failed } ? .failed : recipients.first?.action ?? .failed
  }

  private var subject: String {
    switch worst {
    case .failed: "Undeliverable: your letter could not be delivered"
    case .delayed: "Delayed: your letter is still on its way"
    case .delivered, .relayed, .expanded: "Delivered: your letter has arrived"
    }
  }

  private var humanText: String {
    var text = "This is the mail host \(reportingHost).\n\n"
    switch worst {
    case .failed: text += "Your letter could not be delivered to one or more of its recipients.\n"
    case .delayed: text += "Your letter could not be delivered yet. There is nothing to do: it is tried again.\n"
    case .delivered, .relayed, .expanded: text += "Your letter was handed over.\n"
    }
    for recipient in recipients {
      text += "\n<\(recipient.address)>: \(recipient.action.rawValue) (\(recipient.status))\n"
      if let reply = recipient.diagnostic {
        text += "    \(recipient.remoteHost.map { "\($0) said: " } ?? "")\(reply)\n"
      }
      if let reason = recipient.reason { text += "    \(reason)\n" }
    }
    return text
  }

  /// RFC 3464 §2: groups of fields, one for the letter and one for each recipient.
  private var statusPart: Entity {
    var fields = HeaderWriter()
    fields.structured("Reporting-MTA", "dns; \(reportingHost)")
    if let envelopeID { fields.structured("Original-Envelope-Id", envelopeID) }
    if let arrival { fields.structured("Arrival-Date", MailDate.format(arrival)) }
    for recipient in recipients {
      fields.endHeader()
      if let original = recipient.originalRecipient { fields.structured("Original-Recipient", original) }
      fields.structured("Final-Recipient", DeliveryReport.typed(recipient.address))
      fields.structured("Action", recipient.action.rawValue)
      fields.structured("Status", "\(recipient.status)")
      if let host = recipient.remoteHost { fields.structured("Remote-MTA", "dns; \(host)") }
      if let reply = recipient.diagnostic {
        fields.structured("Diagnostic-Code", "smtp; \(DeliveryReport.ascii("\(reply)"))")
      }
      if let date = recipient.lastAttempt { fields.structured("Last-Attempt-Date", MailDate.format(date)) }
      if let date = recipient.willRetryUntil { fields.structured("Will-Retry-Until", MailDate.format(date)) }
    }
    return Entity(
      type: ParameterField("message/delivery-status"), description: "Delivery report", content: fields.bytes)
  }

  /// `rfc822; address`, or the form of RFC 6533 §3 where it has UTF-8.
  static func typed(_ address: MailAddress) -> String {
    guard address.needsUTF8 else { return "rfc822; \(address)" }
    return "utf-8; \(ascii(address.description))"
  }

  /// Every character beyond ASCII as `\x{HEX}` (RFC 6533 §3, `utf-8-addr-xtext`).
  static func ascii(_ text: String) -> String {
    text.unicodeScalars.reduce(into: "") { result, scalar in
      if scalar.isASCII {
        result.unicodeScalars.append(scalar)
      } else {
        result += "\\x{\(String(scalar.value, radix: 16, uppercase: true))}"
      }
    }
  }

  private var originalPart: Entity {
    let header = HeaderBlock(original)
    // Whole fields, as many as have room: a report should not be a burden.
    let end = header.fields.last { $0.range.upperBound <= DeliveryReport.headerLimit }?.range.upperBound ?? 0
    var octets = String(decoding: original[..<min(end, header.fieldsEnd)], as: UTF8.self).withCRLF
    var entity = Entity(type: ParameterField("text/rfc822-headers"), description: "The header of your letter")
    if !SevenBit.isSevenBit(octets) {
      entity.type = ParameterField("text/rfc822-headers", [("charset", "utf-8")])
      entity.encoding = .quotedPrintable
      octets = TransferEncoding.encodeQuotedPrintable(octets)
    }
    entity.content = octets
    return entity
  }
}
