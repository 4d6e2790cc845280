/// A hash of names that is extended label by label from the root, so that one walk gives it for every ancestor.
///
/// The names in the tables come from who administers the zones, so it needs no secret.
enum NameHash {
  static let root: UInt32 = 0x811C_9DC5

  /// By one octet of a label in lower case, its length octet first.
  @inline(__always) static func extend(_ hash: UInt32, _ octet: UInt8) -> UInt32 {
    (hash ^ UInt32(octet)) &* 0x0100_0193
  }

  /// The slot to look at first; the multiplication above leaves the low bits weak.
  @inline(__always) static func slot(_ hash: UInt32, mask: Int) -> Int {
    Int(truncatingIfNeeded: (hash ^ hash >> 15) &* 0x9E37_79B1 >> 7) & mask
  }

  /// Of a whole name in lower case.
  static func of(_ wire: [UInt8]) -> UInt32 {
    var starts: [Int] = []
    var position = 0
    while wire[position] != 0 {
      starts.append(position)
      position += Int(wire[position]) + 1
    }
    var hash = root
    for start in starts.reversed() {
      for octet in wire[start...(start + Int(wire[start]))] { hash = extend(hash, octet) }
    }
    return hash
  }
}
