import EventLoop
import ServiceKit
import TorrentWire

extension TorrentFiles {
  /// Octets that are read at a time where only their hash is wanted.
  static let sliceLength = 262_144

  /// Writes a piece: its blocks in order, which have together the piece's octets. A file that is not there is made.
  ///
  /// - Throws: `DiskError`; a part of the piece may have been written then.
  func write(_ piece: Int, _ blocks: [[UInt8]]) throws(DiskError) {
    let length = info.length(of: piece)
    precondition(blocks.reduce(0) { $0 + $1.count } == length, "the blocks are not the piece")
    var rest = BlockSequence(blocks)
    for segment in info.segments(piece, 0..<length) {
      let file = try file(segment.file, forWriting: true)
      try rest.write(Int(segment.count), to: file, at: segment.offset)
      unsynchronized.withLock { $0.insert(segment.file) }
    }
  }

  /// Octets of a piece as they lie there, whether or not they are the right ones.
  ///
  /// - Returns: nil where a file is absent or shorter, or where the piece has no such octets.
  /// - Throws: `DiskError`.
  func read(_ piece: Int, _ range: Range<Int>) throws(DiskError) -> [UInt8]? {
    do throws(DiskError) {
      return try read(piece, range, waits: true) { index throws(DiskError) in try file(index, forWriting: false) }
    } catch .absent {
      return nil
    }
  }

  /// The same where no disk has to be waited for; nil also where a file is not open or where some octet is not in memory. This call does
  /// not block.
  func readAtOnce(_ piece: Int, _ range: Range<Int>) -> [UInt8]? {
    try? read(piece, range, waits: false) { index in openFiles.file(index, forWriting: false) }
  }

  private func read(
    _ piece: Int, _ range: Range<Int>, waits: Bool, _ file: (Int) throws(DiskError) -> SharedFile?
  ) throws(DiskError) -> [UInt8]? {
    let segments = info.segments(piece, range)
    guard segments.reduce(0, { $0 + $1.count }) == range.count else { return nil }
    let octets = try [UInt8](capacity: range.count) { octets throws(DiskError) in
      for segment in segments {
        guard let file = try file(segment.file),
          try file.append(Int(segment.count), at: segment.offset, to: &octets, waits: waits)
        else { return }
      }
    }
    return octets.count == range.count ? octets : nil
  }

  /// Whether the piece lies there as it should; false where a file is absent or shorter.
  ///
  /// - Throws: `DiskError`, or `SecretsError` where OpenSSL has no memory.
  func verify(_ piece: Int) throws -> Bool {
    let length = info.length(of: piece)
    let segments = info.segments(piece, 0..<length)
    let expected = info.hash(of: piece)
    do {
      // Most of a torrent that has just begun are holes: they need no disk.
      let isHole = try segments.allSatisfy { try file($0.file, forWriting: false).isHole($0.offset, $0.count) }
      if isHole { return try hashOfZeros(length).elementsEqual(expected) }
      return try hash(segments, length)?.elementsEqual(expected) ?? false
    } catch DiskError.absent {
      return false
    }
  }

  /// Whether the piece is to hold zeros alone.
  func isOfZeros(_ piece: Int) throws -> Bool {
    try hashOfZeros(info.length(of: piece)).elementsEqual(info.hash(of: piece))
  }

  /// The SHA-1 of what lies there; nil where a file is shorter.
  private func hash(_ segments: [TorrentInfo.Segment], _ length: Int) throws -> [UInt8]? {
    var scratch = [UInt8](repeating: 0, count: min(length, Self.sliceLength))
    var sha1 = try SHA1()
    for segment in segments {
      let file = try file(segment.file, forWriting: false)
      var done: Int64 = 0
      while done < segment.count {
        let wanted = Int(min(Int64(scratch.count), segment.count - done))
        guard try file.read(into: &scratch, 0..<wanted, at: segment.offset + done) == wanted else { return nil }
        try sha1.update(scratch.span.extracting(first: wanted))
        done += Int64(wanted)
      }
    }
    return try sha1.finish()
  }

  /// All pieces but the last have one length, so there are two of these at most.
  private func hashOfZeros(_ length: Int) throws -> [UInt8] {
    if let known = hashesOfZeros.withLock({ $0[length] }) { return known }
    let zeros = [UInt8](repeating: 0, count: min(length, Self.sliceLength))
    var sha1 = try SHA1()
    for start in stride(from: 0, to: length, by: zeros.count) {
      try sha1.update(zeros.span.extracting(first: min(zeros.count, length - start)))
    }
    let hash = try sha1.finish()
    hashesOfZeros.withLock { $0[length] = hash }
    return hash
  }
}
