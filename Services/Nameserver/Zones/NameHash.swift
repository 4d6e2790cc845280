import DNSWire

/// A keyed hash of names, extended label by label from the root, so that one walk gives it for every ancestor.
///
/// Whoever may add names to a zone, and every registrant of a TLD may, could otherwise choose names that all fall into
/// one place of the tables. It is SipHash-1-3 of the parent's hash and the label; the label's length octet keeps
/// different labels different, so the usual block with the message's length is left out.
struct NameHash: Sendable {
  private let key: (UInt64, UInt64)
  /// Of the root.
  static let root: UInt64 = 0

  init(using generator: inout some RandomNumberGenerator) {
    key = (generator.next(), generator.next())
  }

  /// - Parameters:
  ///   - parent: the hash of the name without this label.
  ///   - label: in lower case, its length octet first.
  func extend(_ parent: UInt64, _ label: RawSpan) -> UInt64 {
    var state = SipState(key)
    state.compress(parent)
    var offset = 0
    while offset + 8 <= label.byteCount {
      // Any eight octets are a number.
      state.compress(unsafe label.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self).littleEndian)
      offset += 8
    }
    if offset < label.byteCount {
      var word: UInt64 = 0
      for index in offset..<label.byteCount {
        word |= UInt64(unsafe label.unsafeLoad(fromByteOffset: index, as: UInt8.self)) << UInt64((index - offset) * 8)
      }
      state.compress(word)
    }
    return state.finish()
  }

  /// Of a whole name, as the tables keep it.
  func of(_ name: Name) -> UInt32 {
    let wire = name.lowercased.wire
    var hash = Self.root
    for start in name.labelOffsets.reversed() {
      // Every octet of an array of octets is initialised.
      hash = extend(hash, unsafe wire.span.bytes.extracting(start...start + Int(wire[start])))
    }
    return UInt32(truncatingIfNeeded: hash)
  }
}

/// The state of SipHash (Aumasson and Bernstein, 2012), with one round a word and three at the end.
private struct SipState {
  private var v0, v1, v2, v3: UInt64

  @inline(__always) init(_ key: (UInt64, UInt64)) {
    v0 = key.0 ^ 0x736F_6D65_7073_6575
    v1 = key.1 ^ 0x646F_7261_6E64_6F6D
    v2 = key.0 ^ 0x6C79_6765_6E65_7261
    v3 = key.1 ^ 0x7465_6462_7974_6573
  }

  @inline(__always) mutating func compress(_ word: UInt64) {
    v3 ^= word
    round()
    v0 ^= word
  }

  @inline(__always) mutating func finish() -> UInt64 {
    v2 ^= 0xFF
    round()
    round()
    round()
    return v0 ^ v1 ^ v2 ^ v3
  }

  @inline(__always) private mutating func round() {
    func rotate(_ value: UInt64, _ count: UInt64) -> UInt64 { value << count | value >> (64 - count) }
    v0 &+= v1
    v1 = rotate(v1, 13) ^ v0
    v0 = rotate(v0, 32)
    v2 &+= v3
    v3 = rotate(v3, 16) ^ v2
    v0 &+= v3
    v3 = rotate(v3, 21) ^ v0
    v2 &+= v1
    v1 = rotate(v1, 17) ^ v2
    v2 = rotate(v2, 32)
  }
}
