import Octets

extension RData {
  /// RDATA of exactly the octets `range` of a message.
  ///
  /// Names are expanded wherever a sender may have compressed them (RFC 3597 §4). A type of another class than IN
  /// whose meaning depends on the class, and the empty RDATA of updates (RFC 2136 §2.4), stay as octets.
  /// - Parameter compressed: false where pointers have nothing to point into, as in `\#` text.
  public init(
    decoding message: RawSpan, range: Range<Int>, type: RecordType, class: RecordClass = .internet,
    compressed: Bool = true
  ) throws(WireError) {
    var cursor = WireCursor(range.lowerBound, end: range.upperBound)
    let isPlaceholder = range.isEmpty && (`class` == .any || `class` == .none)
    let dependsOnClass = type == .a || type == .aaaa || type == .srv
    if isPlaceholder || dependsOnClass && `class` != .internet {
      self = .unknown(type, try cursor.rest(message))
      return
    }
    do {
      self = try RData(&cursor, message, type, compressed)
    } catch .truncated {
      throw .badRDataLength(offset: range.lowerBound)
    }
    guard cursor.offset == range.upperBound else { throw .badRDataLength(offset: range.lowerBound) }
  }

  private init(_ cursor: inout WireCursor, _ message: RawSpan, _ type: RecordType, _ compressed: Bool) throws(WireError)
  {
    switch type {
    case .a:
      self = .address(.init(v4: try cursor.uint32(message)))
    case .aaaa:
      let high = UInt64(try cursor.uint32(message)) << 32 | UInt64(try cursor.uint32(message))
      let low = UInt64(try cursor.uint32(message)) << 32 | UInt64(try cursor.uint32(message))
      self = .address(.init(v6: high, low))
    case .ns: self = .ns(try cursor.name(message, compressed: compressed))
    case .cname: self = .cname(try cursor.name(message, compressed: compressed))
    case .ptr: self = .ptr(try cursor.name(message, compressed: compressed))
    case .dname: self = .dname(try cursor.name(message, compressed: compressed))
    case .soa:
      let primary = try cursor.name(message, compressed: compressed)
      let mailbox = try cursor.name(message, compressed: compressed)
      self = .soa(
        SOA(
          primary: primary, mailbox: mailbox, serial: try cursor.uint32(message), refresh: try cursor.uint32(message),
          retry: try cursor.uint32(message), expire: try cursor.uint32(message), minimum: try cursor.uint32(message)))
    case .mx:
      let preference = try cursor.uint16(message)
      self = .mx(preference: preference, exchange: try cursor.name(message, compressed: compressed))
    case .srv:
      let (priority, weight, port) = (
        try cursor.uint16(message), try cursor.uint16(message), try cursor.uint16(message)
      )
      self = .srv(
        SRV(
          priority: priority, weight: weight, port: port, target: try cursor.name(message, compressed: compressed)))
    case .txt:
      var strings: [[UInt8]] = []
      repeat {
        let length = Int(try cursor.uint8(message))
        strings.append(try cursor.octets(length, message))
      } while cursor.offset < cursor.end
      self = .txt(strings)
    case .caa:
      let start = cursor.offset
      let flags = try cursor.uint8(message)
      let tag = try cursor.octets(Int(try cursor.uint8(message)), message)
      guard let caa = CAA(flags: flags, tag: tag, value: try cursor.rest(message)) else {
        throw .badRData(offset: start)
      }
      self = .caa(caa)
    default:
      self = .unknown(type, try cursor.rest(message))
    }
  }

  /// RDATA without compression, its case kept.
  public var wire: [UInt8] {
    var writer = MessageWriter(compressing: false)
    writer.append(self)
    return writer.bytes
  }
}

extension MessageWriter {
  /// RDATA without its length; names of the types of RFC 1035 compressed, of later types not (RFC 3597 §4).
  mutating func append(_ data: RData) {
    switch data {
    case .address(let address):
      if let v4 = address.v4 {
        append(v4)
      } else if let v6 = address.v6 {
        append(v6.high)
        append(v6.low)
      }
    case .ns(let name), .cname(let name), .ptr(let name): append(name)
    case .dname(let name): append(name, compressing: false)
    case .soa(let soa):
      append(soa.primary)
      append(soa.mailbox)
      append(soa.serial)
      append(soa.refresh)
      append(soa.retry)
      append(soa.expire)
      append(soa.minimum)
    case .mx(let preference, let exchange):
      append(preference)
      append(exchange)
    case .txt(let strings):
      for string in strings {
        append(UInt8(clamping: string.count))
        append(octets: string.prefix(255))
      }
    case .srv(let srv):
      append(srv.priority)
      append(srv.weight)
      append(srv.port)
      append(srv.target, compressing: false)
    case .caa(let caa):
      append(caa.flags)
      append(UInt8(clamping: caa.tag.count))
      append(octets: caa.tag.prefix(255))
      append(octets: caa.value)
    case .unknown(_, let octets):
      append(octets: octets)
    }
  }
}
