import HTTPWire

/// Everything a connection decides (RFC 9112 §9), as a value: events go in, and what is to be done comes out.
///
/// It does no input or output and reads no clock; `HTTPConnection` does what it says. A connection alternates between waiting
/// and one exchange at a time, whose two halves, the content that comes and the answer that goes, end in either order.
struct ConnectionState<Time: Moment>: Sendable {
  struct Timeouts: Sendable {
    /// From the connection's start, or a later request's first octet, to the end of the head.
    let head: Time.Interval
    /// Between two requests.
    let idle: Time.Interval
    /// Without progress of the content or, once it waits for the client, of the answer.
    let content: Time.Interval
    /// After so long without a request, memory kept for the next one is given back.
    let quiet = Time.interval(.seconds(2))
    /// For a head that is half here when the server stops.
    let drain = Time.interval(.seconds(1))
    /// How long a client that has finished sending waits for an answer before it is looked for.
    let probe = Time.interval(.seconds(1))

    init(head: Duration, idle: Duration, content: Duration) {
      self.head = Time.interval(head)
      self.idle = Time.interval(idle)
      self.content = Time.interval(content)
    }
  }

  enum Phase: Sendable, Equatable {
    /// Nothing of a request is here.
    case idle
    /// A part of a head is.
    case head
    /// A request's content or its answer is not complete.
    case exchange
    /// The last has been said; what still comes is thrown away.
    case closing
    case closed
  }

  /// How far the content of the request under way has come.
  enum Content: Sendable, Equatable {
    case receiving, complete
    case failed(RequestError)
    /// The client has gone, or is too slow.
    case lost
  }

  /// How far its answer has gone.
  enum Answer: Sendable, Equatable {
    case awaited
    /// The head has been sent, its content is still made.
    case streaming(Streaming)
    case whole
  }

  struct Streaming: Sendable, Equatable {
    let isChunked: Bool
    /// Events without an end of their own: ended when the server drains.
    let isLive: Bool
    /// Octets that were promised and have not been written.
    var left: Int?
    var trailers: FieldBlock = [:]
  }

  /// Content that a handler has not taken yet; above it the client waits.
  static var contentWindow: Int { 65_536 }
  /// Content that is read and thrown away after an early answer, rather than losing the connection.
  static var discardLimit: Int { 262_144 }

  let timeouts: Timeouts
  var phase = Phase.idle
  var content = Content.complete
  var answer = Answer.whole
  /// Names the exchange under way, so that a late handler can't touch a later one.
  var serial: UInt64 = 0
  var isDraining = false
  var keepsAlive = true
  /// The client holds its content back until it is told to go on (RFC 9110 §10.1.1).
  var owesContinue = false
  var parser: RequestParser
  var decoder = BodyDecoder(.none)
  /// Content that no reader has taken.
  var portion: [UInt8] = []

  /// By when the client must have sent something, or be gone.
  var inputDeadline: Time?
  /// By when the client must have read something, while an answer waits for it.
  var outputDeadline: Time?
  /// In the idle phase: when the wait ends, while `inputDeadline` is the shorter one after which memory is given back.
  var idleEnd: Time?
  /// Octets that had not left when a deadline was last looked at: a slow reader is one where they change.
  var lastPending = 0

  init(limits: Limits, timeouts: Timeouts, at now: Time) {
    self.timeouts = timeouts
    parser = RequestParser(limits: limits)
    inputDeadline = now + timeouts.head
  }

  /// The head of the request under way, or as much of it as was understood.
  var head: RequestHead { parser.head }
  var isOpen: Bool { phase != .closing && phase != .closed }

  // MARK: Octets come

  /// What the octets lead to; asked again until all are used or none can be.
  enum Step: Sendable, Equatable {
    /// All of the input is used.
    case more
    /// The rest can't be used yet: the client waits.
    case hold
    /// `head` is complete and `serial` names the exchange: its handler is to be found.
    case request
    /// The reader, if one waits, has something to read or has reached the end.
    case content
    /// The exchange is over, and what follows is the next request's.
    case next
    /// The octets can't be understood: answer with the reason if `answers`, then close.
    case refuse(RequestError, answers: Bool)
    /// More content comes than is worth throwing away.
    case close
  }

  /// Uses octets of the input from `index` on.
  ///
  /// - Parameter isCongested: whether answers wait for the client. One who doesn't read them gets no further ones made.
  mutating func take(_ input: RawSpan, _ index: inout Int, isCongested: Bool, at now: Time) -> Step {
    if index >= input.byteCount { return .more }
    do throws(RequestError) {
      switch phase {
      case .idle:
        if isCongested { return .hold }
        beginHead(at: now)
        return try takeHead(input, &index, at: now)
      case .head: return try takeHead(input, &index, at: now)
      case .exchange: return try takeContent(input, &index, at: now)
      case .closing, .closed:
        index = input.byteCount
        return .more
      }
    } catch {
      return refuse(error)
    }
  }

  /// The deadline of a head runs from its first octet, blank lines included, and nothing sent later moves it; the first head's
  /// has run since the connection began.
  private mutating func beginHead(at now: Time) {
    phase = .head
    // Only now: nobody but a handler that kept it has a copy of the last head, and its buffers are used again.
    if parser.isComplete { parser.reset() }
    if serial > 0 { inputDeadline = now + timeouts.head }
  }

  private mutating func takeHead(_ input: RawSpan, _ index: inout Int, at now: Time) throws(RequestError) -> Step {
    index += try parser.feed(input.extracting(index..<input.byteCount))
    guard parser.isComplete else { return .more }
    phase = .exchange
    serial &+= 1
    answer = .awaited
    keepsAlive = parser.head.keepsAlive
    owesContinue = parser.head.expectsContinue
    idleEnd = nil
    if !portion.isEmpty { portion.removeAll(keepingCapacity: true) }
    if parser.head.framing == .none {
      content = .complete
      inputDeadline = nil
    } else {
      content = .receiving
      decoder = BodyDecoder(parser.head.framing, limits: parser.limits)
      inputDeadline = owesContinue ? nil : now + timeouts.content
    }
    return .request
  }

  private mutating func takeContent(_ input: RawSpan, _ index: inout Int, at now: Time) throws(RequestError) -> Step {
    guard content == .receiving else { return .hold }
    if portion.count >= Self.contentWindow {
      // It's the handler that is slow.
      inputDeadline = nil
      return .hold
    }
    let step = try decoder.advance(input, from: index)
    index = step.next
    owesContinue = false
    inputDeadline = now + timeouts.content
    if answer == .whole {
      if decoder.received > Self.discardLimit {
        beginClosing()
        return .close
      }
    } else if !step.content.isEmpty {
      unsafe input.extracting(step.content).withUnsafeBytes { unsafe portion.append(contentsOf: $0) }
    }
    guard decoder.isFinished else { return step.content.isEmpty ? .next : .content }
    content = .complete
    inputDeadline = nil
    guard answer == .whole else { return .content }
    endExchange(at: now)
    return .next
  }

  /// What is wrong with the request makes all that follows unreadable as well.
  private mutating func refuse(_ error: RequestError) -> Step {
    if phase == .exchange { content = .failed(error) }
    // Within an answer that has begun another would be taken for its content.
    let answers = phase == .head || answer == .awaited
    beginClosing()
    return .refuse(error, answers: answers)
  }

  // MARK: Content is read

  enum Reading: Sendable, Equatable {
    case portion([UInt8])
    case end
    /// Nothing is here yet; where `saysContinue`, the client is told that its content is wanted.
    case wait(saysContinue: Bool)
    case failed(RequestError)
    /// The request is over, or its client gone.
    case closed
  }

  mutating func read(_ request: UInt64, at now: Time) -> Reading {
    guard request == serial else { return .closed }
    if case .failed(let error) = content, portion.isEmpty { return .failed(error) }
    // What comes after the answer is thrown away, and its end would look like the end of all.
    if answer == .whole { return .closed }
    if !portion.isEmpty {
      var taken: [UInt8] = []
      swap(&taken, &portion)
      return .portion(taken)
    }
    switch content {
    case .complete: return .end
    case .failed, .lost: return .closed
    case .receiving: break
    }
    guard isOpen else { return .closed }
    inputDeadline = now + timeouts.content
    guard owesContinue else { return .wait(saysContinue: false) }
    owesContinue = false
    // Within an answer that has begun it would be taken for content.
    return .wait(saysContinue: answer == .awaited)
  }

  /// The trailer fields, once the content has ended (RFC 9110 §6.5).
  func trailers(of request: UInt64) -> [(name: String, value: String)] {
    request == serial && content == .complete ? decoder.trailers : []
  }
}
