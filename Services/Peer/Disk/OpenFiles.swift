import EventLoop

/// The files of all torrents that are open: a bounded number, of which the one that nobody used for longest goes, whosever it is.
///
/// One that goes is closed when who holds it lets it go.
final class OpenFiles: Sendable {
  private struct Key: Hashable {
    var share: Int
    var index: Int
  }

  private struct State {
    var files: [Key: (file: SharedFile, used: UInt64)] = [:]
    var clock: UInt64 = 0
    var lastShare = 0
  }

  private let limit: Int
  private let state = Lock(State())

  init(limit: Int) { self.limit = limit }

  /// Of all torrents.
  var count: Int { state.withLock { $0.files.count } }

  /// For the files of one more torrent.
  func share() -> Share {
    let number = state.withLock { state in
      state.lastShare += 1
      return state.lastShare
    }
    return Share(self, number)
  }

  /// The open files of one torrent, by their numbers in it. They are closed when nobody needs it any more.
  final class Share: Sendable {
    private let all: OpenFiles
    private let number: Int

    fileprivate init(_ all: OpenFiles, _ number: Int) { (self.all, self.number) = (all, number) }

    deinit { removeAll() }

    var count: Int { all.state.withLock { $0.files.keys.count { $0.share == number } } }

    func file(_ index: Int, forWriting: Bool) -> SharedFile? {
      let key = Key(share: number, index: index)
      return all.state.withLock { state in
        guard let file = state.files[key]?.file, file.isWritable || !forWriting else { return nil }
        state.clock += 1
        state.files[key]?.used = state.clock
        return file
      }
    }

    /// Two threads may have opened the same file at once: one that can be written stays.
    func insert(_ file: SharedFile, _ index: Int) { all.insert(file, Key(share: number, index: index)) }

    func removeAll() {
      let gone = all.state.withLock { state in
        let keys = state.files.keys.filter { $0.share == number }
        return keys.compactMap { state.files.removeValue(forKey: $0)?.file }
      }
      _ = gone
    }
  }

  private func insert(_ file: SharedFile, _ key: Key) {
    // What goes is closed outside of the lock, for that may wait for the disk.
    let gone: SharedFile? = state.withLock { state in
      let old = state.files[key]?.file
      if let old, old.isWritable { return nil }
      state.clock += 1
      state.files[key] = (file, state.clock)
      guard state.files.count > limit, let oldest = state.files.min(by: { $0.value.used < $1.value.used })?.key
      else { return old }
      return state.files.removeValue(forKey: oldest)?.file
    }
    _ = gone
  }
}
