extension TorrentInfo {
  /// Octets of a piece that lie together in one file.
  public struct Segment: Hashable, Sendable {
    /// Which of `files`.
    public let file: Int
    /// Octets from the file's beginning.
    public let offset: Int64
    /// Octets, at least one.
    public let count: Int64

    public init(file: Int, offset: Int64, count: Int64) {
      (self.file, self.offset, self.count) = (file, offset, count)
    }
  }

  /// Where octets of a piece lie, in order. What is beyond the piece's end lies nowhere; of a piece that isn't, nothing does.
  public func segments(_ piece: Int, _ range: Range<Int>) -> [Segment] {
    guard 0..<pieceCount ~= piece else { return [] }
    let inside = range.clamped(to: 0..<length(of: piece))
    let start = Int64(piece) * Int64(pieceLength)
    var position = start + Int64(inside.lowerBound)
    let end = start + Int64(inside.upperBound)
    var segments: [Segment] = []
    var index = position < end ? file(at: position) : 0
    while position < end {
      let file = files[index]
      let count = min(end, file.offset + file.length) - position
      // Files without octets lie between others, but nothing lies in them.
      if count > 0 { segments.append(Segment(file: index, offset: position - file.offset, count: count)) }
      position += count
      index += 1
    }
    return segments
  }

  /// The file that has the octet: the last that doesn't begin behind it, for those without octets begin where the next one does.
  private func file(at position: Int64) -> Int {
    var (low, high) = (0, files.count)
    while high - low > 1 {
      let middle = low + (high - low) / 2
      if files[middle].offset <= position { low = middle } else { high = middle }
    }
    return low
  }
}
