import EventLoop

/// A connection to another host, as much of it as has to be known to end it from outside.
struct RelayTalk: Sendable {
  let connection: TCPConnection
  /// Of the letters.
  let epoch: Int64
  /// All of a letter was written, so it may have been taken: only the answer can tell.
  var isHandedOver = false
}

extension Relay {
  /// - Returns: what the talk is called.
  func begin(_ connection: TCPConnection, _ epoch: Int64) -> Int {
    lastTalk += 1
    talks[lastTalk] = RelayTalk(connection: connection, epoch: epoch)
    return lastTalk
  }

  /// Hangs up. Whoever talks there sees that his talk is none any more, and leaves everything as it was.
  func drop(_ isMeant: (RelayTalk) -> Bool) {
    for (number, talk) in talks where isMeant(talk) {
      talks[number] = nil
      talk.connection.assumeIsolated { $0.close() }
    }
  }
}
