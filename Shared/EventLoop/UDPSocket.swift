import CLinux
import Glibc
public import Octets

/// The actor that is given the datagrams of a socket.
public protocol DatagramOwner: Actor {
  /// Datagrams have come; the batch is valid only during the call, and what is replied leaves at its end.
  func received(_ batch: DatagramBatch, on socket: UDPSocket)
  /// The socket had an error, such as that nobody listens where a connected one sent to.
  func failed(_ error: IOError, on socket: UDPSocket)
}

extension DatagramOwner {
  public func failed(_ error: IOError, on socket: UDPSocket) {}

  nonisolated func deliver(_ batch: sending DatagramBatch, on socket: UDPSocket) {
    nonisolated(unsafe) let batch = batch
    assumeIsolated { unsafe $0.received(batch, on: socket) }
  }

  nonisolated func deliver(_ error: IOError, on socket: UDPSocket) {
    assumeIsolated { $0.failed(error, on: socket) }
  }
}

/// A bound datagram socket on a loop.
public final class UDPSocket: Selectable, @unchecked Sendable {
  public let address: SocketAddress
  private let loop: EventLoop
  private let descriptor: Int32
  private weak var owner: (any DatagramOwner)?
  private var isOpen = true
  private var isReceiving = false
  private var gathering: Gathering?
  private static let batchesPerTurn = 4
  /// What a socket that closes still takes, however fast more comes.
  private static let lastBatches = 64

  /// - Parameters:
  ///   - address: port 0 takes a free one; `self.address` then says which.
  ///   - sharesPort: as with `TCPListener`.
  public convenience init(
    _ address: SocketAddress, on loop: EventLoop, sharesPort: Bool = false, isSibling: Bool = false
  ) throws(IOError) {
    let handedDown = try InheritedSockets.shared.duplicate(address, type: CLINUX_SOCK_DGRAM)
    let descriptor = if let handedDown { handedDown } else { try Self.bound(address, sharesPort, isSibling) }
    try self.init(adopting: descriptor, on: loop)
  }

  private static func bound(
    _ address: SocketAddress, _ sharesPort: Bool, _ isSibling: Bool
  ) throws(IOError) -> Int32 {
    let descriptor = try openSocket(address, type: CLINUX_SOCK_DGRAM)
    do throws(IOError) {
      if !address.ip.isV4 {
        try setOption(descriptor, Int32(IPPROTO_IPV6), IPV6_V6ONLY, address.ip.isUnspecified ? 0 : 1)
      }
      if isSibling { try setOption(descriptor, SOL_SOCKET, SO_REUSEPORT) }
      try bindSocket(descriptor, to: address)
      if sharesPort, !isSibling { try setOption(descriptor, SOL_SOCKET, SO_REUSEPORT) }
      return descriptor
    } catch {
      Glibc.close(descriptor)
      throw error
    }
  }

  /// A socket for questions to one server: from a random port (RFC 5452 §9.2), hearing nobody but the server, and hearing at once
  /// when its machine says that nobody listens there.
  ///
  /// - Parameter source: the address to send from; nil lets the kernel choose.
  public init(asking server: SocketAddress, from source: IPAddress? = nil, on loop: EventLoop) throws(IOError) {
    guard loop.egress.allows(server.ip) else { throw .egressForbidden }
    let descriptor = try openSocket(server, type: CLINUX_SOCK_DGRAM)
    do throws(IOError) {
      if let source { try bindSocket(descriptor, to: SocketAddress(ip: source, port: 0)) }
      _ = try checked("connect") { unsafe withSystemAddress(server) { unsafe connect(descriptor, $0, $1) } }
      address = try boundAddress(of: descriptor)
    } catch {
      Glibc.close(descriptor)
      throw error
    }
    self.descriptor = descriptor
    self.loop = loop
  }

  /// Takes over a bound datagram descriptor; it is closed if this throws.
  public init(adopting descriptor: Int32, on loop: EventLoop) throws(IOError) {
    self.descriptor = descriptor
    self.loop = loop
    do throws(IOError) {
      address = try boundAddress(of: descriptor)
    } catch {
      Glibc.close(descriptor)
      throw error
    }
    // From here on `deinit` closes it, which runs even if what follows throws.
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
  ///
  /// - Parameter gathersFor: how long datagrams may gather while many come, so that they are taken and answered together, as network
  ///   cards do with their interrupts; nil takes each at once. While few come none waits.
  public func start(_ owner: any DatagramOwner, gathersFor: Duration? = nil) throws(IOError) {
    self.owner = owner
    gathering = gathersFor.map { Gathering(time: $0) }
    try loop.register(descriptor, .read, self)
    isReceiving = true
  }

  /// Sends one datagram. On the loop.
  public func send(_ octets: [UInt8], to target: SocketAddress) throws(IOError) {
    guard loop.egress.allows(target.ip) else { throw .egressForbidden }
    try transmit(octets, to: target)
  }

  /// Answers, later than its batch, a datagram that came, from the address it was sent to: whoever may ask is answered, wherever
  /// this process may go. On the loop.
  public func answer(_ octets: [UInt8], to client: DatagramOrigin) throws(IOError) {
    try transmit(octets, to: client.source, control: client.control)
  }

  private func transmit(_ octets: [UInt8], to target: SocketAddress, control: [UInt8] = []) throws(IOError) {
    // The descriptor's number may belong to another socket by now.
    guard isOpen else { throw .closed }
    var control = control
    _ = try checked("sendmsg") {
      unsafe withSystemAddress(target) { address, length in
        unsafe octets.withUnsafeBytes { octets in
          unsafe control.withUnsafeMutableBytes { control in
            var vector = unsafe iovec(
              iov_base: UnsafeMutableRawPointer(mutating: octets.baseAddress), iov_len: octets.count)
            return unsafe withUnsafeMutablePointer(to: &vector) { vector in
              var header = unsafe msghdr()
              unsafe header.msg_name = UnsafeMutableRawPointer(mutating: address)
              unsafe header.msg_namelen = length
              unsafe header.msg_iov = vector
              unsafe header.msg_iovlen = 1
              unsafe header.msg_control = control.isEmpty ? nil : control.baseAddress
              unsafe header.msg_controllen = control.count
              return unsafe sendmsg(descriptor, &header, 0)
            }
          }
        }
      }
    }
  }

  /// Takes what has come already and then no more; answers can still be sent until `close`. On the loop.
  public func stopReceiving() {
    var left = Self.lastBatches
    while left > 0, deliverBatch() == DatagramBatch.capacity { left -= 1 }
    isReceiving = false
    // The owner may have closed it, and its number belong to another by now.
    if isOpen { loop.deregister(descriptor) }
  }

  public func close() {
    guard isOpen else { return }
    isOpen = false
    isReceiving = false
    loop.deregister(descriptor)
    Glibc.close(descriptor)
    owner = nil
  }

  public func ready(_ readiness: Readiness) {
    let count = deliver()
    if gathering?.begins(with: count, at: loop.now) == true, isReceiving { gather() }
  }

  /// Leaves what comes in the kernel for a while, unheard.
  private func gather() {
    guard let gathering else { return }
    loop.modify(descriptor, [])
    loop.after(gathering.time) { [weak self] in self?.takeGathered() }
  }

  private func takeGathered() {
    guard isReceiving else { return }
    let count = deliver()
    // The owner may have had enough meanwhile, and the number belong to another.
    guard isReceiving else { return }
    if gathering?.goesOn(with: count) == true { gather() } else { loop.modify(descriptor, .read) }
  }

  /// Gives what has come to the owner, up to the bound of a turn.
  /// - Returns: how many datagrams.
  private func deliver() -> Int {
    var total = 0
    for _ in 0..<Self.batchesPerTurn {
      let count = deliverBatch()
      total += count
      if count < DatagramBatch.capacity { break }
    }
    return total
  }

  /// - Returns: how many datagrams; less than a batch holds when there can't be more yet.
  private func deliverBatch() -> Int {
    guard isOpen else { return 0 }
    guard let owner else {
      // Nobody is left to hear, and what came would wake the loop without end.
      close()
      return 0
    }
    let batch = loop.datagrams
    let count: Int
    do throws(IOError) {
      count = try batch.receive(descriptor, tellsTarget: address.ip.isUnspecified)
    } catch {
      if error.isShortage { loop.rest(descriptor, then: .read) }
      owner.deliver(error, on: self)
      return 0
    }
    if count > 0 {
      nonisolated(unsafe) let lent = batch
      unsafe owner.deliver(lent, on: self)
      if isOpen { batch.sendReplies(descriptor) }
    }
    return count
  }
}
