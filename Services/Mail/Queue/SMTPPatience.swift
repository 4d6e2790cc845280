/// How long the client waits for a reply: for the whole of it, however small the pieces it comes in (RFC 5321 §4.5.3.2).
struct SMTPPatience: Sendable {
  var connect = Duration.seconds(30)
  /// The 220.
  var greeting = Duration.seconds(300)
  /// EHLO, HELO, RSET, MAIL and RCPT.
  var command = Duration.seconds(300)
  /// DATA's 354.
  var data = Duration.seconds(120)
  /// Until the other side takes more of the letter.
  var block = Duration.seconds(180)
  /// After the final dot, when it stores the letter.
  var letter = Duration.seconds(600)
  /// QUIT, which decides nothing.
  var quit = Duration.seconds(5)
}
