import EventLoop

/// The files of a torrent that are open: a bounded number, of which the one that nobody used for longest goes.
///
/// One that goes is closed when who holds it lets it go.
final class OpenFiles: Sendable {
  private struct State {
    var files: [Int: (file: SharedFile, used: UInt64)] = [:]
    var clock: UInt64 = 0
  }

  private let limit: Int
  private let state = Lock(State())

  init(limit: Int) { self.limit = limit }

  var count: Int { state.withLock { $0.files.count } }

  func file(_ index: Int, forWriting: Bool) -> SharedFile? {
    state.withLock { state in
      guard let file = state.files[index]?.file, file.isWritable || !forWriting else { return nil }
      state.clock += 1
      state.files[index]?.used = state.clock
      return file
    }
  }

  /// Two threads may have opened the same file at once: one that can be written stays.
  func insert(_ file: SharedFile, _ index: Int) {
    // What goes is closed outside of the lock, for that may wait for the disk.
    let gone: SharedFile? = state.withLock { state in
      let old = state.files[index]?.file
      if let old, old.isWritable { return nil }
      state.clock += 1
      state.files[index] = (file, state.clock)
      guard state.files.count > limit, let oldest = state.files.min(by: { $0.value.used < $1.value.used })?.key
      else { return old }
      return state.files.removeValue(forKey: oldest)?.file
    }
    _ = gone
  }

  func removeAll() {
    let gone = state.withLock { state in
      let files = state.files.values.map(\.file)
      state.files.removeAll()
      return files
    }
    _ = gone
  }
}
