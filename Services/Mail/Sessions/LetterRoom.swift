import EventLoop

/// How many octets of letters may be in memory together: those that are coming in, and those that REST takes apart.
final class LetterRoom: Sendable {
  private let limit: Int
  private let used = Lock(0)

  init(limit: Int = MailLimits().letterRoom) { self.limit = limit }

  /// Takes or gives back room. False, and nothing taken, where there is not enough.
  func change(by octets: Int) -> Bool {
    used.withLock { used in
      guard octets <= 0 || used + octets <= limit else { return false }
      used += octets
      return true
    }
  }

  /// Room for as long as the lease lives; nil where there is not enough. Who wants more than there is at all gets all of it.
  func lease(_ octets: Int) -> RoomLease? {
    let octets = min(octets, limit)
    return change(by: octets) ? RoomLease(octets, of: self) : nil
  }
}

/// Room that is given back when this is let go of.
final class RoomLease: Sendable {
  private let octets: Int
  private let room: LetterRoom

  fileprivate init(_ octets: Int, of room: LetterRoom) {
    self.octets = octets
    self.room = room
  }

  deinit { _ = room.change(by: -octets) }
}
