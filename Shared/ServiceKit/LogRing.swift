import EventLoop
import Glibc
import Logging
import Synchronization

/// Writes log lines to a descriptor, standard error, from a thread of its own, so that no loop ever waits for a terminal or
/// a disk, nor for a pipe that nobody reads.
///
/// The ring is bounded: what does not fit is dropped, and counted in the next line that does.
final class LogRing: Sendable {
  private struct State {
    var lines: [[UInt8]] = []
    var dropped = 0
    /// Of those dropped, how many a line has told of.
    var told = 0
    var isWriting = false
  }

  static let shared = LogRing(descriptor: 2)
  private static let limit = 8192
  /// A pipe that says it can be written takes this much without blocking (POSIX's PIPE_BUF).
  private static let atOnce = 4096
  private let descriptor: Int32
  private let state = Lock(State())
  private let pool = BlockingPool(threads: 1)
  /// Index in `Logger.Level.allCases`.
  private let threshold = Atomic<Int>(Logger.Level.allCases.firstIndex(of: .info) ?? 0)

  init(descriptor: Int32) { self.descriptor = descriptor }

  var droppedCount: Int { state.withLock { $0.dropped } }

  /// The least level that is logged, by every logger that was not told otherwise.
  var level: Logger.Level {
    get { Logger.Level.allCases[threshold.load(ordering: .relaxed)] }
    set { threshold.store(Logger.Level.allCases.firstIndex(of: newValue) ?? 0, ordering: .relaxed) }
  }

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
    // No thread to be had: the line waits for the next one that finds a thread.
    if mustStart, !pool.submit({ self.work() }) { state.withLock { $0.isWriting = false } }
  }

  /// Waits until all lines are out, or as long as `limit`: for the last words of a process, which must not hang on a pipe
  /// that nobody reads. Blocks.
  /// - Returns: whether they are out.
  @discardableResult
  func flush(within limit: Duration) -> Bool {
    let end = Instant.current + limit
    while state.withLock({ $0.isWriting }) {
      guard Instant.current < end else { return false }
      usleep(1000)
    }
    return true
  }

  /// Writes until nothing waits.
  private func work() {
    while let octets = take() {
      var rest = octets[...]
      while !rest.isEmpty {
        var ready = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        guard unsafe poll(&ready, 1, -1) >= 0 || errno == EINTR else { break }
        let count = unsafe rest.withUnsafeBytes {
          unsafe Glibc.write(descriptor, $0.baseAddress, min($0.count, Self.atOnce))
        }
        // Nobody reads any more: there is nobody to tell.
        guard count > 0 || errno == EINTR || errno == EAGAIN else { break }
        rest = rest.dropFirst(max(0, count))
      }
    }
  }

  /// What waits, as octets; nil where nothing does.
  private func take() -> [UInt8]? {
    let (lines, lost) = state.withLock { state in
      var taken: [[UInt8]] = []
      swap(&taken, &state.lines)
      state.isWriting = !taken.isEmpty
      let lost = taken.isEmpty ? 0 : state.dropped - state.told
      state.told += lost
      return (taken, lost)
    }
    if lines.isEmpty { return nil }
    let note =
      lost == 0 ? [] : Array(RingLogHandler.line(.warning, "\(lost) log lines were dropped", service: "log").utf8)
    return note + lines.flatMap { $0 }
  }
}

/// JSON lines for machines, text on a terminal.
struct RingLogHandler: LogHandler {
  /// What this logger was told; nil for what the process was told.
  private var ownLevel: Logger.Level?
  var metadata: Logger.Metadata = [:]
  private let service: String
  private static let isTerminal = isatty(2) == 1

  init(service: String) { self.service = service }

  var logLevel: Logger.Level {
    get { ownLevel ?? LogRing.shared.level }
    set { ownLevel = newValue }
  }

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    let all = metadata.merging(event.metadata ?? [:]) { _, new in new }.sorted { $0.key < $1.key }
    let line = Self.line(
      event.level, "\(event.message)", service: service, metadata: all.map { ($0.key, "\($0.value)") })
    LogRing.shared.write(Array(line.utf8))
  }

  /// A line with its end.
  static func line(
    _ level: Logger.Level, _ message: String, service: String, metadata: [(key: String, value: String)] = []
  ) -> String {
    var time = timespec()
    unsafe clock_gettime(CLOCK_REALTIME, &time)
    let stamp = WorldTime(milliseconds: Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000).rfc3339
    if isTerminal {
      return "\(stamp) \(level) \(service): \(message)\(metadata.map { " \($0.key)=\($0.value)" }.joined())\n"
    }
    let members =
      [("time", stamp), ("level", "\(level)"), ("service", service), ("message", message)]
      + metadata.map { ($0.key, $0.value) }
    return "{" + members.map { "\(quoted($0.0)):\(quoted($0.1))" }.joined(separator: ",") + "}\n"
  }

  /// A JSON string (RFC 8259 §7).
  private static func quoted(_ text: String) -> String {
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
