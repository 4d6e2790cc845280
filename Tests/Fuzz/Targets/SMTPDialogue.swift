import MailWire

/// However the octets are cut, the session says the same; it always ends or waits, and it stores only whole letters.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let input = unsafe octets(data, count)
  let whole = dialogue([input])
  let pieces = dialogue(input.map { [$0] })
  require(whole == pieces, "a cut changes nothing")
  return 0
}

/// What a session says and does when a fixed set of answers is given to it.
private func dialogue(_ pieces: [[UInt8]]) -> [String] {
  var session = SMTPSession(
    hostname: "hamburger.edu", limits: SMTPLimits())
  var told: [String] = []
  func work() {
    while let action = session.next() {
      told.append("\(action)")
      switch action {
      case .reply(let octets): require(octets.suffix(2) == [13, 10], "a reply ends in CRLF")
      case .verify(let address): session.recipient(address.domain == "gmail.com" ? .relayingDenied : .accepted)
      case .authenticate(_, let password): session.authenticated(password == "ketchup")
      case .store(_, let content):
        require(content.isEmpty || content.suffix(2) == [13, 10], "a letter's last line is whole")
        session.stored(.accepted(note: ""))
      default: break
      }
    }
  }
  work()
  for piece in pieces {
    session.receive(piece)
    work()
  }
  return told
}
