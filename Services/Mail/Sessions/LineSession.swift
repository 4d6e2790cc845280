/// The server's side of one connection of a line protocol (SMTP, POP3), apart from all input and output: octets and
/// answers go in, actions come out of `next()`.
///
/// While an answer is awaited the session reads nothing, so replies keep the order of the commands (RFC 2920 §3.2,
/// RFC 2449 §6.8).
protocol LineSession: Sendable {
  /// What has to be found out or done outside, such as checking a password.
  associatedtype Request: Sendable

  /// Octets that came and were not read.
  var buffered: Int { get }
  /// What came so far and made no sense, for the counters.
  var mistakes: Int { get }
  /// A letter is coming in.
  var isReceiving: Bool { get }
  /// Octets of an unfinished letter that take up memory, until its fate is known.
  var held: Int { get }

  /// Octets came.
  mutating func receive(_ octets: [UInt8])
  /// What to do next; nil when input or an answer has to come first.
  mutating func next() -> LineAction<Request>?
  /// There is no memory for what is held: the letter is read on, kept no more, and refused.
  mutating func giveUpLetter()
  /// The connection ends the session: `close` follows, behind a goodbye where the protocol has one.
  mutating func end(_ reason: LineEnding)
}

/// What a session wants done, in this order and one after the other. STARTTLS will be one more: behind the reply that has
/// left, drop what the session has buffered in plain, and change the stream.
enum LineAction<Request: Sendable>: Sendable {
  case reply([UInt8])
  /// Wait until everything said so far has been handed over: what follows can't be taken back.
  case flush
  /// Find the answer and give it to the session.
  case ask(Request)
  /// Nothing follows: let the output go out, then close.
  case close
}

extension LineAction: Equatable where Request: Equatable {}

/// Why the connection ends a session.
enum LineEnding: Sendable {
  /// It would be one too many.
  case crowded
  /// No whole line came for too long.
  case silence
  /// The letter that is coming in takes too long.
  case slowness
  /// The service stops.
  case shutdown
  /// The store was emptied: nothing that the session knows is there any more.
  case reset
  /// The client said its last octet, or is gone.
  case hangUp
}
