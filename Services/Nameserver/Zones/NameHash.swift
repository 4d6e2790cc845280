import DNSWire
import Octets

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
    var state = SipHash(key, rounds: 1, closing: 3)
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
