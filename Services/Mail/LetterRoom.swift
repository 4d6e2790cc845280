import EventLoop

/// The memory that letters may take together while others decide how long: clients that send or read them, hosts that take them.
/// What is made of a letter on the way, its copies and its decoded form, is not counted; of large ones REST makes that one at a time.
///
/// Somebody may take hours, so large letters leave a part of the room to small ones, which find theirs whatever the large do.
final class LetterRoom: Sendable {
  /// Who holds up to so many octets is small.
  static let small = 1_048_576

  /// In octets.
  private let limit: Int
  private let used = Lock(0)

  init(limit: Int) { self.limit = limit }

  /// A part of the room, with nothing in it yet, for as long as it lives.
  func lease() -> RoomLease { RoomLease(of: self) }

  /// The same with room for so many octets; nil where there is not enough now.
  func lease(_ octets: Int) -> RoomLease? {
    let lease = lease()
    return lease.hold(octets) ? lease : nil
  }

  /// - Returns: what is held then; nil, and nothing changed, where there is not enough. Who wants more than there is at all gets
  ///   all of it, when alone.
  fileprivate func change(_ held: Int, to wanted: Int) -> Int? {
    used.withLock { used in
      let available = wanted > Self.small ? limit - limit / 4 : limit
      let granted = min(wanted, available)
      guard granted <= held || used + granted - held <= available else { return nil }
      used += granted - held
      return granted
    }
  }
}

/// Room that is given back when this is let go of.
final class RoomLease: Sendable {
  private let room: LetterRoom
  private let held = Lock(0)

  fileprivate init(of room: LetterRoom) { self.room = room }

  deinit { _ = hold(0) }

  /// From now on so many octets, more or fewer than before. False, and nothing changed, where there is not enough.
  func hold(_ octets: Int) -> Bool {
    held.withLock { held in
      guard let granted = room.change(held, to: octets) else { return false }
      held = granted
      return true
    }
  }
}
