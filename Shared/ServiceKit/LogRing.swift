import EventLoop
import Glibc
import Logging

/// Writes log lines to standard error from a thread of its own, so that no loop ever waits for a terminal or a disk.
///
/// The ring is bounded: what does not fit is dropped, and counted in the next line that does.
final class LogRing: Sendable {
  private struct State {
    var lines: [[UInt8]] = []
    var dropped = 0
    var isWriting = false
  }

  static let shared = LogRing()
  private static let limit = 8192
  private let state = Lock(State())
  private let pool = BlockingPool(threads: 1)

  var droppedCount: Int { state.withLock { $0.dropped } }

  func write(_ line: [UInt8]) {
    let mustStart = state.withLock { state in
      guard state.lines.count < Self.limit else {
        state.dropped += 1
        return false
      }
      state.lines.append(line)
      defer { state.isWriting = true }
      return !state.isWriting
    }
    // No thread to be had: then the caller writes.
    if mustStart, !pool.submit({ self.drain() }) { drain() }
  }

  /// Writes all that waits; returns when it is out. For the last words of a process.
  func drain() {
    while true {
      let lines = state.withLock { state in
        var taken: [[UInt8]] = []
        swap(&taken, &state.lines)
        if taken.isEmpty { state.isWriting = false }
        return taken
      }
      if lines.isEmpty { return }
      let octets = lines.flatMap { $0 }
      var written = 0
      while written < octets.count {
        let count = unsafe octets.withUnsafeBytes { raw in
          unsafe Glibc.write(2, raw.baseAddress.map { unsafe $0 + written }, raw.count - written)
        }
        if count > 0 { written += count } else if errno != EINTR { break }
      }
    }
  }
}

/// JSON lines for machines, text on a terminal.
struct RingLogHandler: LogHandler {
  var logLevel: Logger.Level = .info
  var metadata: Logger.Metadata = [:]
  let service: String
  private static let isTerminal = isatty(2) == 1

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    let all = metadata.merging(event.metadata ?? [:]) { _, new in new }.sorted { $0.key < $1.key }
    var time = timespec()
    unsafe clock_gettime(CLOCK_REALTIME, &time)
    let stamp = WorldTime(milliseconds: Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000)
    var line: String
    if Self.isTerminal {
      line = "\(stamp.rfc3339) \(event.level) \(service): \(event.message)"
      for (key, value) in all { line += " \(key)=\(value)" }
    } else {
      line =
        #"{"time":"\#(stamp.rfc3339)","level":"\#(event.level)","service":\#(quoted(service)),"message":\#(quoted("\(event.message)"))"#
      for (key, value) in all { line += ",\(quoted(key)):\(quoted("\(value)"))" }
      line += "}"
    }
    LogRing.shared.write(Array(line.utf8) + [0x0A])
  }

  /// A JSON string (RFC 8259 §7).
  private func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case "\n": result += "\\n"
      case _ where scalar.value < 0x20:
        result += "\\u00" + (scalar.value < 16 ? "0" : "") + String(scalar.value, radix: 16)
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }
}
