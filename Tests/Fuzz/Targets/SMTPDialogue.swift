import MailWire

/// However the octets are cut, the session says the same; it always ends or waits, and it stores only whole letters.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let input = unsafe octets(data, count)
  // The first octet chooses the door.
  guard let first = input.first else { return 0 }
  let door = SMTPDoor(submission: first & 1 != 0, passwordsAllowed: first & 2 == 0, catchesAll: first & 4 != 0)
  let rest = input.dropFirst()
  let whole = dialogue([Array(rest)], door)
  let pieces = dialogue(rest.map { [$0] }, door)
  require(whole == pieces, "a cut changes nothing")
  return 0
}

/// What a session says and does when a fixed set of answers is given to it.
private func dialogue(_ pieces: [[UInt8]], _ door: SMTPDoor) -> [String] {
  var session = SMTPSession(hostname: "hamburger.edu", door: door)
  var told: [String] = []
  func work() {
    while let action = session.next() {
      told.append("\(action)")
      switch action {
      case .reply(let octets): require(octets.suffix(2) == [13, 10], "a reply ends in CRLF")
      case .ask(.verify(let address, _)):
        session.recipient(address.domain == "gmail.com" ? .relayingDenied : .accepted)
      case .ask(.authenticate(_, let password)):
        session.authenticated(password == "ketchup" ? .accepted(owner: MailAddress("alice@crepes.fr")) : .denied)
      case .ask(.store(let letter)):
        require(letter.content.isEmpty || letter.content.suffix(2) == [13, 10], "a letter's last line is whole")
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
