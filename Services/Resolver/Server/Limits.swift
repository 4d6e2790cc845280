/// Every bound of the resolver in one place.
struct Limits: Sendable {
  /// Octets of memory for cached records and packets, all loops together.
  var cacheBytes = 32 << 20
  /// Client questions being resolved at once on one loop; for a further one the oldest makes room, answered SERVFAIL.
  var lookUps = 2000
  /// What a question gets before it has to make room; while the oldest is younger, the further one is answered SERVFAIL.
  var leastTime = Duration.milliseconds(200)
  /// Clients waiting for them; more are answered SERVFAIL too.
  var waiters = 10_000
  /// TCP connections of all clients on one loop, and of one address.
  var connections = 512
  var connectionsPerAddress = 64
  /// Queries being resolved for one connection; more wait in the kernel.
  var queriesPerConnection = 100
  /// How long a connection may have nothing under way (RFC 7766 §6.2.3).
  var idle = Duration.seconds(10)
  /// A TCP exchange with a server, from connecting to its last octet.
  var upstreamTCP = Duration.seconds(4)
}
