import Octets

/// Header fields ready to be sent: one flat run of `name: value CRLF` lines.
///
/// A block built once and kept costs a retain to use again.
public struct FieldBlock: Sendable, Equatable, ExpressibleByDictionaryLiteral {
  /// The lines, each with its CRLF.
  public private(set) var bytes: [UInt8] = []

  public init() {}
  public init(dictionaryLiteral elements: (String, String)...) {
    for (name, value) in elements { append(name, value) }
  }

  public var isEmpty: Bool { bytes.isEmpty }

  /// Adds a field. What can't stand in a name is dropped and controls in a value become spaces, so that no value can
  /// end a line and start another.
  public mutating func append(_ name: String, _ value: String) {
    bytes.reserveCapacity(bytes.count + name.utf8.count + value.utf8.count + 4)
    for byte in name.utf8 where CharacterSet.token.contains(byte) { bytes.append(byte) }
    bytes.append(0x3a)
    bytes.append(space)
    for byte in value.utf8 { bytes.append(byte.isFieldValue ? byte : space) }
    bytes.append(carriageReturn)
    bytes.append(lineFeed)
  }

  /// Adds the fields of another block.
  public mutating func append(contentsOf other: FieldBlock) { bytes += other.bytes }

  /// Puts a field in the place of all of that name.
  public mutating func set(_ name: String, _ value: String) {
    remove(name)
    append(name, value)
  }

  public mutating func remove(_ name: String) {
    while let line = line(of: name) { bytes.removeSubrange(line.all) }
  }

  /// The value of the first field of that name, whatever its case.
  public subscript(name: String) -> String? {
    line(of: name).map { String(decoding: bytes[$0.value], as: UTF8.self) }
  }

  private func line(of name: String) -> (all: Range<Int>, value: Range<Int>)? {
    var start = 0
    while start < bytes.count {
      var end = start
      while bytes[end] != lineFeed { end += 1 }
      let nameEnd = start + name.utf8.count
      if nameEnd < end, bytes[nameEnd] == 0x3a,
        zip(bytes[start..<nameEnd], name.utf8).allSatisfy({ $0.asciiLowercased == $1.asciiLowercased })
      {
        return (start..<end + 1, nameEnd + 2..<end - 1)
      }
      start = end + 1
    }
    return nil
  }
}
