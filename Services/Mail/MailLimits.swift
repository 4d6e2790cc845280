/// Every bound of a mail host. What an operator may want otherwise has a flag.
///
/// The relay's and the sessions' are structs of their own, which stand with what they hold back.
struct MailLimits: Sendable {
  /// Of an SMTP session and its letters; the greatest letter (`size`) holds for REST too.
  var smtp = SMTPLimits()
  /// SMTP and POP3 sessions at a time.
  var sessions = SessionRegistry.Limits()
  /// Wrong passwords from an address, by whatever protocol.
  var logins = LoginGate.Limits()
  /// Of the work for other hosts.
  var relay = RelayLimits()

  /// Octets of memory for letters that are coming in by SMTP.
  var arriving = 268_435_456
  /// Octets of memory for letters that REST takes in, and for what it takes out of letters for a client to read.
  var handling = 268_435_456
  /// Silence after which an SMTP session ends: RFC 5321 §4.5.3.2.7 wants five minutes at least.
  var smtpSilence = Duration.seconds(300)
  /// Silence after which a POP3 session ends: RFC 1939 §3 wants ten minutes at least.
  var pop3Silence = Duration.seconds(600)
  /// The time a letter may take to come in: the greatest one, over a line of 80 kbit/s.
  var letterTime = Duration.seconds(3600)

  /// Letters that wait for other hosts, at a time.
  var queueLetters = 100_000
  /// Octets of those.
  var queueOctets = 20_000_000_000
  /// Finished letters that stay listed.
  var finishedLetters = 1000
  /// Tries of one letter that stay listed, each with a dialogue of at most 64 KiB.
  var attempts = 200
  /// Recipients of each letter that a list of letters shows.
  var listedRecipients = 10

  /// Messages of one mailbox.
  var mailboxMessages = 1_000_000
  /// Octets of those.
  var mailboxOctets = 20_000_000_000
  /// Folders of one mailbox.
  var folders = 1000

  /// Events that are kept for who comes back, and that a slow listener may be behind.
  var events = 1000
  /// Listeners to events at a time.
  var listeners = 1000
  /// Requests that wait for a letter in catch mode, at a time.
  var waiting = 1000
}
