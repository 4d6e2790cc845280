/// The actor that a stream belongs to: a protocol's session with what it needs to act.
///
/// Its executor must be the stream's loop. Every call comes on the loop, one at a time.
public protocol StreamOwner: Actor, Selectable {
  var stream: TCPStream { get }
  /// Octets have come; the span is valid only during the call.
  func received(_ octets: RawSpan)
  /// The peer will send no more; it may still read.
  func peerFinished()
  /// After congestion, or where it was asked for, everything has left: go on producing.
  func drained()
  /// The stream is over, by an error or (nil) in order. Called once, and not after the owner's own `close`.
  func ended(_ error: IOError?)
}

extension StreamOwner {
  public func drained() {}

  /// Begins to receive.
  public func startReceiving() throws(IOError) {
    try stream.register(self)
  }

  public nonisolated func ready(_ readiness: Readiness) {
    assumeIsolated { $0.turn(readiness) }
  }

  nonisolated func streamDrained() { assumeIsolated { $0.drained() } }
  nonisolated func streamEnded(_ error: IOError?) { assumeIsolated { $0.ended(error) } }

  private func turn(_ readiness: Readiness) {
    let stream = stream
    if readiness.contains(.write), !stream.flush() { return stream.end(stream.failure) }
    // An owner that was told of the drained output may have closed the stream.
    guard stream.phase != .closed else { return }
    if readiness.contains(.read), stream.isReading {
      if let count = stream.read() {
        if stream.phase == .lingering {
          // Thrown away: only the end matters now.
          if count == 0, !stream.flush() { return stream.end(nil) }
        } else if count > 0 {
          unsafe received(RawSpan(_unsafeStart: stream.loop.readBuffer.baseAddress.unsafelyUnwrapped, byteCount: count))
        } else {
          peerFinished()
        }
      }
      if let failure = stream.failure { return stream.end(failure) }
    } else if !readiness.isDisjoint(with: .hangUp) {
      stream.hungUp()
    }
  }
}
