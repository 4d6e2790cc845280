/// What is asked (RFC 1035 §4.1.2).
public struct Question: Hashable, Sendable, CustomStringConvertible {
  public var name: Name
  public var type: RecordType
  public var `class`: RecordClass

  public init(name: Name, type: RecordType, class: RecordClass = .internet) {
    self.name = name
    self.type = type
    self.class = `class`
  }

  init(_ cursor: inout WireCursor, _ message: RawSpan) throws(WireError) {
    name = try cursor.name(message)
    type = RecordType(rawValue: try cursor.uint16(message))
    self.class = RecordClass(rawValue: try cursor.uint16(message))
  }

  public var description: String { "\(name) \(self.class) \(type)" }
}

/// A resource record (RFC 1035 §3.2.1).
public struct ResourceRecord: Hashable, Sendable {
  /// RFC 2181 §8.
  public static let maximumTTL: UInt32 = 0x7FFF_FFFF

  public var name: Name
  public var `class`: RecordClass
  /// Seconds.
  public var ttl: UInt32
  public var data: RData

  public var type: RecordType { data.type }

  public init(name: Name, class: RecordClass = .internet, ttl: UInt32, data: RData) {
    self.name = name
    self.class = `class`
    self.ttl = ttl
    self.data = data
  }
}

/// The fields of a record before its RDATA.
struct RecordPrefix {
  var name: Name
  var type: RecordType
  var `class`: UInt16
  var ttl: UInt32
  /// Where the RDATA stands.
  var range: Range<Int>

  init(_ cursor: inout WireCursor, _ message: RawSpan) throws(WireError) {
    name = try cursor.name(message)
    type = RecordType(rawValue: try cursor.uint16(message))
    self.class = try cursor.uint16(message)
    ttl = try cursor.uint32(message)
    let length = Int(try cursor.uint16(message))
    guard length <= cursor.end - cursor.offset else { throw .truncated(offset: cursor.end) }
    range = cursor.offset..<(cursor.offset + length)
    cursor.offset += length
  }

  /// A TTL with the highest bit set is zero (RFC 2181 §8).
  func record(_ message: RawSpan) throws(WireError) -> ResourceRecord {
    let `class` = RecordClass(rawValue: self.class)
    return ResourceRecord(
      name: name, class: `class`, ttl: ttl > ResourceRecord.maximumTTL ? 0 : ttl,
      data: try RData(decoding: message, range: range, type: type, class: `class`))
  }
}

extension MessageWriter {
  public mutating func append(_ question: Question) {
    append(question.name)
    append(question.type.rawValue)
    append(question.class.rawValue)
  }

  public mutating func append(_ record: ResourceRecord) {
    append(record.name)
    append(record.type.rawValue)
    append(record.class.rawValue)
    append(record.ttl)
    let length = bytes.count
    append(UInt16(0))
    append(record.data)
    patch(UInt16(clamping: bytes.count - length - 2), at: length)
  }
}
