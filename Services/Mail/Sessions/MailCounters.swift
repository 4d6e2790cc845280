import ServiceKit

/// What the service counts of its mail.
struct MailCounters: Sendable {
  let accepted: Counter
  let refused: Counter
  let relayed: Counter
  let deferred: Counter
  let bounced: Counter
  let mistakes: Counter
  let wrongPasswords: Counter
  let turnedAway: Counter

  init(_ metrics: Metrics = Metrics()) {
    accepted = metrics.counter("mail_letters_accepted_total", help: "Letters taken by SMTP and made durable.")
    refused = metrics.counter("mail_recipients_refused_total", help: "Recipients refused by SMTP.")
    relayed = metrics.counter("mail_recipients_relayed_total", help: "Recipients whose letter the next host took.")
    deferred = metrics.counter("mail_recipients_deferred_total", help: "Tries that ended in waiting for the next one.")
    bounced = metrics.counter("mail_recipients_failed_total", help: "Recipients given up, and reported to the sender.")
    mistakes = metrics.counter("mail_mistakes_total", help: "Commands and letters of SMTP and POP3 that made no sense.")
    wrongPasswords = metrics.counter("mail_wrong_passwords_total", help: "Logins by SMTP, POP3 and REST that failed.")
    turnedAway = metrics.counter("mail_sessions_refused_total", help: "Connections over the limits.")
  }
}
