/// However the octets are cut, the session says the same, and it deletes nothing that wasn't in the mailbox.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let input = unsafe octets(data, count)
  require(dialogue([input]) == dialogue(input.map { [$0] }), "a cut changes nothing")
  return 0
}

/// What a session says and does when a fixed set of answers is given to it.
private func dialogue(_ pieces: [[UInt8]]) -> [String] {
  var session = POP3Session()
  let letter = Array("Subject: x\r\n\r\n.one\r\ntwo\r\n".utf8)
  let open = POP3Letter(size: letter.count) { Array(letter[$0...]) }
  let messages = [
    POP3Message(id: 7, size: letter.count, uid: "u7"), POP3Message(id: 9, size: letter.count, uid: "u9"),
  ]
  var told: [String] = []
  func work() {
    while let action = session.next() {
      told.append("\(action)")
      switch action {
      case .ask(.login(let user, _)):
        session.loggedIn(user == "bob" ? .opened(POP3Maildrop(mailbox: 1, messages: messages)) : .denied)
      case .ask(.open(let id, _, _)):
        require(id == 7 || id == 9, "only what is there is opened")
        session.opened(open)
      case .ask(.read(_, let offset)):
        require(letter.indices.contains(offset), "only what is there is read")
        // Piece by piece, so that lines and dots are cut.
        session.piece(Array(letter[offset...].prefix(3)))
      case .ask(.delete(let ids, _, _)):
        require(Set(ids).isSubset(of: [7, 9]), "only what is there is deleted")
        session.deleted(true)
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
