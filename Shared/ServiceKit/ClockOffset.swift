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

  /// Saves an offset durably and then has the clock go by it: what it brought about must not be found in the future after a restart.
  /// Blocks. Of calls that overlap a slow one never puts a smaller offset over a larger; only `isReset` goes back.
  /// - Parameter apply: sets the clock; no other call comes between, so that file and clock agree.
  func save<Value>(_ offset: Int64, isReset: Bool = false, apply: () -> Value) throws -> Value {
    try saved.withLock { saved in
      if saved.map({ isReset ? $0 != offset : $0 < offset }) ?? true {
        try DurableFile.replace(path, with: Array(String(offset).utf8))
        saved = offset
      }
      return apply()
    }
  }
}
