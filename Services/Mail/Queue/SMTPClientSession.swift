import MailWire
import Octets

/// What a connection hands over in one transaction.
struct Consignment: Sendable, Equatable {
  /// Nil is the null path.
  var sender: MailAddress?
  var recipients: [MailAddress]
  /// As stored: CRLF lines, not dot-stuffed.
  var content: [UInt8]
  /// It came with SMTPUTF8 (RFC 6531), so its headers may be in UTF-8.
  var utf8 = false

  var withASCIIDomains: Consignment {
    Consignment(
      sender: sender?.withASCIIDomain, recipients: recipients.map(\.withASCIIDomain), content: content, utf8: utf8)
  }
}

/// The client's side of one SMTP connection (RFC 5321), apart from all input and output: replies go in, commands come out.
///
/// One connection carries several letters. Commands go out together where the server knows PIPELINING (RFC 2920).
struct SMTPClientSession: Sendable {
  enum Phase: Equatable {
    case greeting, hello
    /// The next letter may begin.
    case ready
    case transaction
    case quitting, closed
  }

  /// What the other side said it can.
  struct Abilities: Sendable, Equatable {
    var pipelining = false
    var eightBit = false
    var utf8 = false
    var size: Int?
    /// It announced SIZE, with or without a limit.
    var sizes = false
  }

  /// A command whose reply is awaited.
  private enum Step: Equatable {
    case ehlo, helo, reset, mail, recipient(Int), data, letter, emptyLetter, quit
  }

  let hostname: String
  private(set) var phase = Phase.greeting
  private(set) var abilities = Abilities()
  /// What was said since it was last taken, for people.
  private(set) var dialogue = Dialogue()
  /// Whole replies that have come.
  private(set) var replies = 0
  /// The other side has answered the letter's MAIL, so it knows of it.
  private(set) var isOffered = false
  /// Why the connection is of no use, once that is so.
  private(set) var failure: DeliveryVerdict?

  private var parser = SMTPReplyParser()
  private var awaited: [Step] = []
  private var unsent: [Step] = []
  private var output: [UInt8] = []
  private var consignment: Consignment?
  private var content: [UInt8] = []
  /// The content has octets above 127.
  private var isEightBit = false
  /// Its header has UTF-8 that only SMTPUTF8 may carry.
  private var hasUTF8Header = false
  private var needsReset = false
  private var verdicts: [DeliveryVerdict?] = []
  private var accepted: [Int] = []

  init(hostname: String) {
    self.hostname = hostname
  }

  /// The octets to send now.
  mutating func takeOutput() -> [UInt8] {
    defer { output = [] }
    return output
  }

  /// The verdicts on the last letter, one for each recipient in its order, as soon as all are known.
  mutating func takeVerdicts() -> [DeliveryVerdict]? {
    guard consignment != nil, phase != .transaction else { return nil }
    consignment = nil
    content = []
    let lost = failure ?? DeliveryVerdict(.deferred, EnhancedStatus(4, 4, 2), "the connection was lost")
    defer { verdicts = [] }
    return verdicts.map { $0 ?? lost }
  }

  /// Forgets what was said, when it has been written down.
  mutating func takeDialogue() -> Dialogue {
    defer { dialogue = Dialogue() }
    return dialogue
  }

  /// How long the other side may take for the reply that is awaited.
  func patience(_ patience: SMTPPatience) -> Duration {
    switch (phase, awaited.first) {
    case (.greeting, _): patience.greeting
    case (_, .data): patience.data
    case (_, .letter), (_, .emptyLetter): patience.letter
    case (_, .quit): patience.quit
    default: patience.command
    }
  }

  /// A letter was said to its end, and only the answer to it is left.
  var awaitsVerdict: Bool { awaited.first == .letter }

  mutating func remark(_ text: String) { dialogue.append("* \(text)") }

  /// Begins a letter; only when `ready`.
  mutating func begin(_ letter: Consignment) {
    guard phase == .ready, consignment == nil else { return }
    // Without SMTPUTF8 a domain goes as the DNS has it, and only a local part beyond ASCII can't go (RFC 6531 §3.2).
    let letter = abilities.utf8 ? letter : letter.withASCIIDomains
    consignment = letter
    verdicts = Array(repeating: nil, count: letter.recipients.count)
    accepted = []
    content = letter.content
    isOffered = false
    if let size = abilities.size, content.count > size {
      return refuse(
        EnhancedStatus(5, 3, 4), "the letter has \(content.count) octets, the next host takes \(size)")
    }
    // The flag alone is no reason: without UTF-8 in envelope or header the letter is an ordinary one (RFC 6531 §3.2).
    isEightBit = !SevenBit.isSevenBit(content)
    hasUTF8Header = letter.utf8 && isEightBit && SevenBit.hasUTF8Header(content)
    if !abilities.utf8 {
      if hasUTF8Header {
        return refuse(EnhancedStatus(5, 6, 9), "the next host does not take headers in UTF-8 (SMTPUTF8)")
      }
      if letter.sender?.needsUTF8 == true {
        return refuse(EnhancedStatus(5, 6, 7), "the next host does not know the sender's kind of address (SMTPUTF8)")
      }
      let foreign = letter.recipients.indices.filter { letter.recipients[$0].needsUTF8 }
      if !foreign.isEmpty {
        refuse(EnhancedStatus(5, 6, 7), "the next host does not know this kind of address (SMTPUTF8)", for: foreign)
        if foreign.count == letter.recipients.count { return }
      }
    }
    if !abilities.eightBit && isEightBit {
      do throws(SevenBit.Obstacle) {
        content = try SevenBit.convert(content)
      } catch {
        return refuse(EnhancedStatus(5, 6, 3), "the next host takes 7-bit letters only, and \(error)")
      }
    }
    phase = .transaction
    unsent = (needsReset ? [.reset] : []) + [.mail]
    unsent += letter.recipients.indices.filter { verdicts[$0] == nil }.map { .recipient($0) }
    unsent.append(.data)
    needsReset = true
    send()
  }

  /// Says goodbye.
  mutating func quit() {
    guard phase == .ready else {
      phase = .closed
      return
    }
    phase = .quitting
    unsent = [.quit]
    send()
  }

  /// Octets came.
  mutating func receive(_ octets: [UInt8]) {
    parser.append(octets)
    do throws(SMTPReplyError) {
      while phase != .closed, let reply = try parser.next() { take(reply) }
    } catch {
      fail(DeliveryVerdict(.deferred, EnhancedStatus(4, 5, 0), "the next host does not speak SMTP: \(error)"))
    }
  }

  /// The connection ended, or nothing came for too long.
  /// - Parameter hasLeft: all output so far may have reached the other side.
  mutating func disconnected(_ reason: String, hasLeft: Bool = true) {
    guard phase != .closed else { return }
    if phase != .quitting { remark(reason) }
    let verdict = DeliveryVerdict(.deferred, EnhancedStatus(4, 4, 2), reason)
    if awaited.first == .letter, hasLeft {
      // It may have been taken, and only the answer is lost: a second host asked at once would make two of it (RFC 1047).
      var unsure = verdict
      unsure.text = "\(reason), and it is not known whether the letter was taken"
      unsure.maySearchOn = false
      decide(unsure, for: accepted)
    }
    fail(verdict)
  }

  // MARK: Replies

  private mutating func take(_ reply: SMTPReply) {
    replies += 1
    for (index, line) in reply.lines.enumerated() {
      let mark = index == reply.lines.count - 1 ? " " : "-"
      let status = reply.enhanced.map { "\($0) " } ?? ""
      dialogue.append("S: \(reply.code)\(mark)\(status)\(line)")
    }
    if phase == .transaction, reply.code != 421 { isOffered = isOffered || awaited.first == .mail }
    if reply.code == 421 { return fail(DeliveryVerdict(reply)) }
    switch phase {
    case .greeting:
      guard reply.isCompleted else { return unusable(reply) }
      phase = .hello
      unsent = [.ehlo]
    case .hello:
      hello(reply)
    case .transaction:
      guard !awaited.isEmpty else { return unasked() }
      transaction(awaited.removeFirst(), reply)
    case .ready:
      return unasked()
    case .quitting, .closed:
      phase = .closed
    }
    send()
  }

  private mutating func unasked() {
    fail(DeliveryVerdict(.deferred, EnhancedStatus(4, 5, 0), "the next host replied without being asked"))
  }

  /// A host that refuses everyone does not decide over the letter: another one may take it.
  private mutating func unusable(_ reply: SMTPReply) {
    var verdict = DeliveryVerdict(reply)
    if verdict.kind != .deferred {
      verdict.kind = .deferred
      verdict.status = EnhancedStatus(4, 3, 2)
    }
    fail(verdict)
  }

  private mutating func hello(_ reply: SMTPReply) {
    guard !awaited.isEmpty else { return unusable(reply) }
    let step = awaited.removeFirst()
    if step == .ehlo && reply.isPermanent {
      unsent = [.helo]
      return
    }
    guard reply.isCompleted else { return unusable(reply) }
    phase = .ready
    guard step == .ehlo else { return }
    for line in reply.lines.dropFirst() {
      let words = line.split(separator: " ")
      switch words.first?.uppercased() {
      case "PIPELINING": abilities.pipelining = true
      case "8BITMIME": abilities.eightBit = true
      case "SMTPUTF8":
        abilities.utf8 = true
        // RFC 6531 §3.1 (6): who has the one has the other.
        abilities.eightBit = true
      case "SIZE":
        abilities.sizes = true
        abilities.size = words.dropFirst().first.flatMap { Int($0) }.flatMap { $0 > 0 ? $0 : nil }
      default: break
      }
    }
  }

  private mutating func transaction(_ step: Step, _ reply: SMTPReply) {
    switch step {
    case .mail:
      guard !reply.isCompleted else { break }
      decide(DeliveryVerdict(judging(reply)), for: verdicts.indices.filter { verdicts[$0] == nil })
      unsent = []
    case .recipient(let index):
      if reply.isCompleted {
        accepted.append(index)
      } else if verdicts[index] == nil {
        verdicts[index] = DeliveryVerdict(judging(reply))
      }
    case .data:
      if reply.code == 354 {
        unsent = [accepted.isEmpty || verdicts.allSatisfy { $0 != nil } ? .emptyLetter : .letter]
      } else {
        // A success is no answer to DATA: nothing was handed over yet.
        decide(DeliveryVerdict(reply.isCompleted ? SMTPReply(451, reply.lines) : reply), for: accepted)
      }
    case .letter:
      needsReset = false
      decide(DeliveryVerdict(judging(reply)), for: accepted)
    default: break
    }
    if unsent == [.data] && accepted.isEmpty { unsent = [] }
    if unsent.isEmpty && awaited.isEmpty { phase = .ready }
  }

  /// A 3yz where none is due says nothing: try again later.
  private func judging(_ reply: SMTPReply) -> SMTPReply {
    reply.isIntermediate ? SMTPReply(451, reply.lines) : reply
  }

  private mutating func decide(_ verdict: DeliveryVerdict, for indices: [Int]) {
    for index in indices where verdicts[index] == nil { verdicts[index] = verdict }
  }

  /// The letter can't go to this host.
  private mutating func refuse(_ status: EnhancedStatus, _ text: String, for indices: [Int]? = nil) {
    remark(text)
    decide(DeliveryVerdict(.refused, status, text), for: indices ?? Array(verdicts.indices))
  }

  private mutating func fail(_ verdict: DeliveryVerdict) {
    failure = verdict
    phase = .closed
    awaited = []
    unsent = []
  }

  // MARK: Commands

  /// Sends what may be sent: everything up to DATA at once with PIPELINING, else one command at a time.
  private mutating func send() {
    while let step = unsent.first, awaited.isEmpty || (abilities.pipelining && phase == .transaction) {
      // The letter itself follows only the 354.
      if step == .letter || step == .emptyLetter, !awaited.isEmpty { return }
      unsent.removeFirst()
      awaited.append(step)
      write(step)
    }
  }

  private mutating func write(_ step: Step) {
    switch step {
    case .ehlo: command("EHLO \(hostname)")
    case .helo: command("HELO \(hostname)")
    case .reset: command("RSET")
    case .data: command("DATA")
    case .quit: command("QUIT")
    case .mail:
      var line = "MAIL FROM:\(consignment?.sender?.path ?? "<>")"
      if abilities.sizes { line += " SIZE=\(content.count)" }
      if abilities.eightBit && isEightBit { line += " BODY=8BITMIME" }
      if abilities.utf8, let letter = consignment,
        hasUTF8Header || letter.sender?.needsUTF8 == true || letter.recipients.contains(where: \.needsUTF8)
      {
        line += " SMTPUTF8"
      }
      command(line)
    case .recipient(let index):
      command("RCPT TO:\(consignment?.recipients[index].path ?? "")")
    case .letter:
      dialogue.append("C: (the letter, \(content.count) octets)")
      dialogue.append("C: .")
      output += DotStuffer.encode(content)
      // Nobody asks for it any more, and it may be large.
      content = []
    case .emptyLetter:
      command(".")
    }
  }

  private mutating func command(_ text: String) {
    dialogue.append("C: \(text)")
    output += text.utf8
    output += [0x0D, 0x0A]
  }
}
