import EventLoop

/// How many octets of unfinished letters all sessions may hold together.
final class LetterRoom: Sendable {
  private let limit: Int
  private let used = Lock(0)

  init(limit: Int = 268_435_456) { self.limit = limit }

  /// Takes or gives back room. False, and nothing taken, where there is not enough.
  func change(by octets: Int) -> Bool {
    used.withLock { used in
      guard octets <= 0 || used + octets <= limit else { return false }
      used += octets
      return true
    }
  }
}
