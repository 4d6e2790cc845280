/// The first twelve octets of a message (RFC 1035 §4.1.1, RFC 4035 §3.2), without its counts.
public struct Header: Hashable, Sendable {
  /// Octets in wire format.
  public static let length = 12

  public var id: UInt16
  /// QR: false for a query.
  public var isResponse = false
  public var opcode = Opcode.query
  /// AA.
  public var isAuthoritative = false
  /// TC.
  public var isTruncated = false
  /// RD.
  public var recursionDesired = false
  /// RA.
  public var recursionAvailable = false
  /// Z, which must be zero in what is sent.
  public var reserved = false
  /// AD.
  public var authenticData = false
  /// CD.
  public var checkingDisabled = false
  /// In a `Message` with EDNS all twelve bits, else the four of the header.
  public var responseCode = ResponseCode.noError

  public init(id: UInt16) { self.id = id }

  /// The header of `message`; nil when it has fewer than twelve octets.
  public init?(decoding message: RawSpan) {
    guard message.byteCount >= Header.length else { return nil }
    self.init(
      id: UInt16(message.octet(0)) << 8 | UInt16(message.octet(1)),
      flags: UInt16(message.octet(2)) << 8 | UInt16(message.octet(3)))
  }

  /// From the second and third pair of octets.
  public init(id: UInt16, flags: UInt16) {
    self.id = id
    isResponse = flags & 0x8000 != 0
    opcode = Opcode(rawValue: UInt8(truncatingIfNeeded: flags >> 11))
    isAuthoritative = flags & 0x0400 != 0
    isTruncated = flags & 0x0200 != 0
    recursionDesired = flags & 0x0100 != 0
    recursionAvailable = flags & 0x0080 != 0
    reserved = flags & 0x0040 != 0
    authenticData = flags & 0x0020 != 0
    checkingDisabled = flags & 0x0010 != 0
    responseCode = ResponseCode(rawValue: flags & 0x000F)
  }

  /// The third and fourth octet as a number; of the response code the low four bits.
  public var flags: UInt16 {
    var flags = UInt16(opcode.rawValue) << 11 | responseCode.rawValue & 0x000F
    if isResponse { flags |= 0x8000 }
    if isAuthoritative { flags |= 0x0400 }
    if isTruncated { flags |= 0x0200 }
    if recursionDesired { flags |= 0x0100 }
    if recursionAvailable { flags |= 0x0080 }
    if reserved { flags |= 0x0040 }
    if authenticData { flags |= 0x0020 }
    if checkingDisabled { flags |= 0x0010 }
    return flags
  }
}
