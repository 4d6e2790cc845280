public import Octets

/// Which addresses this process may open a connection or send a datagram to.
///
/// A world's policy is its own networks, so that nothing leaves the machine whatever a letter or a glue record says.
public struct EgressPolicy: Hashable, Sendable {
  /// Nil allows all.
  private let networks: [IPNetwork]?

  public static let unrestricted = EgressPolicy(networks: nil)

  public static func only(_ networks: [IPNetwork]) -> EgressPolicy { EgressPolicy(networks: networks) }

  public func allows(_ address: IPAddress) -> Bool {
    guard let networks else { return true }
    return networks.contains { $0.contains(address) }
  }
}
