/// How much the relay does at a time, and how long it waits.
struct RelayLimits: Sendable {
  /// Domains that are served at the same time, as long as their hosts answer.
  var parallel = 20
  /// Domains whose hosts let us wait, beside those.
  var slow = 500
  /// Without a letter handed over for so long, a host is slow.
  var slowAfter = Duration.seconds(10)
  /// Recipients taken up at once for a domain.
  var batch = 500
  /// Recipients in one transaction (RFC 5321 §4.5.3.1.8: every server takes a hundred).
  var recipients = 100
  /// Addresses of a domain's hosts that are tried in one pass.
  var addresses = 50
  /// Octets of memory for the letters that are being handed over.
  var room = 268_435_456
  /// Seconds until a letter that found no room has its turn again.
  var roomPause: Int64 = 60
  var patience = SMTPPatience()
  /// Before what could not be recorded is recorded again.
  var pause = Duration.seconds(5)
  /// So often in a row a host may drop the connection before it is left alone.
  var drops = 3
}
