import MailWire
import Octets

/// The server's side of one SMTP connection (RFC 5321), apart from all input and output: octets and answers go in, actions
/// come out of `next()`. While an answer is awaited nothing is read, so replies keep the commands' order (RFC 2920).
struct SMTPSession: Sendable {
  enum Phase: Equatable {
    case greeting, command, data
    case verifying(MailAddress)
    case authenticating(user: String)
    case storing
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
  var actions: [SMTPAction] = []
  /// What the client called itself.
  var client: String?
  /// It said EHLO: extensions and enhanced codes are on.
  var extended = false
  /// Who logged in.
  var user: String?
  var envelope: SMTPEnvelope?
  /// Senseless commands in a row.
  var errors = 0
  /// Recipients refused so far.
  var refusals = 0

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

  /// Octets that wait to be read; above a few lines the loop should stop reading from the client.
  var buffered: Int { lines.count }

  /// Octets of the letter that is coming in.
  var held: Int { data?.content.count ?? 0 }

  /// There is no room for the letter that is coming in.
  mutating func giveUpLetter() { data?.giveUp() }

  /// More octets came.
  mutating func receive(_ bytes: [UInt8]) {
    guard phase != .closed else { return }
    lines.append(bytes)
  }

  /// What to do next; nil when input or an answer has to come first.
  mutating func next() -> SMTPAction? {
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

  // MARK: Answers of the loop

  /// The answer to `verify`.
  mutating func recipient(_ verdict: RecipientVerdict) {
    guard case .verifying(let path) = phase else { return }
    phase = .command
    switch verdict {
    case .accepted:
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
  mutating func authenticated(_ right: Bool) {
    guard case .authenticating(let name) = phase else { return }
    phase = .command
    if right {
      user = name
      good(235, "2.7.0", "Authentication successful")
    } else {
      bad(535, "5.7.8", "User name or password is wrong")
    }
  }

  /// The answer to `store`.
  mutating func stored(_ verdict: StorageVerdict) {
    guard phase == .storing else { return }
    phase = .command
    reset()
    switch verdict {
    case .accepted(let note):
      good(250, "2.0.0", note.isEmpty ? "Message accepted for delivery" : "Message accepted for delivery (\(note))")
    case .loop: bad(554, "5.4.6", "Too many Received lines: this letter goes in circles")
    case .full: bad(452, "4.3.1", "The disk is full; try again later")
    case .failed: bad(451, "4.3.0", "The letter could not be stored; try again later")
    }
  }

  /// The loop ends the session, after a silence or when the server shuts down.
  mutating func end(_ enhanced: String, _ text: String) {
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
      phase = .storing
      actions.append(.store(envelope, content: decoder.content))
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
    reply(code, enhanced, text)
    if errors >= limits.errors { end("4.7.0", "too many errors, closing connection") }
  }

  /// A recipient is refused, which alone is no error of the client.
  private mutating func refuse(_ code: Int, _ enhanced: String, _ text: String) {
    refusals += 1
    reply(code, enhanced, text)
    if refusals >= limits.refusals { end("4.7.0", "too many refused recipients, closing connection") }
  }
}
