import CLinux
import Glibc

/// An open regular file; it is closed when nobody needs it any more. All calls block, and several threads may make them at once.
///
/// The descriptor's own position means nothing.
final class SharedFile: Sendable {
  let descriptor: Int32
  /// Where it is, for errors.
  let path: String
  let isWritable: Bool

  /// Takes the descriptor over, also where it throws.
  init(adopting descriptor: Int32, path: String, isWritable: Bool) throws(DiskError) {
    (self.descriptor, self.path, self.isWritable) = (descriptor, path, isWritable)
    guard try status().st_mode & S_IFMT == S_IFREG else { throw .notAFile(path: path) }
  }

  deinit { close(descriptor) }

  /// A descriptor of its own for a stream that sends it and closes it then.
  func duplicate() throws(DiskError) -> Int32 {
    try checked("fcntl", path) { fcntl(descriptor, F_DUPFD_CLOEXEC, 0) }
  }

  func status() throws(DiskError) -> stat {
    var status = stat()
    _ = try checked("fstat", path) { unsafe fstat(descriptor, &status) }
    return status
  }

  /// Octets.
  func length() throws(DiskError) -> Int64 { Int64(try status().st_size) }

  /// Makes it longer with octets of zero, which take no room on the disk.
  func extend(to length: Int64) throws(DiskError) {
    _ = try checked("ftruncate", path) { ftruncate(descriptor, off_t(length)) }
  }

  /// Reads into a part of `octets` from `offset` on.
  /// - Returns: how many octets came: fewer than there is room for only where the file ends.
  func read(into octets: inout [UInt8], _ range: Range<Int>, at offset: Int64) throws(DiskError) -> Int {
    var done = 0
    while done < range.count {
      let moved = try checked("pread", path) {
        unsafe octets.withUnsafeMutableBytes { octets in
          let room = unsafe UnsafeMutableRawBufferPointer(
            rebasing: octets[(range.lowerBound + done)..<range.upperBound])
          return unsafe pread(descriptor, room.baseAddress, room.count, off_t(offset + Int64(done)))
        }
      }
      if moved == 0 { break }
      done += moved
    }
    return done
  }

  /// Appends the `count` octets from `offset` on.
  ///
  /// - Parameter waits: for the disk; without, what is not in memory does not come.
  /// - Throws: `DiskError`, when it waits.
  /// - Returns: whether all came: when it waits, false only where the file ends.
  func append(
    _ count: Int, at offset: Int64, to octets: inout OutputSpan<UInt8>, waits: Bool
  ) throws(DiskError) -> Bool {
    var done = 0
    while done < count {
      let moved = try checked("pread", path) {
        unsafe octets.withUnsafeMutableBufferPointer { octets, initialized in
          let room = unsafe UnsafeMutableRawBufferPointer(octets)[initialized...].prefix(count - done)
          let (start, place) = unsafe (UnsafeMutableRawBufferPointer(rebasing: room), off_t(offset + Int64(done)))
          let moved =
            unsafe waits
            ? pread(descriptor, start.baseAddress, start.count, place)
            : max(0, clinux_read_resident(descriptor, start.baseAddress, start.count, place))
          initialized += max(0, moved)
          return moved
        }
      }
      if moved == 0 { return false }
      done += moved
    }
    return true
  }

  /// Whether all these octets are there and none was ever written; false also where the file system can't tell.
  func isHole(_ offset: Int64, _ count: Int64) throws(DiskError) -> Bool {
    let data = clinux_next_data(descriptor, off_t(offset))
    if data >= 0 { return Int64(data) >= offset + count }
    guard errno == ENXIO else { return false }
    return try length() >= offset + count
  }

  /// What was written outlasts a power cut from here on.
  func synchronize() throws(DiskError) {
    _ = try checked("fdatasync", path) { fdatasync(descriptor) }
  }
}
