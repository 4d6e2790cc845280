import HTTPWire

/// How a connection ends: the client goes, the server stops, or a deadline passes.
extension ConnectionState {
  enum Ending: Sendable, Equatable {
    case nothing
    /// Everything written still leaves, then the connection ends.
    case close
    /// The connection ends now.
    case end
    /// What was sent must not look whole: the connection is reset.
    case abort
    /// A live stream is ended in order, as if its producer had returned.
    case finishStream
    /// 408, then close.
    case timeOut(detail: String)
    /// Buffers are given back.
    case release
    /// An interim response is sent: one who only finished sending skips it, one who has gone answers with a reset.
    case probe
  }

  /// The client has sent its last, and all of it has been used: a whole request is still answered, half of one is not.
  ///
  /// The end of the stream doesn't tell whether the client still reads; only something sent does. While an answer takes its
  /// time that is a 100 (Continue), which a client must be able to skip, expected or not (RFC 9110 §15.2).
  mutating func peerFinished(at now: Time) -> Ending {
    switch phase {
    case .idle, .head:
      beginClosing()
      return .close
    case .exchange:
      if content == .receiving {
        content = .lost
        return cut()
      }
      if answer == .awaited, parser.head.version == .http11 { outputDeadline = now + timeouts.probe }
      // A live stream has no end to wait for.
      guard case .streaming(let stream) = answer, stream.isLive else { return .nothing }
      keepsAlive = false
      return .finishStream
    case .closing, .closed: return .nothing
    }
  }

  /// The server stops: live streams end now, the request under way is answered, a head half here has a moment to become whole.
  mutating func drain(pending: Int, at now: Time) -> Ending {
    isDraining = true
    switch phase {
    case .idle:
      // Nothing is owed to an idle client, so its end isn't waited for.
      beginClosing()
      return pending == 0 ? .end : .close
    case .head:
      let soon = now + timeouts.drain
      inputDeadline = inputDeadline.map { min($0, soon) } ?? soon
      return .nothing
    case .exchange:
      if case .streaming(let stream) = answer, stream.isLive { return .finishStream }
      return .nothing
    case .closing, .closed: return .nothing
    }
  }

  /// The connection is gone.
  mutating func ended() {
    if content == .receiving { content = .lost }
    phase = .closed
    clearDeadlines()
  }

  mutating func beginClosing() {
    guard isOpen else { return }
    if phase == .exchange, content == .receiving { content = .lost }
    phase = .closing
    clearDeadlines()
  }

  /// The exchange can't be completed.
  private mutating func cut() -> Ending {
    beginClosing()
    if case .streaming = answer { return .abort }
    return .close
  }

  mutating func endExchange(at now: Time) {
    phase = .idle
    rest(at: now)
  }

  // MARK: Deadlines

  /// When `expire` is to be asked.
  var deadline: Time? {
    guard let input = inputDeadline else { return outputDeadline }
    guard let output = outputDeadline else { return input }
    return min(input, output)
  }

  /// Looks which deadline has passed; none may have, since they move.
  ///
  /// - Parameter pending: octets that have not left.
  mutating func expire(pending: Int, at now: Time) -> Ending {
    if let due = outputDeadline, due <= now {
      if answer == .awaited {
        outputDeadline = nil
        return .probe
      }
      if moves(pending) {
        outputDeadline = now + timeouts.content
      } else {
        return cut()
      }
    }
    guard let due = inputDeadline, due <= now else { return .nothing }
    switch phase {
    case .idle:
      if pending > 0, moves(pending) {
        inputDeadline = now + timeouts.content
        return .nothing
      }
      if let end = idleEnd, end > now {
        inputDeadline = end
        return .release
      }
      beginClosing()
      return .close
    case .head:
      beginClosing()
      return isDraining ? .close : .timeOut(detail: "The head of the request took too long.")
    case .exchange:
      content = .lost
      let isAwaited = answer == .awaited
      let ending = cut()
      return isAwaited ? .timeOut(detail: "The content of the request took too long.") : ending
    case .closing, .closed: return .nothing
    }
  }

  /// All that was written has left: the idle time of a slow reader begins only now.
  mutating func outputDrained(at now: Time) {
    outputDeadline = nil
    if phase == .idle { rest(at: now) }
  }

  /// A producer waits until the client has read.
  mutating func waitForClient(at now: Time) {
    if outputDeadline == nil { outputDeadline = now + timeouts.content }
  }

  /// Gives back what is kept for the next request.
  mutating func releaseBuffers() {
    parser = RequestParser(limits: parser.limits)
    portion = []
    decoder = BodyDecoder(.none)
  }

  private mutating func rest(at now: Time) {
    guard serial > 0 else { return }
    let end = now + timeouts.idle
    idleEnd = end
    inputDeadline = min(now + timeouts.quiet, end)
  }

  private mutating func moves(_ pending: Int) -> Bool {
    defer { lastPending = pending }
    return pending != lastPending
  }

  private mutating func clearDeadlines() {
    inputDeadline = nil
    outputDeadline = nil
  }

  /// The content that still comes will be thrown away.
  mutating func discardContent(at now: Time) {
    portion = []
    inputDeadline = now + timeouts.content
  }
}
