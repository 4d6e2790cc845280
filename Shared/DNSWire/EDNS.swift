/// What an OPT record says (RFC 6891 §6.1), but for the upper bits of the response code, which `Header` has.
public struct EDNS: Hashable, Sendable {
  /// The largest UDP payload the sender can take: octets.
  public var payloadSize: UInt16
  public var version: UInt8
  /// DO (RFC 3225).
  public var dnssecOK: Bool
  /// The fifteen flags after DO, to be sent as zero.
  public var reservedFlags: UInt16
  public var options: [EDNSOption]

  public init(
    payloadSize: UInt16 = 1232, version: UInt8 = 0, dnssecOK: Bool = false, reservedFlags: UInt16 = 0,
    options: [EDNSOption] = []
  ) {
    self.payloadSize = payloadSize
    self.version = version
    self.dnssecOK = dnssecOK
    self.reservedFlags = reservedFlags & 0x7FFF
    self.options = options
  }

  init(_ prefix: RecordPrefix, _ message: RawSpan) throws(WireError) {
    var cursor = WireCursor(prefix.range.lowerBound, end: prefix.range.upperBound)
    var options: [EDNSOption] = []
    do {
      while cursor.offset < cursor.end {
        let code = try cursor.uint16(message)
        options.append(EDNSOption(code: code, data: try cursor.octets(Int(try cursor.uint16(message)), message)))
      }
    } catch {
      throw .badRDataLength(offset: prefix.range.lowerBound)
    }
    self.init(
      payloadSize: prefix.class, version: UInt8(truncatingIfNeeded: prefix.ttl >> 16),
      dnssecOK: prefix.ttl & 0x8000 != 0, reservedFlags: UInt16(truncatingIfNeeded: prefix.ttl), options: options)
  }

  /// The first option with this code.
  public func option(_ code: UInt16) -> [UInt8]? { options.first { $0.code == code }?.data }
}

/// One option of an OPT record (RFC 6891 §6.1.2).
public struct EDNSOption: Hashable, Sendable {
  public static let clientSubnet: UInt16 = 8
  public static let cookie: UInt16 = 10
  public static let padding: UInt16 = 12
  /// RFC 8914.
  public static let extendedError: UInt16 = 15
  /// Trace context, in the layout that dnsdist uses.
  public static let trace: UInt16 = 65500

  public var code: UInt16
  public var data: [UInt8]

  public init(code: UInt16, data: [UInt8]) {
    self.code = code
    self.data = data
  }
}

extension MessageWriter {
  mutating func append(_ edns: EDNS, responseCode: ResponseCode) {
    append(UInt8(0))
    append(RecordType.opt.rawValue)
    append(edns.payloadSize)
    append(UInt8(truncatingIfNeeded: responseCode.rawValue >> 4))
    append(edns.version)
    append(edns.reservedFlags & 0x7FFF | (edns.dnssecOK ? 0x8000 : 0))
    append(UInt16(clamping: edns.options.reduce(0) { $0 + 4 + $1.data.count }))
    for option in edns.options {
      append(option.code)
      append(UInt16(clamping: option.data.count))
      append(octets: option.data)
    }
  }
}
