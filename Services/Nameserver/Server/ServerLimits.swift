/// The bounds of the DNS side of this service, for each loop.
struct ServerLimits: Sendable {
  /// Connections from one address.
  var connectionsPerAddress = 64
  /// Connections in all.
  var connections = 4096
  /// How long a connection may be without a complete query (RFC 7766 §6.2.3).
  var idleTime = Duration.seconds(10)
  /// Answers a second by UDP to a network, of each kind; 0 for no limit. Clients on loopback have none.
  var responsesPerSecond = 200
  /// Octets of answers made for a connection at a time, the last answer beyond it aside.
  var burst = 65_536
}
