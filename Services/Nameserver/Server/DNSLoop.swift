import DNSWire
import EventLoop
import Octets
import ServiceKit

/// The DNS side of one loop: its sockets, its connections and its own reference to the zones.
actor DNSLoop: DatagramOwner {
  nonisolated let loop: EventLoop
  nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe loop.asUnownedSerialExecutor() }

  private var responder: Responder
  private var version = 0
  private let limits: ServerLimits
  private var rateLimit: ResponseRateLimit?
  private let metrics: ServerMetrics
  private var reported = Responder.Counters()
  private var sockets: [UDPSocket] = []
  private var listeners: [TCPListener] = []
  private var sessions: [ObjectIdentifier: TCPSession] = [:]
  private var connections: [IPAddress: Int] = [:]
  /// Its memory is used for the answers of every connection.
  private var output: [UInt8] = []

  /// - Parameter loops: how many there are: queries of one client come to all of them, so each gives its part of an allowance.
  init(on loop: EventLoop, of loops: Int = 1, limits: ServerLimits, metrics: ServerMetrics, hash: NameHash) {
    self.loop = loop
    self.limits = limits
    self.metrics = metrics
    responder = Responder(ZoneCatalog([]), by: hash)
    var generator = SystemRandomNumberGenerator()
    let rate = limits.responsesPerSecond
    rateLimit = ResponseRateLimit(rate: (rate + loops - 1) / loops, using: &generator)
  }

  /// Serves another state of the zones from now on. When this returns, no answer comes from the old one.
  func serve(_ catalog: ZoneCatalog, version: Int) {
    guard version > self.version else { return }
    self.version = version
    responder.catalog = catalog
  }

  /// Binds UDP and TCP to an address.
  /// - Returns: the address, with the port it got.
  func bind(_ address: SocketAddress, sharesPort: Bool, isSibling: Bool) throws(IOError) -> SocketAddress {
    let listener = try TCPListener(address, on: loop, sharesPort: sharesPort, isSibling: isSibling) {
      [weak self] socket in
      guard let self else { return socket.close() }
      assumeIsolated { $0.accept(socket) }
    }
    listeners.append(listener)
    let socket = try UDPSocket(listener.address, on: loop, sharesPort: sharesPort, isSibling: isSibling)
    sockets.append(socket)
    try socket.start(self)
    return listener.address
  }

  func received(_ batch: DatagramBatch, on socket: UDPSocket) {
    // Nobody else's loopback sends here, so that it need not be asked who did.
    let isReachable = !socket.address.ip.isLoopback
    for index in 0..<batch.count {
      batch.withOctets(index) { query in
        let count = respond(datagram: query, from: isReachable ? batch.source(index).ip : .loopbackV4)
        if count > 0 { reply(batch, index, count) }
      }
    }
    report()
  }

  /// - Returns: octets of the answer in the responder's writer; 0 for none.
  func respond(datagram query: RawSpan, from client: IPAddress) -> Int {
    let count = responder.respond(query, .udp)
    guard count > 0, !client.isLoopback, let verdict = rateLimit?.judge(client, responder.kind, at: loop.now) else {
      return count
    }
    switch verdict {
    case .send: return count
    case .truncate:
      metrics.rateLimitTruncated.add()
      return responder.truncate()
    case .drop:
      metrics.rateLimitDropped.add()
      responder.takeBack()
      return 0
    }
  }

  private func reply(_ batch: DatagramBatch, _ index: Int, _ count: Int) {
    // Every octet of the response is initialised.
    unsafe batch.reply(index, responder.writer.bytes.span.bytes.extracting(0..<count))
  }

  /// Answers the whole queries of a connection's octets, each of which has its length before it (RFC 1035 §4.2.2), for
  /// as long as the client takes the answers: a small query may have a large one.
  /// - Returns: how many octets were whole queries that need no answer any more.
  func answer(_ octets: RawSpan, on stream: TCPStream) -> Int {
    var used = 0
    while !stream.isCongested {
      output.removeAll(keepingCapacity: true)
      let count = respond(stream: octets.extracting(used..<octets.byteCount), into: &output)
      if count == 0 { break }
      used += count
      // Every octet of an array of octets is initialised.
      unsafe stream.write(output.span.bytes)
    }
    report()
    return used
  }

  /// - Parameter output: the answers are appended to it, framed alike, until it has `limits.burst` octets.
  func respond(stream octets: RawSpan, into output: inout [UInt8]) -> Int {
    var offset = 0
    while output.count < limits.burst, offset + 2 <= octets.byteCount {
      let high = unsafe octets.unsafeLoad(fromByteOffset: offset, as: UInt8.self)
      let low = unsafe octets.unsafeLoad(fromByteOffset: offset + 1, as: UInt8.self)
      let end = offset + 2 + Int(high) << 8 + Int(low)
      guard end <= octets.byteCount else { break }
      let count = responder.respond(octets.extracting((offset + 2)..<end), .tcp)
      if count > 0 {
        output.append(UInt8(truncatingIfNeeded: count >> 8))
        output.append(UInt8(truncatingIfNeeded: count))
        output += responder.writer.bytes[..<count]
      }
      offset = end
    }
    return offset
  }

  func report() {
    metrics.add(responder.counters, since: reported)
    reported = responder.counters
  }

  // MARK: Connections

  private func accept(_ socket: ConnectedSocket) {
    let address = socket.peer.ip
    guard sessions.count < limits.connections, connections[address, default: 0] < limits.connectionsPerAddress else {
      metrics.connectionsRefused.add()
      return socket.close()
    }
    let session = TCPSession(TCPStream(socket, on: loop), of: self, idleTime: limits.idleTime)
    sessions[ObjectIdentifier(session)] = session
    connections[address, default: 0] += 1
    session.assumeIsolated { $0.start() }
  }

  func forget(_ session: TCPSession, _ address: IPAddress) {
    guard sessions.removeValue(forKey: ObjectIdentifier(session)) != nil else { return }
    let left = connections[address, default: 1] - 1
    connections[address] = left > 0 ? left : nil
  }

  /// Stops serving: what is answered still leaves, then all is closed.
  func drain() async {
    for listener in listeners { await listener.drain() }
    for session in sessions.values { await session.finish() }
    for socket in sockets { socket.close() }
    sockets = []
    listeners = []
  }
}
