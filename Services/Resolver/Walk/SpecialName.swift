import DNSWire
import Octets

/// Names that never leave the resolver (RFC 6761 §6.3 and §6.4).
enum SpecialName {
  private static let localhost = Name("localhost.")
  private static let invalid = Name("invalid.")

  /// What to say to a special name; nil for all others. `localhost` and all below it is the loopback address, `invalid` never exists.
  static func answer(_ name: Name, _ type: RecordType) -> (code: ResponseCode, records: [ResourceRecord])? {
    if let localhost, name.isAtOrBelow(localhost) {
      switch type {
      case .a: return (.noError, [ResourceRecord(name: name, ttl: 3600, data: .address(.loopbackV4))])
      case .aaaa: return (.noError, [ResourceRecord(name: name, ttl: 3600, data: .address(.loopbackV6))])
      default: return (.noError, [])
      }
    }
    if let invalid, name.isAtOrBelow(invalid) { return (.nameError, []) }
    return nil
  }
}
