import MailWire
import Octets

/// How the relay asks the domain name system; the service asks the local resolver, a test answers by itself.
struct NameLookup: Sendable {
  var exchangers: @Sendable (_ domain: String) async -> NameAnswer<MailExchanger>
  /// All addresses of a host, of both families.
  var addresses: @Sendable (_ host: String) async -> NameAnswer<IPAddress>
}

extension NameLookup {
  /// There is no resolver: every letter to another host waits.
  static let none = NameLookup(
    exchangers: { _ in .failed("no --resolver is set") }, addresses: { _ in .failed("no --resolver is set") })
}
