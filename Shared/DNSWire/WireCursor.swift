extension RawSpan {
  /// Checked against the span's bounds by the load itself.
  @inline(__always) func octet(_ offset: Int) -> UInt8 { unsafe unsafeLoad(fromByteOffset: offset, as: UInt8.self) }
}

/// A place in a message and the end of what may be read. The octets are handed in with each call, so it needs no
/// lifetime of its own.
struct WireCursor {
  var offset: Int
  var end: Int

  init(_ offset: Int, end: Int) {
    self.offset = offset
    self.end = end
  }

  private mutating func take(_ count: Int) throws(WireError) -> Int {
    guard count <= end - offset else { throw .truncated(offset: end) }
    defer { offset += count }
    return offset
  }

  mutating func uint8(_ bytes: RawSpan) throws(WireError) -> UInt8 {
    bytes.octet(try take(1))
  }

  mutating func uint16(_ bytes: RawSpan) throws(WireError) -> UInt16 {
    let at = try take(2)
    return UInt16(bytes.octet(at)) << 8 | UInt16(bytes.octet(at + 1))
  }

  mutating func uint32(_ bytes: RawSpan) throws(WireError) -> UInt32 {
    UInt32(try uint16(bytes)) << 16 | UInt32(try uint16(bytes))
  }

  mutating func octets(_ count: Int, _ bytes: RawSpan) throws(WireError) -> [UInt8] {
    let at = try take(count)
    var octets: [UInt8] = []
    octets.reserveCapacity(count)
    for index in at..<(at + count) { octets.append(bytes.octet(index)) }
    return octets
  }

  /// All that is left before `end`.
  mutating func rest(_ bytes: RawSpan) throws(WireError) -> [UInt8] {
    try octets(end - offset, bytes)
  }

  /// A name, expanded (RFC 1035 §4.1.4). Each pointer must lead strictly before the labels it was found in, so the
  /// walk ends; and no more pointers than a name can have labels, so that it ends soon.
  mutating func name(_ bytes: RawSpan, compressed: Bool = true) throws(WireError) -> Name {
    let start = offset
    var wire: [UInt8] = []
    var position = offset
    var segment = offset
    var limit = end
    var after: Int?
    var pointers = 0
    while true {
      guard position < limit else { throw .truncated(offset: position) }
      let length = bytes.octet(position)
      switch length >> 6 {
      case 0:
        let next = position + 1 + Int(length)
        guard next <= limit else { throw .truncated(offset: limit) }
        guard wire.count + 1 + Int(length) + (length == 0 ? 0 : 1) <= Name.maximumLength else {
          throw .nameTooLong(offset: start)
        }
        for index in position..<next { wire.append(bytes.octet(index)) }
        position = next
        if length == 0 {
          offset = after ?? position
          return Name(uncheckedWire: wire)
        }
      case 3:
        guard position + 1 < limit else { throw .truncated(offset: limit) }
        let target = Int(length & 0x3F) << 8 | Int(bytes.octet(position + 1))
        pointers += 1
        guard compressed, target < segment, pointers <= Name.maximumLabels else { throw .badPointer(offset: position) }
        if after == nil { after = position + 2 }
        // What a pointer leads to lies before it, whatever part of the message is being read.
        limit = segment
        segment = target
        position = target
      default:
        throw .badLabelType(offset: position)
      }
    }
  }
}
