import EventLoop
import Logging
import Octets
import ServiceKit

/// Takes connections of other peers, and keeps those that have not said yet which torrent they mean. It is touched on its loop alone.
final class Door: @unchecked Sendable {
  /// Nil until they are loaded: nobody is let in before.
  private(set) var torrents: Torrents?
  private let loop: EventLoop
  let limits: PeerLimits
  private var listeners: [TCPListener] = []
  /// All connections, those that were called among them: a stream's owner is held by nobody else.
  private var links: [ObjectIdentifier: PeerLink] = [:]
  private var perAddress: [IPAddress: Int] = [:]
  /// Those of others that have not said yet which torrent they mean.
  private var unknown: Set<ObjectIdentifier> = []
  /// Peers that are being called, by whichever torrent.
  var calls = 0
  private let turnedAway: Counter

  init(limits: PeerLimits, metrics: Metrics, on loop: EventLoop) {
    self.limits = limits
    self.loop = loop
    turnedAway = metrics.counter("peer_turned_away_total", help: "Connections of peers over a bound.")
  }

  var count: Int { links.count }

  func open(to torrents: Torrents) { self.torrents = torrents }

  /// - Returns: the address, with the port where 0 was asked for.
  func listen(on address: SocketAddress) throws -> SocketAddress {
    let listener = try TCPListener(address, on: loop) { [weak self] in self?.accepted($0) }
    listeners.append(listener)
    return listener.address
  }

  private func accepted(_ socket: ConnectedSocket) {
    guard torrents != nil, links.count < limits.connections, unknown.count < limits.unknown,
      perAddress[socket.peer.ip, default: 0] < limits.connectionsPerAddress
    else {
      turnedAway.add()
      return socket.close()
    }
    _ = enter(PeerLink(socket, called: nil, for: nil, door: self, on: loop))
  }

  /// False where the connection is over before it began.
  func enter(_ link: PeerLink) -> Bool {
    links[ObjectIdentifier(link)] = link
    perAddress[link.address.ip, default: 0] += 1
    if link.called == nil { unknown.insert(ObjectIdentifier(link)) }
    do {
      try link.assumeIsolated { try $0.start() }
      return true
    } catch {
      left(link)
      return false
    }
  }

  /// Whether one more may be called.
  var mayCall: Bool { calls < limits.allCalls && links.count + calls < limits.connections }

  /// It has said which torrent it means.
  func knows(_ link: PeerLink) { unknown.remove(ObjectIdentifier(link)) }

  func left(_ link: PeerLink) {
    knows(link)
    guard links.removeValue(forKey: ObjectIdentifier(link)) != nil else { return }
    let ip = link.address.ip
    perAddress[ip, default: 1] -= 1
    if perAddress[ip] == 0 { perAddress[ip] = nil }
  }

  func close() async {
    for listener in listeners { await listener.drain() }
    hangUp()
  }

  private func hangUp() { for link in links.values { link.assumeIsolated { $0.close() } } }
}
