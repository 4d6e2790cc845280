public import Octets

/// What a record says. The type follows from the value, so that the two can't disagree.
public enum RData: Hashable, Sendable {
  /// A (RFC 1035 §3.4.1) or AAAA (RFC 3596 §2.2), by the family of the address.
  case address(IPAddress)
  case ns(Name)
  case cname(Name)
  case soa(SOA)
  case ptr(Name)
  case mx(preference: UInt16, exchange: Name)
  /// One or more strings of at most 255 octets each (RFC 1035 §3.3.14).
  case txt([[UInt8]])
  case srv(SRV)
  /// RFC 6672 §2.1.
  case dname(Name)
  case caa(CAA)
  /// Any other type, as its octets (RFC 3597).
  case unknown(RecordType, [UInt8])

  public var type: RecordType {
    switch self {
    case .address(let address): address.isV4 ? .a : .aaaa
    case .ns: .ns
    case .cname: .cname
    case .soa: .soa
    case .ptr: .ptr
    case .mx: .mx
    case .txt: .txt
    case .srv: .srv
    case .dname: .dname
    case .caa: .caa
    case .unknown(let type, _): type
    }
  }
}

/// Start of authority (RFC 1035 §3.3.13). Times in seconds.
public struct SOA: Hashable, Sendable {
  /// MNAME: the primary server.
  public var primary: Name
  /// RNAME: the mailbox of who is responsible, its first label the local part.
  public var mailbox: Name
  public var serial: UInt32
  public var refresh: UInt32
  public var retry: UInt32
  public var expire: UInt32
  /// MINIMUM: the upper bound of negative caching (RFC 2308 §4).
  public var minimum: UInt32

  public init(
    primary: Name, mailbox: Name, serial: UInt32, refresh: UInt32, retry: UInt32, expire: UInt32, minimum: UInt32
  ) {
    self.primary = primary
    self.mailbox = mailbox
    self.serial = serial
    self.refresh = refresh
    self.retry = retry
    self.expire = expire
    self.minimum = minimum
  }
}

/// The place of a service (RFC 2782).
public struct SRV: Hashable, Sendable {
  public var priority: UInt16
  public var weight: UInt16
  public var port: UInt16
  public var target: Name

  public init(priority: UInt16, weight: UInt16, port: UInt16, target: Name) {
    self.priority = priority
    self.weight = weight
    self.port = port
    self.target = target
  }
}

/// Who may issue certificates (RFC 8659 §4.1).
public struct CAA: Hashable, Sendable {
  public var flags: UInt8
  /// 1 to 255 ASCII letters and digits.
  public var tag: [UInt8]
  public var value: [UInt8]

  /// Nil when the tag is empty, too long or not of ASCII letters and digits.
  public init?(flags: UInt8, tag: [UInt8], value: [UInt8]) {
    guard (1...255).contains(tag.count), tag.allSatisfy(\.isASCIIAlphanumeric) else { return nil }
    self.flags = flags
    self.tag = tag
    self.value = value
  }
}
