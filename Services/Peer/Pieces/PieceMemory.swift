import EventLoop

/// Octets of pieces that are begun, of all torrents: they are in memory until they are on the disk.
///
/// Each torrent may have one piece, however little is free, so that none waits for ever. The last quarter is left to those that have
/// less than their part of the whole: who was there first takes not all of it.
final class PieceMemory: Sendable {
  private struct State {
    var used = 0
    /// Torrents that have some of it.
    var holders = 0
    var changes = 0
    /// Somebody was denied a piece since something became free last.
    var hasDenied = false
  }

  /// Octets.
  let limit: Int
  private let state = Lock(State())

  init(limit: Int) { self.limit = limit }

  var used: Int { state.withLock { $0.used } }

  /// For one more torrent.
  func share() -> Share { Share(self) }

  /// What one torrent has of it; it gives all back when nobody needs it any more.
  final class Share {
    private let memory: PieceMemory
    private var used = 0

    fileprivate init(_ memory: PieceMemory) { self.memory = memory }

    deinit { give(used) }

    /// Grows whenever something becomes free that somebody was denied.
    var changes: Int { memory.state.withLock { $0.changes } }

    /// Whether a piece of so many octets may be begun.
    func mayTake(_ octets: Int) -> Bool {
      guard used > 0 else { return true }
      let limit = memory.limit
      return memory.state.withLock { [used] state in
        let isFair = (used + octets) * state.holders <= limit
        let mayTake = state.used + octets <= (isFair ? limit : limit / 4 * 3)
        if !mayTake { state.hasDenied = true }
        return mayTake
      }
    }

    func take(_ octets: Int) {
      memory.state.withLock { [used] state in
        if used == 0 { state.holders += 1 }
        state.used += octets
      }
      used += octets
    }

    func give(_ octets: Int) {
      guard octets > 0 else { return }
      used -= octets
      memory.state.withLock { [used] state in
        state.used -= octets
        if used == 0 { state.holders -= 1 }
        if state.hasDenied { state.changes += 1 }
        state.hasDenied = false
      }
    }
  }
}
