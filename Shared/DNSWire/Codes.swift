import Octets

/// The type of a record or question (RFC 1035 §3.2.2).
public struct RecordType: RawRepresentable, Hashable, Sendable {
  public let rawValue: UInt16
  @inlinable public init(rawValue: UInt16) { self.rawValue = rawValue }

  public static let a = RecordType(rawValue: 1)
  public static let ns = RecordType(rawValue: 2)
  public static let cname = RecordType(rawValue: 5)
  public static let soa = RecordType(rawValue: 6)
  public static let ptr = RecordType(rawValue: 12)
  public static let mx = RecordType(rawValue: 15)
  public static let txt = RecordType(rawValue: 16)
  public static let aaaa = RecordType(rawValue: 28)
  public static let loc = RecordType(rawValue: 29)
  public static let srv = RecordType(rawValue: 33)
  public static let dname = RecordType(rawValue: 39)
  public static let opt = RecordType(rawValue: 41)
  public static let ds = RecordType(rawValue: 43)
  public static let rrsig = RecordType(rawValue: 46)
  public static let ixfr = RecordType(rawValue: 251)
  public static let axfr = RecordType(rawValue: 252)
  public static let any = RecordType(rawValue: 255)
  public static let caa = RecordType(rawValue: 257)

  /// A question's type or a pseudo type, never that of data in a zone: OPT, and 128 to 255 (RFC 6895 §3.1).
  public var isMeta: Bool { self == .opt || (128...255).contains(rawValue) || rawValue == 0 }

  private static let mnemonics: [(UInt16, String)] = [
    (1, "A"), (2, "NS"), (5, "CNAME"), (6, "SOA"), (12, "PTR"), (13, "HINFO"), (15, "MX"), (16, "TXT"), (17, "RP"),
    (18, "AFSDB"), (28, "AAAA"), (29, "LOC"), (33, "SRV"), (35, "NAPTR"), (37, "CERT"), (39, "DNAME"), (41, "OPT"),
    (43, "DS"), (44, "SSHFP"), (46, "RRSIG"), (47, "NSEC"), (48, "DNSKEY"), (50, "NSEC3"), (51, "NSEC3PARAM"),
    (52, "TLSA"), (53, "SMIMEA"), (59, "CDS"), (60, "CDNSKEY"), (61, "OPENPGPKEY"), (62, "CSYNC"), (63, "ZONEMD"),
    (64, "SVCB"), (65, "HTTPS"), (99, "SPF"), (250, "TSIG"), (251, "IXFR"), (252, "AXFR"), (255, "ANY"), (256, "URI"),
    (257, "CAA"),
  ]
  private static let names = Dictionary(uniqueKeysWithValues: mnemonics)
  private static let values = Dictionary(uniqueKeysWithValues: mnemonics.map { ($1, $0) })

  /// A mnemonic in either case, or TYPEnnn (RFC 3597 §5).
  public init?(_ text: some StringProtocol) {
    let upper = text.uppercased()
    if let value = RecordType.values[upper] {
      self.init(rawValue: value)
    } else if upper.hasPrefix("TYPE"), let value = Array(upper.utf8.dropFirst(4)).parsedDecimal(as: UInt16.self) {
      self.init(rawValue: value)
    } else {
      return nil
    }
  }
}

extension RecordType: CustomStringConvertible {
  public var description: String { RecordType.names[rawValue] ?? "TYPE\(rawValue)" }
}

/// The class of a record or question (RFC 1035 §3.2.4).
public struct RecordClass: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
  public let rawValue: UInt16
  @inlinable public init(rawValue: UInt16) { self.rawValue = rawValue }

  public static let internet = RecordClass(rawValue: 1)
  public static let chaos = RecordClass(rawValue: 3)
  public static let hesiod = RecordClass(rawValue: 4)
  public static let none = RecordClass(rawValue: 254)
  public static let any = RecordClass(rawValue: 255)

  /// A mnemonic in either case, or CLASSnnn (RFC 3597 §5).
  public init?(_ text: some StringProtocol) {
    let upper = text.uppercased()
    switch upper {
    case "IN": self = .internet
    case "CH": self = .chaos
    case "HS": self = .hesiod
    default:
      guard upper.hasPrefix("CLASS"), let value = Array(upper.utf8.dropFirst(5)).parsedDecimal(as: UInt16.self) else {
        return nil
      }
      self.init(rawValue: value)
    }
  }

  public var description: String {
    switch self {
    case .internet: "IN"
    case .chaos: "CH"
    case .hesiod: "HS"
    case .none: "NONE"
    case .any: "ANY"
    default: "CLASS\(rawValue)"
    }
  }
}

/// The kind of query (RFC 1035 §4.1.1): four bits.
public struct Opcode: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
  public let rawValue: UInt8
  /// Only the low four bits count.
  @inlinable public init(rawValue: UInt8) { self.rawValue = rawValue & 0x0F }

  public static let query = Opcode(rawValue: 0)
  public static let status = Opcode(rawValue: 2)
  public static let notify = Opcode(rawValue: 4)
  public static let update = Opcode(rawValue: 5)

  public var description: String {
    switch self {
    case .query: "QUERY"
    case .status: "STATUS"
    case .notify: "NOTIFY"
    case .update: "UPDATE"
    default: "OPCODE\(rawValue)"
    }
  }
}

/// How a query ended (RFC 1035 §4.1.1, RFC 6895 §2.3): four bits in the header, eight more in OPT.
public struct ResponseCode: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
  public let rawValue: UInt16
  /// Only the low twelve bits count.
  @inlinable public init(rawValue: UInt16) { self.rawValue = rawValue & 0x0FFF }

  public static let noError = ResponseCode(rawValue: 0)
  public static let formatError = ResponseCode(rawValue: 1)
  public static let serverFailure = ResponseCode(rawValue: 2)
  public static let nameError = ResponseCode(rawValue: 3)
  public static let notImplemented = ResponseCode(rawValue: 4)
  public static let refused = ResponseCode(rawValue: 5)
  public static let yxDomain = ResponseCode(rawValue: 6)
  public static let notAuthoritative = ResponseCode(rawValue: 9)
  public static let badVersion = ResponseCode(rawValue: 16)

  public var description: String {
    switch self {
    case .noError: "NOERROR"
    case .formatError: "FORMERR"
    case .serverFailure: "SERVFAIL"
    case .nameError: "NXDOMAIN"
    case .notImplemented: "NOTIMP"
    case .refused: "REFUSED"
    case .yxDomain: "YXDOMAIN"
    case .notAuthoritative: "NOTAUTH"
    case .badVersion: "BADVERS"
    default: "RCODE\(rawValue)"
    }
  }
}
