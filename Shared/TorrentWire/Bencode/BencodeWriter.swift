import Octets

/// Writes bencoded values (BEP 3), piece by piece.
///
/// A dictionary's keys have to be given in the order of their octets; a debug build looks.
public struct BencodeWriter: Sendable {
  public private(set) var octets: [UInt8] = []

  public init() {}

  public mutating func integer(_ value: some BinaryInteger) {
    octets.append(0x69)
    octets.appendDecimal(value)
    octets.append(0x65)
  }

  public mutating func string(_ value: some Collection<UInt8>) {
    octets.appendDecimal(value.count)
    octets.append(0x3A)
    octets += value
  }

  public mutating func string(_ text: String) { string(text.utf8) }

  /// A value that is bencoded already.
  public mutating func verbatim(_ value: some Collection<UInt8>) { octets += value }

  public mutating func list(_ items: (inout BencodeWriter) -> Void) {
    octets.append(0x6C)
    items(&self)
    octets.append(0x65)
  }

  public mutating func dictionary(_ members: (inout BencodeDictionaryWriter) -> Void) {
    octets.append(0x64)
    var dictionary = BencodeDictionaryWriter(writer: self)
    octets = []
    members(&dictionary)
    self = dictionary.writer
    octets.append(0x65)
  }
}

/// The members of a dictionary that is being written.
public struct BencodeDictionaryWriter: Sendable {
  fileprivate(set) var writer: BencodeWriter
  private var last: [UInt8] = []

  fileprivate init(writer: BencodeWriter) { self.writer = writer }

  /// A member; `value` writes one value.
  public mutating func member(_ key: some Collection<UInt8>, _ value: (inout BencodeWriter) -> Void) {
    assert(last.isEmpty || last.lexicographicallyPrecedes(key), "keys are sorted")
    assert(
      {
        last = Array(key); return true
      }())
    writer.string(key)
    value(&writer)
  }

  public mutating func member(_ key: String, _ value: (inout BencodeWriter) -> Void) { member(key.utf8, value) }
  public mutating func member(_ key: String, _ value: some BinaryInteger) { member(key) { $0.integer(value) } }
  public mutating func member(_ key: String, _ value: some Collection<UInt8>) { member(key) { $0.string(value) } }
  public mutating func member(_ key: String, _ value: String) { member(key) { $0.string(value) } }
}
