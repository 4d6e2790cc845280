/// Cuts what a client sends into lines, however the network cut it before.
struct CommandLines: Sendable {
  enum Line: Equatable {
    /// A line without its end. `bare`: it ended in LF alone, or a CR stood alone in it.
    case line([UInt8], bare: Bool)
    /// A line longer than the limit; all of it was dropped.
    case tooLong
  }

  private(set) var buffer: [UInt8] = []
  private(set) var start = 0
  /// Up to here no LF was found.
  private var scanned = 0
  private var dropping = false

  /// Octets that came and were not taken.
  var count: Int { buffer.count - start }

  mutating func append(_ bytes: [UInt8]) {
    if start == buffer.count {
      buffer = bytes
      start = 0
      scanned = 0
    } else {
      if start > 4096 {
        buffer.removeFirst(start)
        scanned -= start
        start = 0
      }
      buffer += bytes
    }
  }

  /// The next line, or nil as long as its end has not come.
  /// - Parameter limit: the greatest length, in octets, line end included.
  mutating func next(limit: Int) -> Line? {
    scanned = max(scanned, start)
    guard let end = buffer[scanned...].firstIndex(of: 0x0A) else {
      if dropping || count > limit {
        dropping = true
        drop()
      } else {
        scanned = buffer.count
      }
      return nil
    }
    let first = start
    start = end + 1
    scanned = start
    if dropping || start - first > limit {
      dropping = false
      return .tooLong
    }
    let ended = end > first && buffer[end - 1] == 0x0D
    let line = buffer[first..<(ended ? end - 1 : end)]
    return .line(Array(line), bare: !ended || line.contains(0x0D))
  }

  /// Lets another reader take octets from the front; it returns the index of the first one it left.
  mutating func take(_ reader: (_ buffer: [UInt8], _ start: Int) -> Int) {
    start = reader(buffer, start)
    scanned = start
    if start == buffer.count { drop() }
  }

  /// Forgets everything that came.
  mutating func drop() {
    buffer = []
    start = 0
    scanned = 0
  }
}
