import CLinux
import Glibc

/// A file that a stream sends; it closes when neither the stream nor a thread that fetches its pages needs it any more.
///
/// `sendfile` waits for the disk where a page isn't in memory, and with it the whole loop. So a slice is looked at first, and what
/// is missing is read by a thread that may wait.
final class OutgoingFile: Sendable {
  let descriptor: Int32
  /// The kernel reads ahead in pieces of at least this size, so one octet of each tells of them all.
  private static let piece = 65_536
  /// The threads that wait for disks, for all loops together.
  static let readers = BlockingPool(threads: 4, queueLimit: 4096)

  init(_ descriptor: Int32) {
    self.descriptor = descriptor
  }

  deinit { close(descriptor) }

  /// Whether reading the slice needs no disk. False also where the file system can't tell.
  func isResident(_ offset: Int64, _ count: Int) -> Bool {
    let end = offset + Int64(count)
    for position in stride(from: offset, to: end, by: Self.piece)
    where clinux_is_resident(descriptor, off_t(position)) == 0 { return false }
    return clinux_is_resident(descriptor, off_t(max(offset, end - 1))) != 0
  }

  /// Reads the slice into memory; blocks. An error or an early end of the file is left to `sendfile` to report.
  func fetch(_ offset: Int64, _ count: Int) {
    var scratch = [UInt8](repeating: 0, count: Self.piece)
    var position = offset
    let end = offset + Int64(count)
    while position < end {
      let wanted = min(scratch.count, Int(end - position))
      let moved = retrying { unsafe pread(descriptor, &scratch, wanted, off_t(position)) }
      guard moved > 0 else { return }
      position += Int64(moved)
    }
  }
}
