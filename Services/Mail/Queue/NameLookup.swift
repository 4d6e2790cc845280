import MailWire
import Octets
import ServiceKit

/// How the relay asks the domain name system; the service asks the local resolver, a test answers by itself.
struct NameLookup: Sendable {
  var exchangers: @Sendable (_ domain: String) async -> NameAnswer<MailExchanger>
  /// All addresses of a host, of both families.
  var addresses: @Sendable (_ host: String) async -> NameAnswer<IPAddress>
  /// The same look-ups as a part of a trace; nil where no trace is handed on.
  var within: (@Sendable (_ trace: TraceContext) -> NameLookup)?
}

extension NameLookup {
  /// There is no resolver: every letter to another host waits.
  static let none = NameLookup(
    exchangers: { _ in .failed("no --resolver is set") }, addresses: { _ in .failed("no --resolver is set") })
}
