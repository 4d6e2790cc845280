import Glibc

/// Blocks that follow one another and are written as if they were one, without being joined.
struct BlockSequence {
  /// How many blocks one system call writes: a mebibyte of the usual ones.
  private static let vectorLimit = 64

  private let blocks: [[UInt8]]
  /// Where the next octet is.
  private var block = 0
  private var offset = 0

  init(_ blocks: [[UInt8]]) { self.blocks = blocks }

  /// Writes the next `count` octets.
  mutating func write(_ count: Int, to file: SharedFile, at place: Int64) throws(DiskError) {
    var done = 0
    while done < count {
      let moved = try checked("pwritev", file.path) {
        unsafe withVectors(count - done) { vectors in
          unsafe pwritev(file.descriptor, vectors, Int32(vectors.count), off_t(place + Int64(done)))
        }
      }
      // A write that is cut short says why when the rest is tried; one of nothing never would.
      guard moved > 0 else { throw .system(call: "pwritev", path: file.path, errno: EIO) }
      done += moved
      advance(moved)
    }
  }

  private mutating func advance(_ count: Int) {
    offset += count
    while block < blocks.count, offset >= blocks[block].count {
      offset -= blocks[block].count
      block += 1
    }
  }

  /// Tells where the next octets lie: `count` of them, or fewer where they are in too many blocks.
  private func withVectors(_ count: Int, _ body: ([iovec]) -> Int) -> Int {
    var vectors: [iovec] = unsafe []
    unsafe vectors.reserveCapacity(min(Self.vectorLimit, blocks.count - block))
    return unsafe withVectors(block, offset, count, &vectors, body)
  }

  /// Each block's octets are held in place by a call that lasts until the innermost one has written them all.
  private func withVectors(
    _ block: Int, _ offset: Int, _ count: Int, _ vectors: inout [iovec], _ body: ([iovec]) -> Int
  ) -> Int {
    guard count > 0, unsafe vectors.count < Self.vectorLimit else { return unsafe body(vectors) }
    return unsafe blocks[block].withUnsafeBytes { octets in
      let part = unsafe UnsafeRawBufferPointer(rebasing: octets[offset...].prefix(count))
      let start = unsafe UnsafeMutableRawPointer(mutating: part.baseAddress)
      unsafe vectors.append(iovec(iov_base: start, iov_len: part.count))
      return unsafe withVectors(block + 1, 0, count - part.count, &vectors, body)
    }
  }
}
