import Octets

/// Writes a message from its first octet, compressing names (RFC 1035 §4.1.4).
public struct MessageWriter: Sendable {
  public private(set) var bytes: [UInt8] = []
  private let compressing: Bool
  /// Names already written: the hash of each suffix and where it stands. Bounded, so that a message of many names
  /// stays linear.
  private var suffixes: [(hash: UInt32, offset: UInt16)] = []
  private static let maximumSuffixes = 256

  public init(compressing: Bool = true) {
    self.compressing = compressing
  }

  public mutating func append<T: FixedWidthInteger & UnsignedInteger>(_ value: T) {
    var shift = T.bitWidth
    while shift > 0 {
      shift -= 8
      bytes.append(UInt8(truncatingIfNeeded: value >> T(shift)))
    }
  }

  public mutating func append(octets: some Collection<UInt8>) {
    bytes.append(contentsOf: octets)
  }

  /// A name; its longest suffix that was written before becomes a pointer.
  public mutating func append(_ name: Name, compressing: Bool = true) {
    guard self.compressing, compressing, !name.isRoot else {
      bytes += name.wire
      return
    }
    let wire = name.wire
    let offsets = name.labelOffsets
    var hashes = [UInt32](repeating: 0, count: offsets.count)
    var hash: UInt32 = 2_166_136_261
    for index in offsets.indices.reversed() {
      for octet in wire[offsets[index]...offsets[index] + Int(wire[offsets[index]])] {
        hash = (hash ^ UInt32(octet.asciiLowercased)) &* 16_777_619
      }
      hashes[index] = hash
    }
    for (index, start) in offsets.enumerated() {
      for known in suffixes where known.hash == hashes[index] && matches(wire[start...], at: Int(known.offset)) {
        append(0xC000 | known.offset)
        return
      }
      if bytes.count < 0x4000, suffixes.count < MessageWriter.maximumSuffixes {
        suffixes.append((hashes[index], UInt16(bytes.count)))
      }
      bytes += wire[start...start + Int(wire[start])]
    }
    bytes.append(0)
  }

  /// The name written at `offset`, its pointers followed, is `wire`.
  private func matches(_ wire: ArraySlice<UInt8>, at offset: Int) -> Bool {
    var position = offset
    var index = wire.startIndex
    while true {
      let length = bytes[position]
      if length >= 0xC0 {
        position = Int(length & 0x3F) << 8 | Int(bytes[position + 1])
        continue
      }
      guard length == wire[index] else { return false }
      if length == 0 { return true }
      let count = Int(length) + 1
      guard wire[index..<(index + count)].equalsIgnoringASCIICase(bytes[position..<(position + count)]) else {
        return false
      }
      position += count
      index += count
    }
  }

  /// Overwrites the pair of octets at `offset`, which has been written.
  mutating func patch(_ value: UInt16, at offset: Int) {
    bytes[offset] = UInt8(value >> 8)
    bytes[offset + 1] = UInt8(truncatingIfNeeded: value)
  }

  /// Takes back all octets from `count` on.
  mutating func truncate(to count: Int) {
    bytes.removeLast(bytes.count - count)
    suffixes.removeAll { Int($0.offset) >= count }
  }
}
