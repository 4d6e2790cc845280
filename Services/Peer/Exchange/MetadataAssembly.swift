import TorrentWire

/// The info dictionary on its way from peers (BEP 9), in pieces of 16 KiB.
struct MetadataAssembly {
  private(set) var size: Int?
  private var parts: [[UInt8]] = []
  private var asked: Set<Int> = []
  /// All of it is here and being hashed.
  private(set) var isChecking = false

  /// A peer says how long it is. The first to say so is believed until the hash is wrong.
  mutating func learn(_ size: Int) {
    guard self.size == nil else { return }
    self.size = size
    parts = Array(repeating: [], count: (size + MetadataMessage.pieceSize - 1) / MetadataMessage.pieceSize)
  }

  /// A part that nobody was asked for; where all were, one that has not come.
  mutating func next(notIn mine: Set<Int>) -> Int? {
    guard !isChecking else { return nil }
    let missing = parts.indices.filter { parts[$0].isEmpty && !mine.contains($0) }
    guard let part = missing.first(where: { !asked.contains($0) }) ?? missing.first else { return nil }
    asked.insert(part)
    return part
  }

  mutating func release(_ parts: Set<Int>) { asked.subtract(parts) }

  /// - Returns: all of it, where this was the last part.
  mutating func receive(_ part: Int, _ content: [UInt8], totalSize: Int) -> [UInt8]? {
    guard let size, totalSize == size, part < parts.count, parts[part].isEmpty, !isChecking else { return nil }
    guard content.count == min(MetadataMessage.pieceSize, size - part * MetadataMessage.pieceSize) else { return nil }
    parts[part] = content
    guard parts.allSatisfy({ !$0.isEmpty }) else { return nil }
    isChecking = true
    return Array(parts.joined())
  }

  /// It was of something else: from the beginning.
  mutating func forget() { self = MetadataAssembly() }
}
