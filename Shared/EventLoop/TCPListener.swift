import CLinux
import Glibc
public import Octets

/// Accepts connections of one address on one loop.
public final class TCPListener: Selectable, @unchecked Sendable {
  public let address: SocketAddress
  private let loop: EventLoop
  private let descriptor: Int32
  private let accepted: @Sendable (ConnectedSocket) -> Void
  /// Held so that a process out of descriptors can still accept, and close, one connection.
  private var reserve: Int32
  private var isOpen = true
  private static let acceptsPerTurn = 64

  /// - Parameters:
  ///   - address: port 0 takes a free one; `self.address` then says which.
  ///   - sharesPort: further listeners of this process may bind the same address. The first one binds alone, so that two programs
  ///     of one user can't share a port in silence.
  ///   - isSibling: a first listener of this process is bound already.
  ///   - accepted: called on the loop with each connection.
  public convenience init(
    _ address: SocketAddress, on loop: EventLoop, sharesPort: Bool = false, isSibling: Bool = false,
    backlog: Int32 = 1024, accepted: @escaping @Sendable (ConnectedSocket) -> Void
  ) throws(IOError) {
    let descriptor = try openSocket(address, type: CLINUX_SOCK_STREAM)
    do throws(IOError) {
      try setOption(descriptor, SOL_SOCKET, SO_REUSEADDR)
      if !address.ip.isV4 {
        try setOption(descriptor, Int32(IPPROTO_IPV6), IPV6_V6ONLY, address.ip.isUnspecified ? 0 : 1)
      }
      if isSibling { try setOption(descriptor, SOL_SOCKET, SO_REUSEPORT) }
      try bindSocket(descriptor, to: address)
      if sharesPort, !isSibling { try setOption(descriptor, SOL_SOCKET, SO_REUSEPORT) }
      _ = try checked("listen \(address)") { listen(descriptor, backlog) }
      try self.init(adopting: descriptor, on: loop, accepted: accepted)
    } catch {
      close(descriptor)
      throw error
    }
  }

  /// Takes over a listening descriptor, such as one handed down by systemd (`LISTEN_FDS`).
  public init(
    adopting descriptor: Int32, on loop: EventLoop, accepted: @escaping @Sendable (ConnectedSocket) -> Void
  ) throws(IOError) {
    self.descriptor = descriptor
    self.loop = loop
    self.accepted = accepted
    address = try boundAddress(of: descriptor)
    reserve = unsafe open("/dev/null", O_RDONLY | O_CLOEXEC)
    loop.onLoop { [self] in
      // Only a full process fails here; then the next accept would fail as well.
      try? loop.register(descriptor, .read, self)
    }
  }

  deinit {
    if reserve >= 0 { Glibc.close(reserve) }
  }

  public func ready(_ readiness: Readiness) {
    for _ in 0..<Self.acceptsPerTurn where isOpen {
      if !acceptOne() { return }
    }
  }

  /// Accepts what waits in the backlog already, then closes: nobody who was let in by the kernel is turned away.
  public func drain() async {
    await withCheckedContinuation { continuation in
      loop.onLoop { [self] in
        if isOpen {
          while acceptOne() {}
          isOpen = false
          loop.deregister(descriptor)
          Glibc.close(descriptor)
        }
        continuation.resume()
      }
    }
  }

  private func acceptOne() -> Bool {
    var storage = sockaddr_storage()
    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    let connection = retrying { unsafe clinux_accept(descriptor, &storage, &length) }
    guard connection >= 0 else {
      switch errno {
      case ECONNABORTED, EPROTO: return true
      case EMFILE, ENFILE: return turnOneAway()
      default: return false
      }
    }
    guard let peer = SocketAddress(storage) else {
      Glibc.close(connection)
      return true
    }
    try? setOption(connection, Int32(IPPROTO_TCP), TCP_NODELAY)
    // A listener on a wildcard can't know which of its addresses was meant; the connection does.
    let local = address.ip.isUnspecified ? (try? boundAddress(of: connection)) ?? address : address
    accepted(ConnectedSocket(descriptor: connection, peer: peer, local: local))
    return true
  }

  /// Out of descriptors: spend the reserve to accept and close one, else the backlog would wake the loop without end.
  private func turnOneAway() -> Bool {
    guard reserve >= 0 else { return false }
    Glibc.close(reserve)
    let connection = clinux_accept(descriptor, nil, nil)
    if connection >= 0 { Glibc.close(connection) }
    reserve = unsafe open("/dev/null", O_RDONLY | O_CLOEXEC)
    return connection >= 0
  }
}
