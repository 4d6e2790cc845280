import CLinux
import Glibc
public import Octets

/// The actor that is given the datagrams of a socket.
public protocol DatagramOwner: Actor {
  /// Datagrams have come; the batch is valid only during the call, and what is replied leaves at its end.
  func received(_ batch: DatagramBatch, on socket: UDPSocket)
}

extension DatagramOwner {
  nonisolated func deliver(_ batch: sending DatagramBatch, on socket: UDPSocket) {
    nonisolated(unsafe) let batch = batch
    assumeIsolated { unsafe $0.received(batch, on: socket) }
  }
}

/// A bound datagram socket on a loop.
public final class UDPSocket: Selectable, @unchecked Sendable {
  public let address: SocketAddress
  private let loop: EventLoop
  private let descriptor: Int32
  private weak var owner: (any DatagramOwner)?
  private var isOpen = true
  private static let batchesPerTurn = 4

  /// - Parameters:
  ///   - address: port 0 takes a free one; `self.address` then says which.
  ///   - sharesPort: as with `TCPListener`.
  public convenience init(
    _ address: SocketAddress, on loop: EventLoop, sharesPort: Bool = false, isSibling: Bool = false
  ) throws(IOError) {
    let descriptor = try openSocket(address, type: CLINUX_SOCK_DGRAM)
    do throws(IOError) {
      if !address.ip.isV4 {
        try setOption(descriptor, Int32(IPPROTO_IPV6), IPV6_V6ONLY, address.ip.isUnspecified ? 0 : 1)
      }
      if isSibling { try setOption(descriptor, SOL_SOCKET, SO_REUSEPORT) }
      try bindSocket(descriptor, to: address)
      if sharesPort, !isSibling { try setOption(descriptor, SOL_SOCKET, SO_REUSEPORT) }
      try self.init(adopting: descriptor, on: loop)
    } catch {
      Glibc.close(descriptor)
      throw error
    }
  }

  /// Takes over a bound datagram descriptor.
  public init(adopting descriptor: Int32, on loop: EventLoop) throws(IOError) {
    self.descriptor = descriptor
    self.loop = loop
    address = try boundAddress(of: descriptor)
    // A burst must survive one turn of the loop; the kernel cuts this to its own limit.
    try? setOption(descriptor, SOL_SOCKET, SO_RCVBUF, 4 << 20)
    if address.ip.isUnspecified {
      if address.ip.isV4 {
        try setOption(descriptor, Int32(IPPROTO_IP), IP_PKTINFO)
      } else {
        try setOption(descriptor, Int32(IPPROTO_IPV6), CLINUX_IPV6_RECVPKTINFO)
      }
    }
  }

  deinit {
    if isOpen { Glibc.close(descriptor) }
  }

  /// Begins to receive; on the loop. The owner is held weakly.
  public func start(_ owner: any DatagramOwner) throws(IOError) {
    self.owner = owner
    try loop.register(descriptor, .read, self)
  }

  /// Sends one datagram. On the loop.
  public func send(_ octets: [UInt8], to target: SocketAddress) throws(IOError) {
    guard loop.egress.allows(target.ip) else { throw .egressForbidden }
    try transmit(octets, to: target)
  }

  /// Answers, later than its batch, a datagram that came: whoever may ask is answered, wherever this process may go. On the loop.
  public func answer(_ octets: [UInt8], to client: SocketAddress) throws(IOError) {
    try transmit(octets, to: client)
  }

  private func transmit(_ octets: [UInt8], to target: SocketAddress) throws(IOError) {
    _ = try checked("sendto") {
      unsafe withSystemAddress(target) { address, length in
        unsafe octets.withUnsafeBytes { unsafe sendto(descriptor, $0.baseAddress, $0.count, 0, address, length) }
      }
    }
  }

  public func close() {
    guard isOpen else { return }
    isOpen = false
    loop.deregister(descriptor)
    Glibc.close(descriptor)
    owner = nil
  }

  public func ready(_ readiness: Readiness) {
    let batch = loop.datagrams
    for _ in 0..<Self.batchesPerTurn {
      guard isOpen, let owner else { return }
      let count = batch.receive(descriptor, tellsTarget: address.ip.isUnspecified)
      if count > 0 {
        nonisolated(unsafe) let lent = batch
        unsafe owner.deliver(lent, on: self)
        if isOpen { batch.sendReplies(descriptor) }
      }
      if count < DatagramBatch.capacity { return }
    }
  }
}
