import EventLoop
import Glibc
import HTTPClient
import Octets

/// Looks names of hosts up as the system does: `/etc/hosts`, then DNS.
struct SystemResolver: Sendable {
  /// Addresses of a name that are taken, at most.
  static let limit = 16

  private let pool: BlockingPool

  /// - Parameter pool: a look-up may block a thread of it for half a minute, so files have another one.
  init(pool: BlockingPool = BlockingPool(threads: 2, queueLimit: 64)) { self.pool = pool }

  var resolver: HostResolver {
    { [self] host in try await addresses(of: host) }
  }

  /// In the system's order. An address is its own answer.
  /// - Throws: `LookUpError`, or `IOError.overloaded` where too many wait.
  func addresses(of host: String) async throws -> [IPAddress] {
    if let literal = IPAddress(host) { return [literal] }
    // The C library would look up what stands before it.
    guard !host.utf8.contains(0) else { throw LookUpError(description: "a name has no null octet") }
    return try await pool.run { try Self.ask(host) }
  }

  private static func ask(_ host: String) throws(LookUpError) -> [IPAddress] {
    var hints = unsafe addrinfo()
    // One entry an address, and not one for each kind of socket.
    unsafe hints.ai_socktype = Int32(SOCK_DGRAM.rawValue)
    var list: UnsafeMutablePointer<addrinfo>?
    let code = unsafe getaddrinfo(host, nil, &hints, &list)
    guard code == 0 else { throw LookUpError(description: unsafe String(cString: gai_strerror(code))) }
    defer { unsafe freeaddrinfo(list) }
    var found: [IPAddress] = []
    var entry = unsafe list
    while let current = unsafe entry, found.count < limit {
      if let address = unsafe address(current.pointee), !found.contains(address) { found.append(address) }
      unsafe entry = current.pointee.ai_next
    }
    return found
  }

  @unsafe private static func address(_ entry: addrinfo) -> IPAddress? {
    guard let raw = unsafe UnsafeRawPointer(entry.ai_addr) else { return nil }
    switch unsafe entry.ai_family {
    case AF_INET:
      let address = unsafe raw.loadUnaligned(as: sockaddr_in.self).sin_addr
      return IPAddress(v4: UInt32(bigEndian: address.s_addr))
    case AF_INET6:
      var address = unsafe raw.loadUnaligned(as: sockaddr_in6.self).sin6_addr
      return unsafe withUnsafeBytes(of: &address) { unsafe IPAddress(bytes: $0)?.unmapped }
    default: return nil
    }
  }
}

/// What the system says of a name that it does not find.
struct LookUpError: Error, CustomStringConvertible {
  let description: String
}
