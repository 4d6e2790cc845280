import MailWire
import ServiceKit

extension Letter {
  /// The report of RFC 3464 on recipients that did not get a letter. Nil where there is none to make: a letter from the null
  /// sender is itself a report, and is never reported on (RFC 5321 §4.5.5).
  /// - Parameters:
  ///   - content: the letter, of which the header is returned; may be empty where it is lost.
  ///   - arrival: when the letter came, in seconds since 1970.
  ///   - host: this one.
  static func report(
    _ failures: [DeliveryReport.Recipient], sender: String, content: [UInt8], arrival: Int64?, host: String, now: Int64,
    using chance: Chance
  ) -> Letter? {
    guard !failures.isEmpty, let address = MailAddress(sender) else { return nil }
    var random = chance
    var report = DeliveryReport(
      reportingHost: host, to: address, recipients: failures, original: content, date: now,
      messageID: MessageID.make(at: now, domain: host, using: &random))
    report.arrival = arrival
    return Letter(
      sender: "", recipients: [sender], content: report.encoded(using: &random), utf8: address.needsUTF8)
  }
}
