import MailWire

/// Whatever a mail exchanger answers, and however it is cut: each recipient gets one verdict, the letter's end is sent only
/// after a reply asked for it, and what is kept of the dialogue is bounded.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let input = unsafe octets(data, count)
  // Line by line, for a reply that comes before its command has gone out is another one than a reply that comes after it.
  let lines = input.split(separator: 0x0A, omittingEmptySubsequences: false).map { Array($0) + [0x0A] }
  require(delivery(lines) == delivery(lines.joined().map { [$0] }), "a cut within a line changes nothing")
  _ = delivery([input])
  return 0
}

private struct Outcome: Equatable {
  var sent: [UInt8] = []
  var verdicts: [[String]] = []
}

/// What a session sends, and decides, when the other side says these octets and then goes away.
private func delivery(_ pieces: [[UInt8]]) -> Outcome {
  var session = SMTPClientSession(hostname: "mail.crepes.fr")
  var outcome = Outcome()
  var letters = [
    letter(to: ["bob", "carol"], "Subject: a\r\n\r\n.one\r\n"), letter(to: ["bob"], "Subject: b\r\n\r\n\u{FC}\r\n"),
  ]
  var open = 0
  func work() {
    while true {
      if let verdicts = session.takeVerdicts() {
        require(verdicts.count == open, "one verdict for each recipient")
        outcome.verdicts.append(verdicts.map { "\($0.kind) \($0.status)" })
        open = 0
      }
      guard session.phase == .ready, !letters.isEmpty else { break }
      let next = letters.removeFirst()
      open = next.recipients.count
      session.begin(next)
    }
    outcome.sent += session.takeOutput()
  }
  work()
  for piece in pieces {
    session.receive(piece)
    work()
  }
  session.disconnected("the connection was lost")
  work()
  require(open == 0, "a letter that was begun is decided when the connection has gone")
  require(session.takeDialogue().lines.reduce(0) { $0 + $1.utf8.count } <= 1 << 17, "the dialogue is bounded")
  return outcome
}

private func letter(to names: [String], _ content: String) -> Consignment {
  Consignment(
    sender: MailAddress("alice@crepes.fr"), recipients: names.compactMap { MailAddress("\($0)@hamburger.edu") },
    content: Array(content.utf8))
}
