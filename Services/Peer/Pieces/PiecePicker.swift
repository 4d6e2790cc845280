import TorrentWire

/// Decides which blocks to ask a peer for: begun pieces first, of the others the rarest, at the end everybody for the rest (BEP 3).
struct PiecePicker {
  struct Pick: Equatable, Sendable {
    var block: Block
    var reason: PickReason
  }

  enum Arrival: Equatable, Sendable {
    /// It was not asked for, or has come already.
    case unwanted
    /// These need not give it any more.
    case kept(cancel: [PeerNumber])
    /// As before, and all of the piece is here now.
    case complete(cancel: [PeerNumber])
  }

  /// A piece's way.
  enum State: Equatable, Sendable {
    case missing, begun, checking, here
    /// It lies in no file that is wanted.
    case unwanted
  }

  let pieceLength: Int
  /// Octets of the torrent.
  let length: Int64
  private(set) var have: Bitfield
  private(set) var wanted: Bitfield
  private(set) var order: PieceOrder
  private(set) var downloads: [Int: PieceDownload] = [:]
  /// Pieces that are begun and have blocks that nobody was asked for, the oldest first.
  private(set) var open: [Int] = []
  private var checking: [Int: PieceDownload] = [:]
  /// Grows whenever there may be something to ask for that was not there before.
  var changes: Int { ownChanges + memory.changes }
  private var ownChanges = 0
  private var suspicions = Suspicions()
  /// Octets that came and have to come again, since what was begun was dropped.
  private(set) var dropped: UInt64 = 0
  /// Who is asked no more for a piece, since it gave it badly again and again.
  private var shunned: [Int: Set<PeerNumber>] = [:]
  /// For pieces that are begun.
  private let memory: PieceMemory.Share

  /// Pieces that are picked without looking at how rare they are.
  static let randomPieces = 4

  /// - Parameter memory: of all torrents.
  init(
    pieceCount: Int, pieceLength: Int, length: Int64, have: Bitfield? = nil, wanted: Bitfield? = nil,
    memory: PieceMemory = PieceMemory(limit: PeerLimits().pieceMemory)
  ) {
    self.memory = memory.share()
    self.pieceLength = pieceLength
    self.length = length
    self.have = have ?? Bitfield(pieceCount: pieceCount)
    self.wanted = wanted ?? Bitfield(pieceCount: pieceCount, isFull: true)
    order = PieceOrder(pieceCount: pieceCount)
    for piece in 0..<pieceCount where isMissing(piece) { order.insert(piece) }
  }

  var pieceCount: Int { have.pieceCount }
  func length(of piece: Int) -> Int { Int(min(Int64(pieceLength), length - Int64(piece) * Int64(pieceLength))) }
  /// Wanted and not here.
  func isMissing(_ piece: Int) -> Bool { wanted[piece] && !have[piece] }
  /// All that is wanted is here.
  var isComplete: Bool { !have.hasSomethingMissing(of: wanted) }

  func state(of piece: Int) -> State {
    if have[piece] { return .here }
    if checking[piece] != nil { return .checking }
    if downloads[piece] != nil { return .begun }
    return wanted[piece] ? .missing : .unwanted
  }

  /// Octets of a begun piece that are here.
  func progress(of piece: Int) -> Int {
    if let download = downloads[piece] { return download.blocks.reduce(0) { $0 + $1.count } }
    return have[piece] || checking[piece] != nil ? length(of: piece) : 0
  }

  // MARK: Who has what

  mutating func add(_ pieces: Bitfield) {
    if pieces.isFull { return order.addEverywhere() }
    for piece in 0..<pieceCount where pieces[piece] { order.addPeer(with: piece) }
  }

  mutating func remove(_ pieces: Bitfield) {
    if pieces.isFull { return order.removeEverywhere() }
    for piece in 0..<pieceCount where pieces[piece] { order.removePeer(with: piece) }
  }

  /// A peer's pieces become one more.
  mutating func add(_ piece: Int, to pieces: inout Bitfield) {
    guard !pieces[piece] else { return }
    pieces[piece] = true
    guard pieces.isFull else { return order.addPeer(with: piece) }
    for other in 0..<pieceCount where other != piece { order.removePeer(with: other) }
    order.addEverywhere()
  }

  // MARK: What to ask for

  /// What to ask a peer for next.
  /// - Parameters:
  ///   - allowed: the only pieces that it gives, where it chokes.
  mutating func pick<Random: RandomNumberGenerator>(
    _ count: Int, for peer: PeerNumber, having pieces: Bitfield, allowed: Set<Int>? = nil, using random: inout Random
  ) -> [Pick] {
    var picks: [Pick] = []
    let (suspicions, shunned) = (suspicions, shunned)
    let gives = { (piece: Int) in
      pieces[piece] && allowed?.contains(piece) ?? true && !suspicions.wasSole(peer, of: piece)
        && shunned[piece]?.contains(peer) != true
    }
    for piece in open where picks.count < count && pieces[piece] && allowed?.contains(piece) ?? true {
      guard var download = downloads[piece], download.sole ?? peer == peer, !shuns(piece, of: peer) else { continue }
      let reason: PickReason = download.sole == nil ? .begun : .again
      downloads[piece] = nil
      picks += download.ask(count - picks.count, of: peer).map { Pick(block: $0, reason: reason) }
      if download.free == 0 { open.removeAll { $0 == piece } }
      downloads[piece] = download
    }
    while picks.count < count,
      let (piece, reason) = next(gives, allowed, unheard: pieces.isFull, using: &random), makeRoom()
    {
      picks += begin(piece, with: peer, reason, count - picks.count)
    }
    // Where nobody else has a piece that came out bad, who was asked alone for it is asked again.
    if picks.isEmpty, allowed == nil,
      let piece = suspicions.only(
        of: peer,
        where: {
          order.contains($0) && pieces[$0] && order.peers(with: $0) <= 1 && shunned[$0]?.contains(peer) != true
        }), makeRoom()
    {
      picks += begin(piece, with: peer, .again, count)
    }
    return picks
  }

  /// A whole piece for somebody who gives all of it at once, as a web server does.
  mutating func pickWhole<Random: RandomNumberGenerator>(
    for peer: PeerNumber, using random: inout Random
  ) -> (piece: Int, reason: PickReason)? {
    // What is begun needs no room, and goes where others make it: it is ended first.
    if !memory.mayTake(pieceLength), let pick = pickBegun(for: peer) { return pick }
    if let (piece, reason) = next({ _ in true }, nil, unheard: true, using: &random), makeRoom() {
      _ = begin(piece, with: peer, reason, .max)
      return (piece, reason)
    }
    return pickBegun(for: peer)
  }

  /// All that is missing of what somebody began and gave back.
  private mutating func pickBegun(for peer: PeerNumber) -> (piece: Int, reason: PickReason)? {
    guard let piece = open.first(where: { downloads[$0]?.sole ?? peer == peer }) else { return nil }
    _ = downloads[piece]?.ask(.max, of: peer)
    open.removeAll { $0 == piece }
    return (piece, .begun)
  }

  /// Whether there is room for one piece more, the last one being no longer than the others. Where there is none, one that is begun and
  /// that nobody is at work on makes it, lest those keep all that others would give now: what came of it has to come again.
  private mutating func makeRoom() -> Bool {
    if memory.mayTake(pieceLength) { return true }
    let idle = open.filter { downloads[$0]?.isIdle == true }
    guard let least = idle.max(by: { downloads[$0]?.missing ?? 0 < downloads[$1]?.missing ?? 0 }) else { return false }
    drop(least)
    return memory.mayTake(pieceLength)
  }

  /// Nothing of it is kept.
  private mutating func drop(_ piece: Int) {
    dropped += UInt64(progress(of: piece))
    downloads[piece] = nil
    memory.give(length(of: piece))
    open.removeAll { $0 == piece }
    if isMissing(piece) { order.insert(piece) }
    ownChanges += 1
  }

  /// All that is missing was asked for.
  var isEndgame: Bool { open.isEmpty && order.reachable == 0 && !downloads.isEmpty }

  private mutating func next<Random: RandomNumberGenerator>(
    _ gives: (Int) -> Bool, _ allowed: Set<Int>?, unheard: Bool, using random: inout Random
  ) -> (Int, PickReason)? {
    if let allowed {
      let pieces = allowed.filter { order.contains($0) && gives($0) }.sorted()
      return pieces.randomElement(using: &random).map { ($0, .allowedFast) }
    }
    if have.held + downloads.count + checking.count < Self.randomPieces {
      return order.any(unheard: unheard, using: &random, where: gives).map { ($0, .random) }
    }
    return order.rarest(unheard: unheard, using: &random, where: gives).map {
      ($0.piece, .rarest(peers: order.peers(with: $0.piece), equals: $0.equals))
    }
  }

  private mutating func begin(_ piece: Int, with peer: PeerNumber, _ reason: PickReason, _ count: Int) -> [Pick] {
    order.remove(piece)
    memory.take(length(of: piece))
    var download = PieceDownload(piece: piece, length: length(of: piece))
    let isAgain = suspicions.has(piece)
    if isAgain {
      download.sole = peer
      suspicions.setSole(peer, of: piece)
    }
    let blocks = download.ask(count, of: peer)
    if download.free > 0 {
      open.append(piece)
      ownChanges += 1
    }
    downloads[piece] = download
    return blocks.map { Pick(block: $0, reason: isAgain ? .again : reason) }
  }

  /// A block that others were asked for already, for a peer that is asked for nothing else, where all that is missing was asked for: one
  /// of those that fewest were asked for.
  mutating func pickAgain<Random: RandomNumberGenerator>(
    for peer: PeerNumber, having pieces: Bitfield, using random: inout Random,
    where willDo: (Block) -> Bool = { _ in true }
  ) -> Pick? {
    var least = Int.max
    var found: [(piece: Int, number: Int)] = []
    for piece in downloads.keys.sorted() where pieces[piece] && !shuns(piece, of: peer) {
      guard let download = downloads[piece], download.sole == nil else { continue }
      for (number, askers) in download.askedOfOthers(than: peer)
      where askers <= least && willDo(download.block(number)) {
        if askers < least { found = [] }
        least = askers
        found.append((piece, number))
      }
    }
    guard let (piece, number) = found.randomElement(using: &random) else { return nil }
    downloads[piece]?.askToo(number, of: peer)
    return downloads[piece].map { Pick(block: $0.block(number), reason: .endgame) }
  }

  /// Whether a peer gives something that nobody was asked for.
  /// - Parameter useful: how many pieces it has that are missing here.
  func hasFree(for peer: PeerNumber, having pieces: Bitfield, useful: Int) -> Bool {
    let isOpen = open.contains {
      pieces[$0] && downloads[$0]?.sole ?? peer == peer && !shuns($0, of: peer)
    }
    if isOpen { return true }
    let begun = [downloads.keys, checking.keys].joined().count { pieces[$0] && isMissing($0) }
    let shunnedHere = shunned.count { piece, peers in order.contains(piece) && pieces[piece] && peers.contains(peer) }
    return useful > begun + shunnedHere
  }

  /// It gave the piece badly more than once: of it, others alone are asked for this piece.
  mutating func shun(_ piece: Int, of peer: PeerNumber) { shunned[piece, default: []].insert(peer) }

  private func shuns(_ piece: Int, of peer: PeerNumber) -> Bool { shunned[piece]?.contains(peer) == true }

  // MARK: What comes of it

  /// The peer won't give the block, or not soon.
  /// - Returns: whether nobody is asked for it now.
  @discardableResult
  mutating func release(_ block: Block, from peer: PeerNumber) -> Bool {
    guard let number = downloads[block.piece]?.number(of: block),
      downloads[block.piece]?.release(number, from: peer) == true
    else { return false }
    if !open.contains(block.piece) { open.append(block.piece) }
    ownChanges += 1
    return true
  }

  /// Whether it is a block of a begun piece and has not come.
  func lacks(_ block: Block) -> Bool {
    guard let download = downloads[block.piece], let number = download.number(of: block) else { return false }
    return download.blocks[number].isEmpty
  }

  /// A peer that has gone is not waited for with the pieces that it alone was asked for.
  mutating func forgetSole(_ peer: PeerNumber) {
    for piece in solePieces.sorted() where downloads[piece]?.sole == peer { forgetSole(of: piece) }
  }

  /// Who is asked alone for the piece has had its time.
  mutating func forgetSole(of piece: Int) {
    guard downloads[piece]?.sole != nil else { return }
    // What it has given so far may be bad: from whoever comes next, all of it.
    drop(piece)
  }

  /// Who was asked alone for a piece may be so again.
  mutating func forgive() {
    suspicions.forgetSoles()
    ownChanges += 1
  }

  /// Pieces that one peer alone is asked for.
  var solePieces: [Int] { downloads.values.filter { $0.sole != nil }.map(\.piece) }

  mutating func receive(_ block: Block, _ content: [UInt8], from peer: PeerNumber) -> Arrival {
    guard let number = downloads[block.piece]?.number(of: block), content.count == block.length,
      downloads[block.piece]?.sole ?? peer == peer,
      let cancel = downloads[block.piece]?.receive(number, content, from: peer)
    else { return .unwanted }
    if downloads[block.piece]?.free == 0, let place = open.firstIndex(of: block.piece) { open.remove(at: place) }
    guard downloads[block.piece]?.isComplete == true, let download = downloads.removeValue(forKey: block.piece) else {
      return .kept(cancel: cancel)
    }
    checking[block.piece] = download
    ownChanges += 1
    return .complete(cancel: cancel)
  }

  /// The blocks of a piece that is complete and was not checked yet.
  func blocks(of piece: Int) -> [[UInt8]] { checking[piece]?.blocks ?? [] }
  func givers(of piece: Int) -> Set<PeerNumber> { Set((checking[piece]?.givers ?? []).compactMap { $0 }) }

  /// Its hash is right and it is on the disk.
  /// - Returns: who gave something else before.
  mutating func accept(_ piece: Int) -> Set<PeerNumber> {
    guard let download = checking.removeValue(forKey: piece) else { return [] }
    memory.give(length(of: piece))
    have[piece] = true
    shunned[piece] = nil
    ownChanges += 1
    return suspicions.convict(by: download)
  }

  /// Its hash is wrong.
  /// - Returns: whose fault it is, where that is known now.
  mutating func refuse(_ piece: Int) -> PeerNumber? {
    guard let download = checking.removeValue(forKey: piece) else { return nil }
    memory.give(length(of: piece))
    if isMissing(piece) { order.insert(piece) }
    ownChanges += 1
    let givers = Set(download.givers.compactMap { $0 })
    if givers.count == 1 { return givers.first }
    suspicions.remember(download)
    return nil
  }

  /// It could not be written, which is nobody's fault.
  mutating func giveUp(_ piece: Int) {
    if checking.removeValue(forKey: piece) != nil { memory.give(length(of: piece)) }
    if isMissing(piece) { order.insert(piece) }
    ownChanges += 1
  }

  /// What is wanted from now on. A piece that is begun comes all the same.
  mutating func want(_ pieces: Bitfield) {
    wanted = pieces
    ownChanges += 1
    for piece in 0..<pieceCount where downloads[piece] == nil && checking[piece] == nil {
      if isMissing(piece) { order.insert(piece) } else { order.remove(piece) }
    }
  }
}

extension Bitfield {
  /// Whether it lacks a piece of `other`.
  func hasSomethingMissing(of other: Bitfield) -> Bool { other.hasSomething(for: self) }
}
