import MailWire
import Octets

/// The server's side of one SMTP connection (RFC 5321).
struct SMTPSession: LineSession {
  enum Phase: Equatable {
    case greeting, command, data
    case verifying(MailAddress)
    case authenticating(user: String)
    /// The letter is on its way to the disk, and so many octets of it in memory.
    case storing(octets: Int)
    case credentials, userName
    case password(user: String)
    case closed
  }

  let hostname: String
  let limits: SMTPLimits
  let door: SMTPDoor

  var phase = Phase.greeting
  var lines = CommandLines()
  var data: DataDecoder?
  var actions: [LineAction<SMTPRequest>] = []
  /// What the client called itself.
  var client: String?
  /// It said EHLO: extensions and enhanced codes are on.
  var extended = false
  /// Who logged in.
  var user: String?
  /// The address that user may send from; nil: any.
  var owner: MailAddress?
  var envelope: SMTPEnvelope?
  /// Senseless commands in a row.
  var errors = 0
  private(set) var mistakes = 0
  /// Recipients refused in a row.
  var refusals = 0
  /// Wrong passwords so far.
  var failedLogins = 0

  init(hostname: String, door: SMTPDoor = SMTPDoor(), limits: SMTPLimits = SMTPLimits()) {
    self.hostname = hostname
    self.door = door
    self.limits = limits
  }

  /// How the letter came, for its Received line (RFC 3848).
  var transport: String {
    let utf8 = envelope?.utf8 == true
    let base = utf8 ? "UTF8SMTP" : extended ? "ESMTP" : "SMTP"
    return user == nil ? base : base + "A"
  }

  var buffered: Int { lines.count }

  var isReceiving: Bool { phase == .data }

  var held: Int {
    if case .storing(let octets) = phase { return octets }
    return data?.content.count ?? 0
  }

  mutating func giveUpLetter() { data?.giveUp() }

  mutating func receive(_ bytes: [UInt8]) {
    guard phase != .closed else { return }
    lines.append(bytes)
  }

  mutating func next() -> LineAction<SMTPRequest>? {
    while actions.isEmpty {
      guard advance() else { return nil }
    }
    return actions.removeFirst()
  }

  /// Takes one step. False: it can't, input or an answer is missing.
  private mutating func advance() -> Bool {
    switch phase {
    case .greeting:
      phase = .command
      reply(220, "", "\(hostname) ESMTP")
      return true
    case .verifying, .authenticating, .storing, .closed:
      return false
    case .data:
      return readData()
    case .command:
      guard let line = lines.next(limit: limits.commandLine) else { return false }
      command(line)
      return true
    case .credentials, .userName, .password:
      guard let line = lines.next(limit: limits.authenticationLine) else { return false }
      authentication(line)
      return true
    }
  }

  // MARK: Answers

  /// The answer to `verify`.
  mutating func recipient(_ verdict: RecipientVerdict) {
    guard case .verifying(let path) = phase else { return }
    phase = .command
    switch verdict {
    case .accepted:
      refusals = 0
      if envelope?.recipients.contains(path) == false { envelope?.recipients.append(path) }
      good(250, "2.1.5", "\(path)... Recipient ok")
    case .unknownUser:
      refuse(550, "5.1.1", "\(path)... there is no such mailbox here")
    case .relayingDenied:
      refuse(550, "5.7.1", "\(path)... relaying denied: that domain is not served here")
    case .tryLater:
      refuse(451, "4.3.0", "\(path)... try again later")
    }
  }

  /// The answer to `authenticate`.
  mutating func authenticated(_ login: SMTPLogin) {
    guard case .authenticating(let name) = phase else { return }
    phase = .command
    switch login {
    case .accepted(let address):
      user = name
      owner = address
      good(235, "2.7.0", "Authentication successful")
    case .denied:
      wrongPassword("User name or password is wrong")
    case .tooMany:
      bad(454, "4.7.0", "Too many wrong passwords came from your address; try again in two minutes")
    case .failed:
      reply(454, "4.7.0", "The password can't be checked now; try again later")
    }
  }

  /// The answer to `store`.
  mutating func stored(_ verdict: StorageVerdict) {
    guard case .storing = phase else { return }
    phase = .command
    reset()
    switch verdict {
    case .accepted(let note):
      good(250, "2.0.0", note.isEmpty ? "Message accepted for delivery" : "Message accepted for delivery (\(note))")
    case .loop: bad(554, "5.4.6", "Too many Received lines: this letter goes in circles")
    case .nobodyLeft: bad(550, "5.1.1", "There is no such mailbox here any more")
    case .mailboxFull: bad(452, "4.2.2", "The mailbox is full; try again later")
    case .queueFull: bad(452, "4.3.1", "Too many letters wait here for other hosts; try again later")
    case .full: bad(452, "4.3.1", "The disk is full; try again later")
    case .failed: bad(451, "4.3.0", "The letter could not be stored; try again later")
    }
  }

  mutating func end(_ reason: LineEnding) {
    switch reason {
    case .crowded: sayGoodbye("4.3.2", "too many connections, try again later")
    case .silence: sayGoodbye("4.4.2", "nothing came for too long, closing connection")
    case .slowness: sayGoodbye("4.4.2", "the letter took too long, closing connection")
    case .shutdown: sayGoodbye("4.3.2", "is shutting down")
    case .reset: sayGoodbye("4.3.2", "begins anew, connect again")
    case .hangUp: if phase != .closed { close() }
    }
  }

  mutating func sayGoodbye(_ enhanced: String, _ text: String) {
    guard phase != .closed else { return }
    reply(421, enhanced, "\(hostname) \(text)")
    close()
  }

  // MARK: The letter's octets

  private mutating func readData() -> Bool {
    guard lines.count > 0, var decoder = data.take() else { return false }
    var outcome = DataDecoder.Outcome.more
    lines.take { buffer, start in
      let read = decoder.read(buffer, from: start)
      outcome = read.outcome
      return read.next
    }
    guard outcome != .more else {
      data = decoder
      return true
    }
    phase = .command
    switch decoder.fault {
    case nil:
      guard let envelope else { return true }
      phase = .storing(octets: decoder.content.count)
      let letter = SMTPLetter(
        envelope: envelope, content: decoder.content, client: client ?? "unknown", transport: transport,
        isAuthors: user != nil)
      actions.append(.ask(.store(letter)))
    case .bareLineEnd:
      reset()
      bad(500, "5.5.2", "lines end in CRLF; use telnet or nc -C")
      if outcome == .falseEnd { close() }
    case .tooLarge:
      reset()
      bad(552, "5.3.4", "The letter is larger than \(limits.size) octets")
    case .noRoom:
      reset()
      bad(452, "4.3.1", "Too many letters are on their way in; try again later")
    case .lineTooLong:
      reset()
      bad(550, "5.6.0", "A line is longer than \(limits.textLine) octets")
    }
    return true
  }

  // MARK: Replies

  /// Forgets the letter that was begun.
  mutating func reset() {
    envelope = nil
    data = nil
  }

  mutating func close() {
    phase = .closed
    reset()
    lines.drop()
    actions.append(.close)
  }

  /// A reply of one line; the enhanced code (RFC 2034) is left out for those who only said HELO.
  mutating func reply(_ code: Int, _ enhanced: String, _ text: String) {
    var line: [UInt8] = []
    line.appendDecimal(code)
    line.append(0x20)
    if extended && !enhanced.isEmpty {
      line += enhanced.utf8
      line.append(0x20)
    }
    line += text.utf8
    line += [0x0D, 0x0A]
    actions.append(.reply(line))
  }

  /// The command made sense.
  mutating func good(_ code: Int, _ enhanced: String, _ text: String) {
    errors = 0
    reply(code, enhanced, text)
  }

  /// It did not; a run of these ends the session.
  mutating func bad(_ code: Int, _ enhanced: String, _ text: String) {
    errors += 1
    mistakes += 1
    reply(code, enhanced, text)
    if errors >= limits.errors { sayGoodbye("4.7.0", "too many errors, closing connection") }
  }

  /// Guesses are counted over the whole session: what succeeds between them makes them no better.
  mutating func wrongPassword(_ text: String) {
    failedLogins += 1
    bad(535, "5.7.8", text)
    if failedLogins >= limits.logins { sayGoodbye("4.7.0", "too many wrong passwords, closing connection") }
  }

  /// A recipient is refused. A long list may have many dead addresses, so that alone ends no session, and none in which
  /// the letter has found a good recipient: it would be lost to that one as often as it is sent.
  mutating func refuse(_ code: Int, _ enhanced: String, _ text: String) {
    refusals += 1
    reply(code, enhanced, text)
    if refusals >= limits.refusals, envelope?.recipients.isEmpty != false {
      sayGoodbye("4.7.0", "too many refused recipients, closing connection")
    }
  }
}
