import EventLoop
import FoundationEssentials
import SQL

/// The clock's offset, kept over restarts in `clock-offset` of the data directory.
final class ClockOffset: Sendable {
  private let path: String
  /// What the file says, once it was written by this process.
  private let saved = Lock<Int64?>(nil)

  init(in directory: DataDirectory) { path = directory.file("clock-offset") }

  struct Damaged: Error, CustomStringConvertible {
    var path: String
    var description: String { "\(path) does not hold a number of seconds; remove it to begin with the system's time" }
  }

  /// 0 where none was saved. Blocks.
  /// - Throws: `Damaged`, rather than let the world's time go back in silence.
  func load() throws -> Int64 {
    guard FileManager.default.fileExists(atPath: path) else { return 0 }
    let text = try String(contentsOfFile: path, encoding: .utf8)
    guard let offset = Int64(text.filter { !$0.isWhitespace }) else { throw Damaged(path: path) }
    return offset
  }

  /// Saves what the clock says now, durably. Blocks. Of calls that overlap the last one to write sees the latest offset, so
  /// a slow one never puts an older offset over a newer.
  func save(_ clock: WorldClock) throws {
    try saved.withLock { saved in
      let offset = clock.offsetSeconds
      guard saved != offset else { return }
      try DurableFile.replace(path, with: Array(String(offset).utf8))
      saved = offset
    }
  }
}
