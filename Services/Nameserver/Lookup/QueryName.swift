import Octets

/// The name that is being looked up, taken apart once: lower case, labels, and the hash of each of its suffixes.
///
/// Its buffers are used for every query, so a look-up allocates nothing.
struct QueryName {
  /// As asked, case kept.
  private(set) var wire = InlineArray<256, UInt8>(repeating: 0)
  private(set) var lower = InlineArray<256, UInt8>(repeating: 0)
  /// Where each label begins; the last entry is the root's.
  private(set) var starts = InlineArray<129, UInt8>(repeating: 0)
  /// Of the suffix that begins at each label.
  private(set) var hashes = InlineArray<129, UInt32>(repeating: 0)
  /// Octets, the root's included.
  private(set) var length = 1
  /// Labels without the root's.
  private(set) var labelCount = 0
  private let hash: NameHash

  /// - Parameter hash: that of the zones it is looked up in.
  init(_ hash: NameHash) { self.hash = hash }

  /// Takes the uncompressed name at `offset` of a message; its length, or nil when it is not one.
  mutating func load(_ message: RawSpan, at offset: Int) -> Int? {
    var position = 0
    var labels = 0
    let end = message.byteCount
    while true {
      guard offset + position < end else { return nil }
      let count = Int(unsafe message.unsafeLoad(fromByteOffset: offset + position, as: UInt8.self))
      guard count <= 63, position + count + 1 <= 255, offset + position + count < end else { return nil }
      starts[labels] = UInt8(truncatingIfNeeded: position)
      for index in position...(position + count) {
        let octet = unsafe message.unsafeLoad(fromByteOffset: offset + index, as: UInt8.self)
        wire[index] = octet
        lower[index] = octet.asciiLowercased
      }
      position += count + 1
      if count == 0 { break }
      labels += 1
    }
    length = position
    labelCount = labels
    hashSuffixes()
    return position
  }

  /// Takes a valid name in wire format from a zone's octets.
  mutating func load(_ octets: [UInt8], at offset: Int, count: Int) {
    for index in 0..<count {
      wire[index] = octets[offset + index]
    }
    analyse(count)
  }

  /// Puts the labels before suffix `label` before a new suffix (RFC 6672 §3); false, with nothing changed, when that
  /// is too long.
  mutating func substitute(suffix label: Int, with octets: [UInt8], at offset: Int, count: Int) -> Bool {
    let prefix = Int(starts[label])
    guard prefix + count <= 255 else { return false }
    for index in 0..<count {
      wire[prefix + index] = octets[offset + index]
    }
    analyse(prefix + count)
    return true
  }

  private mutating func analyse(_ count: Int) {
    length = count
    labelCount = 0
    var position = 0
    for index in 0..<count { lower[index] = wire[index].asciiLowercased }
    while true {
      starts[labelCount] = UInt8(truncatingIfNeeded: position)
      if lower[position] == 0 { break }
      position += Int(lower[position]) + 1
      labelCount += 1
    }
    hashSuffixes()
  }

  private mutating func hashSuffixes() {
    var value = NameHash.root
    hashes[labelCount] = UInt32(truncatingIfNeeded: value)
    var label = labelCount
    while label > 0 {
      label -= 1
      let start = Int(starts[label])
      // Every octet of an array of octets is initialised.
      value = hash.extend(value, unsafe lower.span.bytes.extracting(start...start + Int(lower[start])))
      hashes[label] = UInt32(truncatingIfNeeded: value)
    }
  }

  /// Octets of the suffix that begins at `label`.
  func length(from label: Int) -> Int { length - Int(starts[label]) }
}
