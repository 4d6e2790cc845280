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
  /// More than any backlog holds.
  private static let lastAccepts = 8192

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
    let handedDown = try InheritedSockets.shared.duplicate(address, type: CLINUX_SOCK_STREAM)
    let descriptor =
      if let handedDown { handedDown } else { try Self.listening(address, sharesPort, isSibling, backlog) }
    try self.init(adopting: descriptor, on: loop, accepted: accepted)
  }

  private static func listening(
    _ address: SocketAddress, _ sharesPort: Bool, _ isSibling: Bool, _ backlog: Int32
  ) throws(IOError) -> Int32 {
    let descriptor = try openSocket(address, type: CLINUX_SOCK_STREAM)
    do throws(IOError) {
      try setOption(descriptor, SOL_SOCKET, SO_REUSEADDR)
      if !address.ip.isV4 {
        try setOption(descriptor, Int32(IPPROTO_IPV6), IPV6_V6ONLY, address.ip.isUnspecified ? 0 : 1)
      }
      if isSibling { try setOption(descriptor, SOL_SOCKET, SO_REUSEPORT) }
      try bindSocket(descriptor, to: address)
      if sharesPort, !isSibling { try setOption(descriptor, SOL_SOCKET, SO_REUSEPORT) }
      _ = try checked("listen \(address)") { Glibc.listen(descriptor, backlog) }
      return descriptor
    } catch {
      close(descriptor)
      throw error
    }
  }

  /// Takes over a listening descriptor, such as one handed down by systemd (`LISTEN_FDS`); it is closed if this throws.
  public init(
    adopting descriptor: Int32, on loop: EventLoop, accepted: @escaping @Sendable (ConnectedSocket) -> Void
  ) throws(IOError) {
    self.descriptor = descriptor
    self.loop = loop
    self.accepted = accepted
    do throws(IOError) {
      address = try boundAddress(of: descriptor)
    } catch {
      close(descriptor)
      throw error
    }
    // Connections inherit it (tcp(7)).
    try? setOption(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY)
    reserve = Self.openReserve()
    loop.onLoop { [self] in listen() }
  }

  /// A machine that is out of memory for it now may have some later.
  private func listen() {
    guard isOpen else { return }
    do throws(IOError) {
      try loop.register(descriptor, .read, self)
    } catch {
      loop.after(.milliseconds(100)) { [weak self] in self?.listen() }
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
          // Under a flood there is always one more.
          for _ in 0..<Self.lastAccepts where !acceptOne() { break }
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
      case EAGAIN, EWOULDBLOCK: return false
      // The connection was lost while it waited (accept(2)); the next one may be whole.
      case ECONNABORTED, EPROTO, EPERM: return true
      case EMFILE where turnOneAway(), ENFILE where turnOneAway(): return true
      default:
        // Out of memory, or of descriptors with no reserve left: the backlog would wake the loop without end.
        loop.rest(descriptor, then: .read)
        return false
      }
    }
    guard let peer = SocketAddress(storage) else {
      Glibc.close(connection)
      return true
    }
    // A listener on a wildcard can't know which of its addresses was meant; the connection does.
    let local = address.ip.isUnspecified ? (try? boundAddress(of: connection)) ?? address : address
    accepted(ConnectedSocket(descriptor: connection, peer: peer, local: local))
    return true
  }

  /// Out of descriptors: spends the reserve to accept and close one, so that the client hears it at once.
  private func turnOneAway() -> Bool {
    // Another thread may have taken the reserve's descriptor in the moment it was free.
    if reserve < 0 { reserve = Self.openReserve() }
    guard reserve >= 0 else { return false }
    Glibc.close(reserve)
    let connection = clinux_accept(descriptor, nil, nil)
    if connection >= 0 { Glibc.close(connection) }
    reserve = Self.openReserve()
    return connection >= 0
  }

  private static func openReserve() -> Int32 { unsafe open("/dev/null", O_RDONLY | O_CLOEXEC) }
}
