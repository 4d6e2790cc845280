import MailWire
import Octets
import ServiceKit

/// What a host writes on a letter that comes through: its Received line, and for the people who hand in a bare letter the
/// fields that every letter has to have (RFC 5321 §4.4, RFC 5322 §3.6, RFC 6409 §8).
struct TraceHeaders: Sendable {
  /// This host.
  var hostname: String
  /// What the client called itself, and where it really is.
  var client: String
  var peer: IPAddress
  /// `SMTP`, `ESMTP`, `ESMTPA`, … (RFC 3848).
  var transport: String
  /// World clock, seconds since 1970.
  var now: Int64
  /// What makes this letter's id its own.
  var random: UInt64
  /// Write down which trace the letter belongs to.
  var isTracing = false

  /// More Received lines than this are a loop (RFC 5321 §6.3 wants at least 100 or a good guess; fifty hosts are never
  /// an honest way).
  static let hops = 50

  /// The letter as it is stored.
  /// - Parameter complete: fill in Date, From and Message-ID also where other fields are there: the client is the author's own.
  /// - Returns: nil where the letter goes in circles.
  func stamp(_ content: [UInt8], _ envelope: SMTPEnvelope, complete: Bool) -> [UInt8]? {
    let content = Self.withoutEnvelopeLines(content)
    let fields = FieldNames(content)
    guard fields.received <= Self.hops else { return nil }
    var head = "Received: from \(client) (\(bracketed(peer)))\r\n\tby \(hostname) with \(transport) id \(identifier)"
    if envelope.recipients.count == 1, let only = envelope.recipients.first {
      head += "\r\n\tfor \(only.path)"
    }
    head += ";\r\n\t\(MailDate.format(now))\r\n"
    if isTracing { head += TraceHeaders.traceparent(after: fields.trace) }
    if fields.isEmpty || complete {
      if !fields.date { head += "Date: \(MailDate.format(now))\r\n" }
      if !fields.from { head += "From: \(envelope.sender?.description ?? "MAILER-DAEMON@\(hostname)")\r\n" }
      if !fields.messageID {
        var generator = SeededGenerator(seed: random)
        head += "Message-ID: \(MessageID.make(at: now, domain: hostname, using: &generator))\r\n"
      }
    }
    if fields.isEmpty && !fields.startsWithEmptyLine { head += "\r\n" }
    var letter: [UInt8] = []
    letter.reserveCapacity(head.utf8.count + content.count)
    letter += head.utf8
    letter += content
    return letter
  }

  /// Some tools send a letter as an mbox file has it, below a line `From bob Mon Nov 23 …` (RFC 4155), which hides the header:
  /// such lines are dropped, as Postfix does. Where no field follows, it is a text that begins with this word.
  private static func withoutEnvelopeLines(_ content: [UInt8]) -> [UInt8] {
    var rest = content[...]
    while rest.starts(with: "From ".utf8) || rest.starts(with: ">From ".utf8) {
      guard let end = rest.firstIndex(of: 0x0A) else { return content }
      rest = rest[(end + 1)...]
    }
    if rest.startIndex == 0 { return content }
    let letter = Array(rest)
    return FieldNames(letter).isEmpty ? content : letter
  }

  /// The field that says which trace a letter belongs to. Like Received it is put on top, so the first is the newest.
  static func traceparent(after trace: TraceContext?) -> String {
    "Traceparent: \((trace?.child ?? TraceContext()).traceparent)\r\n"
  }

  private var identifier: String { String(random, radix: 36) }

  private func bracketed(_ address: IPAddress) -> String { address.isV4 ? "[\(address)]" : "[IPv6:\(address)]" }
}

/// Which fields a letter has, found without keeping any.
struct FieldNames: Sendable, Equatable {
  var received = 0
  var date = false
  var from = false
  var messageID = false
  /// Of the first Traceparent.
  var trace: TraceContext?
  /// There is no field: the letter is all body.
  var isEmpty = true
  var startsWithEmptyLine = false

  init(_ letter: [UInt8]) {
    let octets = letter.span
    var index = 0
    while index < octets.count {
      let first = octets[index]
      if first == 0x0D {
        startsWithEmptyLine = index == 0
        return
      }
      var end = index
      while end < octets.count, octets[end] != 0x0A { end += 1 }
      // A line that begins with a blank belongs to the field above it.
      if !(first.isASCIIBlank && !isEmpty) {
        guard let name = Self.name(letter[index..<end]) else { return }
        isEmpty = false
        if name.equalsIgnoringASCIICase("received".utf8) { received += 1 }
        if name.equalsIgnoringASCIICase("date".utf8) { date = true }
        if name.equalsIgnoringASCIICase("from".utf8) { from = true }
        if name.equalsIgnoringASCIICase("message-id".utf8) { messageID = true }
        if trace == nil, name.equalsIgnoringASCIICase("traceparent".utf8) {
          let value = letter[index..<end].drop { $0 != 0x3A }.dropFirst()
          trace = TraceContext(traceparent: String(decoding: value.filter { $0 > 0x20 }, as: UTF8.self))
        }
      }
      index = end + 1
    }
  }

  /// The field's name, printable and without blanks, in front of a colon (RFC 5322 §2.2).
  private static func name(_ line: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
    guard let colon = line.firstIndex(of: 0x3A), colon > line.startIndex else { return nil }
    var name = line[..<colon]
    while name.last?.isASCIIBlank == true { name.removeLast() }
    guard !name.isEmpty, name.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else { return nil }
    return name
  }
}
