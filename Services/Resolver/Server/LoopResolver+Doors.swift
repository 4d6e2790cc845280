import DNSWire
import EventLoop
import Octets

/// Where clients come in: UDP and TCP on the same port (RFC 7766 §5), and how the doors are closed.
extension LoopResolver {
  /// Opens an address.
  /// - Parameters:
  ///   - address: port 0 takes one that is free for both.
  ///   - isShared: other loops listen on the address too.
  ///   - isSibling: another loop already does.
  /// - Returns: the address with its real port.
  func listen(_ address: SocketAddress, isShared: Bool = false, isSibling: Bool = false) throws(IOError)
    -> SocketAddress
  {
    var attempts = address.port == 0 ? 20 : 1
    while true {
      attempts -= 1
      let socket = try UDPSocket(address, on: loop, sharesPort: isShared, isSibling: isSibling)
      do throws(IOError) {
        let listener = try TCPListener(socket.address, on: loop, sharesPort: isShared, isSibling: isSibling) {
          [weak self] connection in
          guard let self else { return connection.close() }
          self.assumeIsolated { $0.accept(connection) }
        }
        try socket.start(self)
        sockets.append(socket)
        listeners.append(listener)
        return socket.address
      } catch {
        socket.close()
        guard attempts > 0, error.isAddressInUse else { throw error }
      }
    }
  }

  private func accept(_ connection: ConnectedSocket) {
    let client = connection.peer.ip.unmapped
    guard sessions.count < setup.limits.connections,
      connectionsByClient[client, default: 0] < setup.limits.connectionsPerAddress
    else { return connection.close() }
    connectionsByClient[client, default: 0] += 1
    let session = TCPSession(connection, self)
    sessions[ObjectIdentifier(session)] = session
    session.assumeIsolated { $0.start() }
  }

  func left(_ session: TCPSession, _ client: IPAddress) {
    guard sessions.removeValue(forKey: ObjectIdentifier(session)) != nil else { return }
    connectionsByClient[client, default: 1] -= 1
    if connectionsByClient[client] == 0 { connectionsByClient[client] = nil }
  }

  /// Takes no more queries and ends when those that came are answered; what takes longer than a query may is given up.
  func drain() async {
    for socket in sockets { socket.stopReceiving() }
    for listener in listeners { await listener.drain() }
    // One turn of the loop: what the connections have sent already is read.
    await loop.sleep(for: .zero)
    for session in sessions.values { await session.finish() }
    let end = Instant.current + WorkBudget.time
    while isBusy, Instant.current < end { await loop.sleep(for: .milliseconds(20)) }
    for socket in sockets { socket.close() }
    for session in sessions.values { await session.close() }
  }

  private var isBusy: Bool {
    !lookUps.isEmpty || sessions.values.contains { session in session.assumeIsolated { $0.isBusy } }
  }
}
