/// A bencoded value (BEP 3), and the octets that it stood as: a hash is over those, and not over what another would make of them.
public struct Bencode: Sendable {
  public indirect enum Value: Sendable {
    case integer(Int64)
    case string(ArraySlice<UInt8>)
    case list([Bencode])
    case dictionary([Member])
  }

  public struct Member: Sendable {
    public let key: ArraySlice<UInt8>
    public let value: Bencode
  }

  public let value: Value
  /// As it stood, from its first octet to its last.
  public let octets: ArraySlice<UInt8>
  /// Whether the keys of all dictionaries in it are in order, as they must be where a hash depends on them.
  public let isSorted: Bool

  public var integer: Int64? { if case .integer(let value) = value { value } else { nil } }
  public var string: ArraySlice<UInt8>? { if case .string(let value) = value { value } else { nil } }
  public var list: [Bencode]? { if case .list(let value) = value { value } else { nil } }
  public var dictionary: [Member]? { if case .dictionary(let value) = value { value } else { nil } }

  /// A string as text; what is no UTF-8 in it is replaced.
  public var text: String? { string.map { String(decoding: $0, as: UTF8.self) } }

  /// The value of a dictionary's key; nil where there is none, or this is no dictionary.
  public subscript(_ key: String) -> Bencode? {
    guard case .dictionary(let members) = value else { return nil }
    return members.first { $0.key.elementsEqual(key.utf8) }?.value
  }
}

/// Why octets are no bencoded value, and where.
public enum BencodeError: Error, Equatable, Sendable {
  case truncated
  /// Neither a digit nor `i`, `l`, `d` or `e` where one has to be.
  case unexpected(offset: Int)
  /// Not written in the one way an integer or a length may be, or too large.
  case badNumber(offset: Int)
  /// Something other than a string, or the same key twice.
  case badKey(offset: Int)
  case tooDeep
  case tooMany
  case trailingOctets(offset: Int)
}

extension BencodeError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .truncated: "it ends within a value"
    case .unexpected(let offset): "no value begins at octet \(offset)"
    case .badNumber(let offset): "the number at octet \(offset) is too large, or not written in the one way it may be"
    case .badKey(let offset): "the key at octet \(offset) is no string, or there twice"
    case .tooDeep: "it has more than \(Bencode.depthLimit) lists or dictionaries in each other"
    case .tooMany: "it has more values than are taken"
    case .trailingOctets(let offset): "something follows its end at octet \(offset)"
    }
  }
}

extension Bencode {
  /// Lists and dictionaries in each other.
  public static let depthLimit = 32

  /// The one value that the octets are.
  /// - Parameter limit: of the values in it: each takes memory, however few octets it has.
  public static func decode(_ octets: ArraySlice<UInt8>, values limit: Int = 1_000_000) throws(BencodeError) -> Bencode
  {
    let value = try decodeFirst(octets, values: limit)
    guard value.octets.endIndex == octets.endIndex else {
      throw .trailingOctets(offset: value.octets.endIndex - octets.startIndex)
    }
    return value
  }

  /// The value that the octets begin with; others may follow (BEP 9).
  public static func decodeFirst(
    _ octets: ArraySlice<UInt8>, values limit: Int = 1_000_000
  ) throws(BencodeError) -> Bencode {
    var reader = BencodeReader(octets, limit)
    return try reader.value(depth: 0)
  }
}

private struct BencodeReader {
  private let octets: ArraySlice<UInt8>
  private var index: Int
  private var left: Int

  init(_ octets: ArraySlice<UInt8>, _ limit: Int) {
    self.octets = octets
    index = octets.startIndex
    left = limit
  }

  private var offset: Int { index - octets.startIndex }

  private func next() throws(BencodeError) -> UInt8 {
    guard index < octets.endIndex else { throw .truncated }
    return octets[index]
  }

  mutating func value(depth: Int) throws(BencodeError) -> Bencode {
    left -= 1
    guard left >= 0 else { throw .tooMany }
    let start = index
    switch try next() {
    case 0x69:
      index += 1
      let number = try integer()
      return Bencode(value: .integer(number), octets: octets[start..<index], isSorted: true)
    case 0x30...0x39:
      let text = try string()
      return Bencode(value: .string(text), octets: octets[start..<index], isSorted: true)
    case 0x6C: return try list(start, depth)
    case 0x64: return try dictionary(start, depth)
    default: throw .unexpected(offset: offset)
    }
  }

  /// Behind the `i`: no leading zeros, no minus zero, no plus.
  private mutating func integer() throws(BencodeError) -> Int64 {
    let start = offset
    let isNegative = try next() == 0x2D
    if isNegative { index += 1 }
    let magnitude = try digits(upTo: 0x65)
    if isNegative {
      guard magnitude > 0, magnitude <= UInt64(Int64.max) + 1 else { throw .badNumber(offset: start) }
      return Int64(truncatingIfNeeded: 0 &- magnitude)
    }
    guard let number = Int64(exactly: magnitude) else { throw .badNumber(offset: start) }
    return number
  }

  /// Decimal digits without a zero in front, and the octet that ends them.
  private mutating func digits(upTo end: UInt8) throws(BencodeError) -> UInt64 {
    let start = index
    var number: UInt64 = 0
    while true {
      let octet = try next()
      if octet == end { break }
      let digit = octet &- 0x30
      let (product, overflow) = number.multipliedReportingOverflow(by: 10)
      let (sum, carry) = product.addingReportingOverflow(UInt64(digit))
      guard digit < 10, !overflow, !carry else { throw .badNumber(offset: start - octets.startIndex) }
      number = sum
      index += 1
    }
    let length = index - start
    guard length == 1 || (length > 1 && octets[start] != 0x30) else {
      throw .badNumber(offset: start - octets.startIndex)
    }
    index += 1
    return number
  }

  private mutating func string() throws(BencodeError) -> ArraySlice<UInt8> {
    let length = try digits(upTo: 0x3A)
    guard length <= UInt64(octets.endIndex - index) else { throw .truncated }
    let start = index
    index += Int(length)
    return octets[start..<index]
  }

  private mutating func list(_ start: Int, _ depth: Int) throws(BencodeError) -> Bencode {
    guard depth < Bencode.depthLimit else { throw .tooDeep }
    index += 1
    var items: [Bencode] = []
    var isSorted = true
    while try next() != 0x65 {
      let item = try value(depth: depth + 1)
      isSorted = isSorted && item.isSorted
      items.append(item)
    }
    index += 1
    return Bencode(value: .list(items), octets: octets[start..<index], isSorted: isSorted)
  }

  private mutating func dictionary(_ start: Int, _ depth: Int) throws(BencodeError) -> Bencode {
    guard depth < Bencode.depthLimit else { throw .tooDeep }
    index += 1
    var members: [Bencode.Member] = []
    var (isOrdered, isSorted) = (true, true)
    while true {
      let octet = try next()
      if octet == 0x65 { break }
      guard 0x30...0x39 ~= octet else { throw .badKey(offset: offset) }
      left -= 1
      guard left >= 0 else { throw .tooMany }
      let key = try string()
      let value = try value(depth: depth + 1)
      if let last = members.last, !last.key.lexicographicallyPrecedes(key) { isOrdered = false }
      isSorted = isSorted && value.isSorted
      members.append(Bencode.Member(key: key, value: value))
    }
    if !isOrdered {
      let keys = members.map(\.key).sorted { $0.lexicographicallyPrecedes($1) }
      for (one, other) in zip(keys, keys.dropFirst()) where one == other {
        throw .badKey(offset: other.startIndex - octets.startIndex)
      }
    }
    index += 1
    return Bencode(value: .dictionary(members), octets: octets[start..<index], isSorted: isOrdered && isSorted)
  }
}
