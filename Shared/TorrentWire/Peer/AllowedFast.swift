public import Octets

/// Which pieces a choked peer may have all the same (BEP 6): both sides come to the same ones, so asking at two addresses of one
/// network brings nothing.
public enum AllowedFast {
  /// - Parameters:
  ///   - peer: the address of the peer that is allowed; by IPv6 nothing is said of how.
  ///   - hash: SHA-1.
  public static func pieces(
    _ count: Int, of pieceCount: Int, for peer: IPAddress, in torrent: InfoHash, hash: ([UInt8]) -> [UInt8]
  ) -> [Int] {
    guard let v4 = peer.v4, pieceCount > 0 else { return [] }
    var network = NumberWriter()
    network.uint32(v4 & 0xFFFF_FF00)
    var seed = network.octets
    torrent.append(to: &seed)
    var pieces: [Int] = []
    while pieces.count < min(count, pieceCount) {
      seed = hash(seed)
      guard seed.count == 20 else { return pieces }
      for start in stride(from: 0, to: 20, by: 4) where pieces.count < min(count, pieceCount) {
        let number = seed[start..<start + 4].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        let piece = Int(number % UInt32(clamping: pieceCount))
        if !pieces.contains(piece) { pieces.append(piece) }
      }
    }
    return pieces
  }
}
