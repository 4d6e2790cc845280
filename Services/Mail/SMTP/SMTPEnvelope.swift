import MailWire

/// The bounds of an SMTP session.
struct SMTPLimits: Sendable {
  /// Octets of a command line, its end included: 512, and what the extensions add (RFC 5321 §4.5.3.1.4).
  var commandLine = 2048
  /// Octets of a line in an AUTH exchange (RFC 4954 §4).
  var authenticationLine = 12288
  /// Octets of a letter's line, its end not counted.
  var textLine = 998
  /// Octets of a letter.
  var size = 35_000_000
  /// Recipients of one letter.
  var recipients = 1000
  /// Commands in a row that make no sense before the session ends.
  var errors = 10
  /// Recipients refused in a row, with none accepted for the letter, before the session ends.
  var refusals = 200
  /// Wrong passwords before the session ends.
  var logins = 5
}

/// What the commands before DATA said.
struct SMTPEnvelope: Sendable, Equatable {
  /// Nil is the null path `<>`.
  var sender: MailAddress?
  var recipients: [MailAddress] = []
  /// BODY=8BITMIME (RFC 6152).
  var eightBit = false
  /// SMTPUTF8 (RFC 6531).
  var utf8 = false
}

/// Whether a recipient's mail is taken.
enum RecipientVerdict: Sendable, Equatable {
  case accepted
  case unknownUser
  case relayingDenied
  case tryLater
}

/// What became of a letter.
enum StorageVerdict: Sendable, Equatable {
  /// It is durable.
  case accepted(note: String)
  /// It has been through too many hosts.
  case loop
  /// The mailbox of every recipient has gone since it was named.
  case nobodyLeft
  /// The mailbox of every recipient that is left holds as much as it may.
  case mailboxFull
  /// As much waits for other hosts as may.
  case queueFull
  /// The disk is full.
  case full
  /// Something else went wrong; the client may try again.
  case failed
}

/// Which door the client came through.
struct SMTPDoor: Sendable {
  /// A submission port takes letters only from those who have a password (RFC 6409).
  var submission = false
  /// Passwords may be sent: the stream is protected, or never leaves the machine.
  var passwordsAllowed = true
  /// Everyone's password is right and nobody has to give one.
  var catchesAll = false
}

/// A letter that has come in whole, and what its trace says of the way it came.
struct SMTPLetter: Sendable, Equatable {
  var envelope: SMTPEnvelope
  var content: [UInt8]
  /// What the client called itself.
  var client: String
  /// `SMTP`, `ESMTP`, `ESMTPA`, … (RFC 3848).
  var transport: String
  /// Whoever hands it in has logged in: it is an author's, not another host's.
  var isAuthors: Bool
}

/// What came of a login.
enum SMTPLogin: Sendable, Equatable {
  /// `owner` is the address the user may send from; nil: any.
  case accepted(owner: MailAddress?)
  case denied
  /// Too many from there were wrong.
  case tooMany
  case failed
}

/// What an SMTP session has to be told.
enum SMTPRequest: Sendable, Equatable {
  /// Answer with `recipient(_:)`. A trusted client may send anywhere.
  case verify(MailAddress, trusted: Bool)
  /// Answer with `authenticated(_:)`.
  case authenticate(user: String, password: String)
  /// Answer with `stored(_:)`, after it is durable.
  case store(SMTPLetter)
}
