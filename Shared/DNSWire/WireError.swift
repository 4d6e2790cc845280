/// Why octets are not a DNS message (RFC 1035 §4). Offsets count from the first octet of the message.
public enum WireError: Error, Hashable, Sendable {
  /// The message ends inside a field.
  case truncated(offset: Int)
  /// A label begins with the bits 01 or 10 (RFC 1035 §4.1.4, RFC 6891 §5).
  case badLabelType(offset: Int)
  /// A compression pointer that does not point strictly before the name, or one where none is allowed.
  case badPointer(offset: Int)
  /// More than 255 octets after expansion (RFC 1035 §3.1).
  case nameTooLong(offset: Int)
  /// RDATA that is shorter or longer than its type allows.
  case badRDataLength(offset: Int)
  /// RDATA of the right length that breaks its type's rules.
  case badRData(offset: Int)
  /// A second OPT record, one that is not in the additional section or not at the root (RFC 6891 §6.1.1).
  case badOPT(offset: Int)
  /// Octets remain after the last record.
  case trailingOctets(offset: Int)
}

extension WireError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .truncated(let offset): "the message ends inside a field at octet \(offset)"
    case .badLabelType(let offset): "unknown label type at octet \(offset)"
    case .badPointer(let offset): "compression pointer not allowed at octet \(offset)"
    case .nameTooLong(let offset): "name longer than 255 octets at octet \(offset)"
    case .badRDataLength(let offset): "RDATA of the wrong length at octet \(offset)"
    case .badRData(let offset): "malformed RDATA at octet \(offset)"
    case .badOPT(let offset): "misplaced OPT record at octet \(offset)"
    case .trailingOctets(let offset): "octets after the last record at octet \(offset)"
    }
  }
}
