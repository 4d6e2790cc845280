import Glibc

/// Why an operation writes, which matters where the disk is full.
public enum Purpose: Sendable {
  /// It adds or changes something: refused with `.full` until there is room again.
  case addition
  /// It gives room back: it may use what is kept in reserve.
  case removal
}

/// The room left to a database on its disk. A reserve, a file of real blocks beside the database, is kept for removals:
/// even a DELETE has to write its pages to the log first, so on a disk that is full to the last block nothing could ever be
/// thrown away. Used by the writer's thread only.
final class Room {
  /// There has to be this much besides the reserve before additions go on.
  private static let margin = 262_144
  /// Pages that one step of the vacuum moves: what it moves is written to the log first, and the log needs room.
  private static let step = 64

  private let path: String
  private let size: Int
  private var hasReserve: Bool
  /// Something did not fit, and since then no room was found.
  private(set) var isShort = false

  init(path: String, size: Int) {
    self.path = path
    self.size = size
    hasReserve = unsafe access(path, F_OK) == 0
  }

  /// Keeps the reserve, if it fits.
  func keepReserve() {
    if !makeReserve() { isShort = true }
  }

  /// Something did not fit.
  func noteShortage() { isShort = true }

  /// Gives the reserve to whoever writes next; false when there is none left to give.
  func release() -> Bool {
    guard hasReserve, size > 0 else { return false }
    hasReserve = false
    unsafe unlink(path)
    isShort = true
    return true
  }

  /// Whether additions may go on: the reserve is there again, and room besides, on the disk or free within the file.
  func isThere(for connection: Connection) -> Bool {
    guard isShort else { return true }
    if makeReserve(), hasMargin(connection) { isShort = false }
    return !isShort
  }

  /// After a removal: hands the pages that have become free, and the log, back to the disk until there is room again.
  func regain(on connection: Connection) {
    guard isShort, truncateLog(of: connection) else { return }
    while !isThere(for: connection) {
      let free = (try? connection.integer("PRAGMA freelist_count")) ?? 0
      guard free > 0 else { return }
      _ = try? connection.execute("PRAGMA incremental_vacuum(\(Self.step))")
      guard truncateLog(of: connection), let left = try? connection.integer("PRAGMA freelist_count"), left < free else {
        return
      }
    }
  }

  /// False where a reader still needs the log: there will be another removal, or another question.
  private func truncateLog(of connection: Connection) -> Bool {
    (try? connection.integer("PRAGMA wal_checkpoint(TRUNCATE)")) == 0
  }

  private func hasMargin(_ connection: Connection) -> Bool {
    let free = (try? connection.integer("PRAGMA freelist_count")) ?? 0
    let page = (try? connection.integer("PRAGMA page_size")) ?? 0
    if free * page >= Self.margin { return true }
    let trial = path + ".trial"
    defer { unsafe unlink(trial) }
    return allocate(trial, Self.margin)
  }

  private func makeReserve() -> Bool {
    if !hasReserve, size > 0 {
      hasReserve = allocate(path, size)
      if !hasReserve { unsafe unlink(path) }
    }
    return hasReserve || size == 0
  }

  /// Makes a file of blocks that nobody else can then have.
  private func allocate(_ path: String, _ size: Int) -> Bool {
    let descriptor = unsafe open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { return false }
    defer { close(descriptor) }
    return posix_fallocate(descriptor, 0, off_t(size)) == 0
  }
}
