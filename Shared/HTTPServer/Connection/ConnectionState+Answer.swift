import HTTPWire

/// The answer's half of an exchange.
extension ConnectionState {
  /// How an answer is sent.
  struct Plan: Sendable, Equatable {
    var framing: ResponseFraming
    /// Told in the head: the answer of a connection that closes says so.
    var keepsAlive: Bool
    var isHTTP10: Bool
    /// False for HEAD and for a status that has no content.
    var sendsContent: Bool
  }

  /// Whether the exchange still waits for its answer.
  func awaits(_ request: UInt64) -> Bool {
    request == serial && phase == .exchange && answer == .awaited
  }

  /// Decides how the answer is framed and whether the connection stays (RFC 9112 §6.3, §9.3).
  ///
  /// - Parameter length: octets of content; nil when only its end will tell.
  mutating func plan(_ status: Status, length: Int?) -> Plan {
    let head = parser.head
    let isHTTP10 = head.version == .http10
    let isHead = head.method == .head
    // What the client still holds back for a 100 that never came can't be told from the next request.
    if isDraining || owesContinue && content == .receiving { keepsAlive = false }
    let framing: ResponseFraming
    if status.forbidsContent {
      framing = .none
    } else if let length {
      framing = .length(length)
    } else if !isHTTP10 {
      framing = .chunked
    } else if isHead {
      // Without content its end needs no mark.
      framing = .none
    } else {
      framing = .untilClose
      keepsAlive = false
    }
    return Plan(
      framing: framing, keepsAlive: keepsAlive, isHTTP10: isHTTP10, sendsContent: !status.forbidsContent && !isHead)
  }

  /// The answer's content is made while it is sent.
  mutating func beginStream(_ plan: Plan, length: Int?, isLive: Bool) {
    outputDeadline = nil
    answer = .streaming(Streaming(isChunked: plan.framing == .chunked, isLive: isLive, left: length))
  }

  /// The answer has been handed over whole. `close` when the connection ends with it.
  mutating func answered(at now: Time) -> Ending {
    answer = .whole
    outputDeadline = nil
    guard keepsAlive, !isDraining else {
      beginClosing()
      return .close
    }
    switch content {
    case .complete: endExchange(at: now)
    case .receiving: discardContent(at: now)
    case .failed, .lost:
      beginClosing()
      return .close
    }
    return .nothing
  }

  // MARK: Streams

  func isStreaming(_ request: UInt64) -> Bool { stream(request) != nil }

  private func stream(_ request: UInt64) -> Streaming? {
    guard request == serial, isOpen, case .streaming(let stream) = answer else { return nil }
    return stream
  }

  mutating func setTrailers(_ trailers: FieldBlock, of request: UInt64) {
    guard var stream = stream(request) else { return }
    stream.trailers = trailers
    answer = .streaming(stream)
  }

  enum Writing: Sendable, Equatable {
    case send(isChunk: Bool)
    /// More than was promised, which would be read as the next answer.
    case tooMuch
    case closed
  }

  mutating func write(_ count: Int, of request: UInt64) -> Writing {
    guard var stream = stream(request) else { return .closed }
    if let left = stream.left {
      guard count <= left else { return .tooMuch }
      stream.left = left - count
      answer = .streaming(stream)
    }
    return .send(isChunk: stream.isChunked)
  }

  enum Finish: Sendable, Equatable {
    /// The last chunk with these trailers.
    case lastChunk(FieldBlock)
    /// Nothing has to mark the end.
    case bare
    /// Cut short, the content must not look whole: it ends without its last chunk, or its length.
    case abort
    case stale
  }

  /// The producer has returned or, where `failed`, thrown. Unless it says otherwise, `answered` is next.
  mutating func finishStream(_ request: UInt64, failed: Bool) -> Finish {
    guard let stream = stream(request) else { return .stale }
    if failed || (stream.left ?? 0) > 0 {
      beginClosing()
      return .abort
    }
    return stream.isChunked ? .lastChunk(stream.trailers) : .bare
  }
}
