/// SipHash (Aumasson and Bernstein, 2012): a code over words that nobody can foresee without the key.
///
///     var hash = SipHash(key)
///     hash.compress(word)
///     return hash.finish()
///
/// What is hashed has a fixed number of words, or says itself where it ends: the usual block with the message's length is left to the
/// caller.
@frozen public struct SipHash {
  @usableFromInline var v0, v1, v2, v3: UInt64
  @usableFromInline let rounds: Int
  @usableFromInline let closing: Int

  /// - Parameters:
  ///   - rounds: of each word: 1 (with 3 at the end) spreads keys over a table, 2 (with 4) authenticates.
  ///   - closing: at the end.
  @inlinable @inline(__always) public init(_ key: (UInt64, UInt64), rounds: Int, closing: Int) {
    v0 = key.0 ^ 0x736F_6D65_7073_6575
    v1 = key.1 ^ 0x646F_7261_6E64_6F6D
    v2 = key.0 ^ 0x6C79_6765_6E65_7261
    v3 = key.1 ^ 0x7465_6462_7974_6573
    self.rounds = rounds
    self.closing = closing
  }

  @inlinable @inline(__always) public mutating func compress(_ word: UInt64) {
    v3 ^= word
    for _ in 0..<rounds { round() }
    v0 ^= word
  }

  @inlinable @inline(__always) public mutating func finish() -> UInt64 {
    v2 ^= 0xFF
    for _ in 0..<closing { round() }
    return v0 ^ v1 ^ v2 ^ v3
  }

  @inlinable @inline(__always) mutating func round() {
    v0 &+= v1
    v1 = SipHash.rotate(v1, 13) ^ v0
    v0 = SipHash.rotate(v0, 32)
    v2 &+= v3
    v3 = SipHash.rotate(v3, 16) ^ v2
    v0 &+= v3
    v3 = SipHash.rotate(v3, 21) ^ v0
    v2 &+= v1
    v1 = SipHash.rotate(v1, 17) ^ v2
    v2 = SipHash.rotate(v2, 32)
  }

  @inlinable @inline(__always) static func rotate(_ value: UInt64, _ count: UInt64) -> UInt64 {
    value << count | value >> (64 - count)
  }
}
