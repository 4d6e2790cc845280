import TorrentWire

/// Names a connection within a torrent, for as long as it lasts.
typealias PeerNumber = Int

/// A piece that is on its way, block by block.
struct PieceDownload {
  let piece: Int
  /// Octets.
  let length: Int
  /// What has come; empty where it has not.
  private(set) var blocks: [[UInt8]]
  /// Who gave each block.
  private(set) var givers: [PeerNumber?]
  /// Who was asked for each block and has not given it yet; more than one in the endgame alone.
  private(set) var asked: [[PeerNumber]]
  /// Blocks that nobody was asked for.
  private(set) var free: Int
  private(set) var missing: Int
  /// The only one who is asked: the piece was bad before, and so it is seen whose fault it is.
  var sole: PeerNumber?

  init(piece: Int, length: Int) {
    self.piece = piece
    self.length = length
    let count = (length + Block.size - 1) / Block.size
    blocks = Array(repeating: [], count: count)
    givers = Array(repeating: nil, count: count)
    asked = Array(repeating: [], count: count)
    (free, missing) = (count, count)
  }

  var isComplete: Bool { missing == 0 }
  /// Nobody is asked for anything of it.
  var isIdle: Bool { free == missing }

  func block(_ number: Int) -> Block {
    let offset = number * Block.size
    return Block(piece: piece, offset: offset, length: min(Block.size, length - offset))
  }

  /// Nil for what is no block of the piece.
  func number(of block: Block) -> Int? {
    let number = block.offset / Block.size
    return block.offset >= 0 && number < blocks.count && self.block(number) == block ? number : nil
  }

  /// Asks this peer for the first blocks that nobody was asked for.
  mutating func ask(_ count: Int, of peer: PeerNumber) -> [Block] {
    guard free > 0, count > 0 else { return [] }
    var found: [Block] = []
    for number in blocks.indices where blocks[number].isEmpty && asked[number].isEmpty {
      asked[number] = [peer]
      free -= 1
      found.append(block(number))
      if found.count == count || free == 0 { break }
    }
    return found
  }

  /// The numbers of the blocks that others were asked for and this peer was not, each with how many were.
  func askedOfOthers(than peer: PeerNumber) -> [(number: Int, askers: Int)] {
    asked.indices.compactMap { number in
      let askers = asked[number]
      return askers.isEmpty || askers.contains(peer) ? nil : (number, askers.count)
    }
  }

  mutating func askToo(_ number: Int, of peer: PeerNumber) { asked[number].append(peer) }

  /// It is no longer waited for from this peer. True where nobody is asked now.
  mutating func release(_ number: Int, from peer: PeerNumber) -> Bool {
    guard let place = asked[number].firstIndex(of: peer) else { return false }
    asked[number].remove(at: place)
    guard asked[number].isEmpty, blocks[number].isEmpty else { return false }
    free += 1
    return true
  }

  /// A block that has come, and who need not give it any more; nil where it was here already.
  mutating func receive(_ number: Int, _ content: [UInt8], from peer: PeerNumber) -> [PeerNumber]? {
    guard blocks[number].isEmpty else { return nil }
    if asked[number].isEmpty { free -= 1 }
    let others = asked[number].filter { $0 != peer }
    asked[number] = []
    blocks[number] = content
    givers[number] = peer
    missing -= 1
    return others
  }
}
