import TorrentWire

/// The info dictionary on its way from peers (BEP 9), in pieces of 16 KiB.
struct MetadataAssembly {
  private(set) var size: Int?
  private var parts: [[UInt8]] = []
  private var asked: Set<Int> = []
  /// Sizes that had their time.
  private var refused: Set<Int> = []
  /// All of it is here and being hashed.
  private(set) var isChecking = false
  /// Who gave parts.
  private var givers: Set<PeerNumber> = []
  /// It was bad before: all of it is asked of one, so that it is seen whose fault it is.
  private var isSuspicious = false
  private(set) var sole: PeerNumber?

  /// Whether this peer is one of those that are asked.
  mutating func asks(_ peer: PeerNumber) -> Bool {
    guard isSuspicious else { return true }
    if sole == nil { sole = peer }
    return sole == peer
  }

  /// Whether it may be so long: a size that had its time may not.
  func mayHave(_ size: Int) -> Bool { !refused.contains(size) }

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

  /// Whether it can be a part, by its length.
  func fits(_ part: Int, _ content: [UInt8], totalSize: Int) -> Bool {
    guard let size, totalSize == size, part < parts.count else { return false }
    return content.count == min(MetadataMessage.pieceSize, size - part * MetadataMessage.pieceSize)
  }

  /// - Returns: all of it, where this was the last part.
  mutating func receive(_ part: Int, _ content: [UInt8], totalSize: Int, from peer: PeerNumber) -> [UInt8]? {
    guard fits(part, content, totalSize: totalSize), parts[part].isEmpty, !isChecking else { return nil }
    parts[part] = content
    givers.insert(peer)
    guard parts.allSatisfy({ !$0.isEmpty }) else { return nil }
    isChecking = true
    return Array(parts.joined())
  }

  /// Its hash is wrong: from the beginning, and of one alone.
  /// - Returns: whose fault it is, where one gave all of it.
  mutating func refuse() -> PeerNumber? {
    let givers = givers
    isSuspicious = true
    forget()
    return givers.count == 1 ? givers.first : nil
  }

  /// The only one that is asked gives no more.
  mutating func forgetSole(_ peer: PeerNumber) {
    if sole == peer, !isChecking { forget() }
  }

  /// From the beginning.
  mutating func forget() {
    let (isSuspicious, refused) = (isSuspicious, refused)
    self = MetadataAssembly()
    (self.isSuspicious, self.refused) = (isSuspicious, refused)
  }

  /// The size had its time, and nothing came of it: another one, if there is one among those that peers claim.
  /// - Returns: whether there is.
  mutating func turn(among claimed: Set<Int>) -> Bool {
    guard let size, !isChecking, claimed.count > 1 else { return false }
    refused.insert(size)
    // All had their turn: from the first again.
    if claimed.isSubset(of: refused) { refused = [size] }
    forget()
    return true
  }

  /// How long all of it may take.
  var patience: Duration { .seconds(20) + .milliseconds(100) * parts.count }
}
