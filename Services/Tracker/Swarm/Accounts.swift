import EventLoop
import TorrentWire

/// Who may announce where keys are asked for, and what each has given and taken. Every announce asks here, so it is in memory, and what
/// stands here is the truth: the totals are written down by batches.
final class Accounts: Sendable {
  /// What is known of a key. Only its digest is kept: who reads the database can't announce with it.
  struct Key: Sendable, Equatable {
    var user: Int64
    /// Seconds of the world's clock.
    var expiresAt: Int64?
    var isDisabled = false
  }

  struct Amounts: Sendable, Equatable {
    var uploaded: UInt64 = 0
    var downloaded: UInt64 = 0

    static func + (one: Amounts, other: Amounts) -> Amounts {
      Amounts(uploaded: one.uploaded &+ other.uploaded, downloaded: one.downloaded &+ other.downloaded)
    }
  }

  private struct State {
    var keys: [[UInt8]: Key] = [:]
    /// All that each user has moved. Nobody else is a user.
    var totals: [Int64: Amounts] = [:]
    /// Whose totals have changed since they were written down.
    var changed: Set<Int64> = []
  }

  private let state = Lock(State())

  /// A key whose user has gone meanwhile is not taken in.
  func set(_ digest: [UInt8], _ key: Key?) {
    state.withLock { state in
      if let key, state.totals[key.user] == nil { return }
      state.keys[digest] = key
    }
  }

  /// - Parameter amounts: what stands written down.
  func add(user: Int64, _ amounts: Amounts = Amounts()) { state.withLock { $0.totals[user] = amounts } }

  /// With all keys.
  func remove(user: Int64) {
    state.withLock { state in
      state.keys = state.keys.filter { $0.value.user != user }
      state.totals[user] = nil
      state.changed.remove(user)
    }
  }

  func removeAll() { state.withLock { $0 = State() } }

  /// Whose key it is.
  /// - Throws: what the client is told.
  func user(of digest: [UInt8], at time: Int64) throws(TrackerFailure) -> Int64 {
    guard let key = state.withLock({ $0.keys[digest] }) else {
      throw TrackerFailure("the key of this announce URL is not known here", retry: .never)
    }
    if key.isDisabled { throw TrackerFailure("the key of this announce URL is disabled", retry: .never) }
    if let end = key.expiresAt, end <= time {
      throw TrackerFailure("the key of this announce URL has expired", retry: .never)
    }
    return key.user
  }

  /// Counts what a peer has moved since its last announce.
  ///
  /// A client's numbers begin with its `started`. Of one that is here for the first time without it, as after a restart of the tracker,
  /// it can't be told what was counted already: that interval is lost, rather than the whole session counted twice.
  ///
  /// - Parameter counted: what its client had said before, at whichever of its addresses.
  func note(_ user: Int64, _ progress: Progress?, counted: Progress?, isStarted: Bool) {
    guard let progress else { return }
    var known = Amounts()
    if let counted, counted.user == user {
      known = Amounts(uploaded: counted.uploaded, downloaded: counted.downloaded)
    } else if !isStarted {
      return
    }
    let moved = Amounts(
      uploaded: progress.uploaded - min(known.uploaded, progress.uploaded),
      downloaded: progress.downloaded - min(known.downloaded, progress.downloaded))
    guard moved != Amounts() else { return }
    state.withLock { state in
      guard let total = state.totals[user] else { return }
      state.totals[user] = total + moved
      state.changed.insert(user)
    }
  }

  /// All that a user has moved; nil where there is no such user.
  func amounts(of user: Int64) -> Amounts? { state.withLock { $0.totals[user] } }

  /// The totals that have changed since the last call.
  func takeChanged() -> [Int64: Amounts] {
    state.withLock { state in
      defer { state.changed = [] }
      var taken: [Int64: Amounts] = [:]
      for user in state.changed { taken[user] = state.totals[user] }
      return taken
    }
  }

  /// Theirs could not be written down.
  func markChanged(_ users: some Sequence<Int64>) {
    state.withLock { state in
      for user in users where state.totals[user] != nil { state.changed.insert(user) }
    }
  }
}
