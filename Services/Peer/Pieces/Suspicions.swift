/// Who gave which blocks of pieces that came out bad, until a good copy shows whose were wrong.
struct Suspicions {
  struct Suspect {
    var number: Int
    var peer: PeerNumber
    /// Of the octets that it gave.
    var digest: Int
  }

  /// Pieces that are remembered, at most.
  private static let limit = 64
  private var suspects: [Int: [Suspect]] = [:]
  /// Who was asked last for all of such a piece, alone.
  private var soles: [Int: PeerNumber] = [:]

  /// It has had its chance: somebody else comes first.
  func wasSole(_ peer: PeerNumber, of piece: Int) -> Bool { soles[piece] == peer }
  mutating func setSole(_ peer: PeerNumber, of piece: Int) { soles[piece] = peer }

  mutating func forgetSoles() { soles = [:] }

  /// A piece of which this peer was the last, for when there is no other.
  func only(of peer: PeerNumber, where isMissing: (Int) -> Bool) -> Int? {
    soles.keys.sorted().first { soles[$0] == peer && isMissing($0) }
  }

  func has(_ piece: Int) -> Bool { suspects[piece] != nil }

  mutating func remember(_ download: PieceDownload) {
    guard suspects.count < Self.limit else { return }
    for (number, block) in download.blocks.enumerated() {
      guard let peer = download.givers[number] else { continue }
      suspects[download.piece, default: []].append(Suspect(number: number, peer: peer, digest: Self.digest(block)))
    }
  }

  /// The piece is good now: whose blocks were others.
  mutating func convict(by download: PieceDownload) -> Set<PeerNumber> {
    soles[download.piece] = nil
    guard let suspects = suspects.removeValue(forKey: download.piece) else { return [] }
    return Set(
      suspects.filter { $0.number < download.blocks.count && Self.digest(download.blocks[$0.number]) != $0.digest }.map(
        \.peer))
  }

  /// Seeded anew in each process, so that nobody can make a block that looks like another.
  private static func digest(_ octets: [UInt8]) -> Int {
    var hasher = Hasher()
    unsafe octets.withUnsafeBytes { unsafe hasher.combine(bytes: $0) }
    return hasher.finalize()
  }
}
