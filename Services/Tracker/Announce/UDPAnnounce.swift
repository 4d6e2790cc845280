import EventLoop
import Octets
import ServiceKit
import TorrentWire

/// The tracker by UDP (BEP 15, 41) on one loop.
actor UDPAnnounce: DatagramOwner {
  nonisolated let loop: EventLoop
  nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe loop.asUnownedSerialExecutor() }
  private let announcer: Announcer
  private let connections: ConnectionIDs
  private var sockets: [UDPSocket] = []
  /// Its memory is used for every answer.
  private var output: [UInt8] = []

  init(_ announcer: Announcer, _ connections: ConnectionIDs, on loop: EventLoop) {
    self.announcer = announcer
    self.connections = connections
    self.loop = loop
  }

  /// - Returns: the address, with the port it got.
  func bind(_ address: SocketAddress, sharesPort: Bool, isSibling: Bool) throws(IOError) -> SocketAddress {
    let socket = try UDPSocket(address, on: loop, sharesPort: sharesPort, isSibling: isSibling)
    sockets.append(socket)
    try socket.start(self, gathersFor: UDPAnnounce.gathering)
    return socket.address
  }

  func received(_ batch: DatagramBatch, on socket: UDPSocket) {
    for index in 0..<batch.count {
      let source = batch.source(index)
      output.removeAll(keepingCapacity: true)
      batch.withOctets(index) { answer($0, from: source.ip, hasV4Addresses: source.ip.isV4) }
      if output.isEmpty {
        announcer.counters.ignored.add()
      } else {
        // Every octet of an array of octets is initialised.
        unsafe batch.reply(index, output.span.bytes)
      }
    }
  }

  /// What is no request, and what comes with an id that is not its sender's, is met with silence: an answer would go to whoever the
  /// sender says it is.
  private func answer(_ datagram: RawSpan, from source: IPAddress, hasV4Addresses: Bool) {
    guard let (transaction, request) = UDPTracker.request(datagram) else { return }
    let now = loop.now
    switch request {
    case .connect:
      let id = connections.make(for: source, at: now)
      UDPTracker.encode(.connect(connection: id), transaction: transaction, into: &output)
    case .announce(let id, let announce, let path):
      guard connections.isGood(id, for: source, at: now) else { return }
      do throws(TrackerFailure) {
        let reply = try announcer.answer(
          announce, key: UDPAnnounce.key(in: path), from: source, families: [hasV4Addresses],
          room: hasV4Addresses ? UDPAnnounce.v4Peers : UDPAnnounce.v6Peers, at: now)
        UDPTracker.encode(.announce(reply), transaction: transaction, into: &output)
      } catch {
        UDPTracker.encode(.error(error.description), transaction: transaction, into: &output)
      }
    case .scrape(let id, let hashes):
      guard connections.isGood(id, for: source, at: now) else { return }
      do throws(TrackerFailure) {
        // Only announces carry a key (BEP 41).
        _ = try announcer.user(of: nil, at: announcer.now())
      } catch {
        return UDPTracker.encode(.error(error.description), transaction: transaction, into: &output)
      }
      var known: [InfoHash: ScrapeEntry] = [:]
      for entry in announcer.scrape(hashes) { known[entry.infoHash] = entry }
      // Each has its place; of what is not known there is nothing to tell.
      let counts = hashes.map { hash in
        UDPTracker.Counts(
          seeders: known[hash]?.seeders ?? 0, downloads: known[hash]?.downloads ?? 0,
          leechers: known[hash]?.leechers ?? 0)
      }
      UDPTracker.encode(.scrape(counts), transaction: transaction, into: &output)
    }
  }

  /// A peer that announces each half an hour does not feel it.
  private static let gathering = Duration.milliseconds(1)

  /// The key in the path of the announce URL, `/announce/KEY` (BEP 41).
  static func key(in path: [UInt8]) -> [UInt8]? {
    let parts = path.prefix { $0 != 0x3F }.split(separator: 0x2F)
    return parts.count == 2 && parts[0].elementsEqual("announce".utf8) ? Array(parts[1]) : nil
  }

  /// As many as fit a datagram of 1,400 octets, rather than one in two pieces on their way.
  private static let v4Peers = (1400 - 20) / CompactPeers.v4Size
  private static let v6Peers = (1400 - 20) / CompactPeers.v6Size

  func close() {
    for socket in sockets { socket.close() }
    sockets = []
  }
}
