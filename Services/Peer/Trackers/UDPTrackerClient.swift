import EventLoop
import HTTPClient
import Octets
import ServiceKit
import TorrentWire

/// Asks trackers by UDP (BEP 15). A tracker first gives the client a connection id, which is used again while it is good.
///
/// What no question waits for is passed over: a datagram of another transaction, or from anywhere else.
actor UDPTrackerClient: DatagramOwner {
  /// The bounds of a client.
  struct Limits: Sendable {
    /// For a whole call: looking the name up, connecting, and all that is sent again.
    var deadline: Duration = .seconds(60)
    /// How long the first answer is waited for before it is asked again; after each silence twice as long.
    var patience: Duration = .seconds(15)
    /// How long a connection id is good.
    var connectionLife: Duration = .seconds(60)
    /// Addresses of a name that are tried.
    var addresses = 3
    /// Trackers that are talked to at once, those with a good connection id included.
    var lines = 64

    init() {}
  }

  nonisolated let loop: EventLoop
  nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe loop.asUnownedSerialExecutor() }
  private let source: IPAddress?
  private let resolver: HostResolver
  private var chance: Chance
  private let limits: Limits
  private var lines: [SocketAddress: TrackerLine] = [:]

  /// - Parameters:
  ///   - source: the address to send from; nil, and towards the other family, lets the kernel choose.
  ///   - resolver: looks up names.
  ///   - chance: where transactions come from.
  init(
    on loop: EventLoop, from source: IPAddress? = nil, resolver: @escaping HostResolver, chance: Chance,
    limits: Limits = Limits()
  ) {
    self.loop = loop
    self.source = source
    self.resolver = resolver
    self.chance = chance
    self.limits = limits
  }

  /// - Throws: what the tracker said, or why nothing came from it.
  func announce(_ request: AnnounceRequest, to url: TrackerURL) async throws(TrackerFailure) -> AnnounceReply {
    let path = url.urlData
    let reply = try await ask(url) { .announce(connection: $0, request, path: path) }
    guard case .announce(let announce) = reply else { throw Self.nonsense }
    return announce
  }

  /// - Parameter hashes: 74 at most; of more the first.
  /// - Returns: what the tracker knows of them, in their order; fewer where it breaks off.
  func scrape(_ hashes: [InfoHash], at url: TrackerURL) async throws(TrackerFailure) -> [ScrapeEntry] {
    let reply = try await ask(url) { .scrape(connection: $0, hashes) }
    guard case .scrape(let counts) = reply else { throw Self.nonsense }
    return zip(hashes.prefix(UDPTracker.scrapeLimit), counts).map { hash, counts in
      ScrapeEntry(
        infoHash: hash, seeders: counts.seeders, leechers: counts.leechers, downloads: counts.downloads)
    }
  }

  private static let nonsense = TrackerFailure("the tracker answered something else than it was asked")

  // MARK: Addresses

  private func ask(
    _ url: TrackerURL, _ request: (_ connection: UInt64) -> UDPTracker.Request
  ) async throws(TrackerFailure) -> UDPTracker.Reply {
    let deadline = Instant.current + limits.deadline
    let addresses = try await addresses(of: url)
    var failure = TrackerFailure("\(url.host) has no address")
    for (tried, address) in addresses.enumerated() {
      // A silent address leaves some of the time to the next.
      let share = deadline.since(.current) / (addresses.count - tried)
      do throws(BrokenLine) {
        return try await converse(with: SocketAddress(ip: address, port: url.port), share, request)
      } catch {
        switch error {
        case .refused(let refusal): throw refusal
        case .unreachable(let why): failure = TrackerFailure(why)
        }
      }
    }
    throw failure
  }

  /// Those that can be asked from the source come first.
  private func addresses(of url: TrackerURL) async throws(TrackerFailure) -> [IPAddress] {
    if let literal = url.literal { return [literal] }
    let host = url.host
    let waiting = Suspension<Result<[IPAddress], TrackerFailure>>(on: loop)
    let resolver = resolver
    let outcome = await waiting.value(
      within: limits.deadline, late: .failure(TrackerFailure("\(host) was not looked up in time")),
      cancelled: .failure(TrackerFailure("cancelled"))
    ) { [loop] in
      loop.spawn {
        do {
          waiting.wake(.success(try await resolver(host)))
        } catch {
          waiting.wake(.failure(TrackerFailure("\(host): \(error)")))
        }
      }
    }
    let found = try outcome.get().map(\.unmapped)
    let prefersV4 = source?.isV4 ?? found.first?.isV4 ?? true
    return Array(
      (found.filter { $0.isV4 == prefersV4 } + found.filter { $0.isV4 != prefersV4 }).prefix(limits.addresses))
  }

  // MARK: Questions

  /// Why a conversation ended without an answer.
  private enum BrokenLine: Error {
    /// The tracker's own word: another address of it would say the same.
    case refused(TrackerFailure)
    case unreachable(String)
  }

  /// Connects where it has to, and asks until an answer comes or the time is over.
  private func converse(
    with server: SocketAddress, _ time: Duration, _ request: (UInt64) -> UDPTracker.Request
  ) async throws(BrokenLine) -> UDPTracker.Reply {
    let deadline = Instant.current + time
    let line = try line(to: server)
    line.users += 1
    defer { leave(line) }
    var connection = line.goodConnection
    var isFresh = false
    var patience = limits.patience
    while true {
      let left = deadline.since(.current)
      guard left > .zero else { throw .unreachable("\(server) does not answer") }
      let question = connection.map(request) ?? .connect
      switch try await exchange(question, on: line, within: min(left, patience)) {
      case nil:
        // It may have forgotten the id and say nothing to those that it does not know.
        patience = min(patience * 2, limits.deadline)
        line.connection = nil
        connection = nil
      case .connect(let id):
        guard connection == nil else { throw .refused(Self.nonsense) }
        line.connection = (id, Instant.current + limits.connectionLife)
        connection = id
        isFresh = true
      case .error(let reason):
        line.connection = nil
        // One that has begun anew does not know the id of before.
        guard connection != nil, !isFresh else { throw .refused(TrackerFailure(reason)) }
        connection = nil
      case let reply?:
        guard connection != nil else { throw .refused(Self.nonsense) }
        return reply
      }
    }
  }

  /// Sends one datagram and waits.
  /// - Returns: nil where nothing came in time.
  private func exchange(
    _ question: UDPTracker.Request, on line: TrackerLine, within time: Duration
  ) async throws(BrokenLine) -> UDPTracker.Reply? {
    guard line.isOpen else { throw .unreachable("\(line.server) went away") }
    var transaction = UInt32(truncatingIfNeeded: chance.next())
    while line.waiting[transaction] != nil { transaction &+= 1 }
    let waiting = Suspension<TrackerLine.Outcome>(on: loop)
    line.waiting[transaction] = waiting
    defer { line.waiting[transaction] = nil }
    do throws(IOError) {
      try line.socket.send(UDPTracker.encode(question, transaction: transaction), to: line.server)
    } catch {
      failed(error, on: line.socket)
      throw .unreachable("\(line.server): \(error)")
    }
    switch await waiting.value(within: time, late: .silence, cancelled: .broken(.cancelled)) {
    case .reply(let reply): return reply
    case .silence: return nil
    case .broken(let error): throw .unreachable("\(line.server): \(error)")
    }
  }

  // MARK: Lines

  private func line(to server: SocketAddress) throws(BrokenLine) -> TrackerLine {
    if let line = lines[server] { return line }
    if lines.count >= limits.lines {
      guard let idle = lines.values.first(where: { $0.users == 0 }) else {
        throw .unreachable("\(limits.lines) trackers are being asked already")
      }
      close(idle)
    }
    do throws(IOError) {
      let source = source.flatMap { $0.isV4 == server.ip.isV4 ? $0 : nil }
      let line = TrackerLine(server, try UDPSocket(asking: server, from: source, on: loop))
      try line.socket.start(self)
      lines[server] = line
      return line
    } catch {
      throw .unreachable("\(server): \(error)")
    }
  }

  /// The line stays open for as long as its connection id is good: a tracker may know the id by the port it was asked for from.
  private func leave(_ line: TrackerLine) {
    line.users -= 1
    guard line.users == 0, line.isOpen else { return }
    guard let (_, end) = line.connection else { return close(line) }
    loop.after(end.since(.current)) { [weak self] in
      self?.assumeIsolated { client in
        if line.users == 0, line.goodConnection == nil { client.close(line) }
      }
    }
  }

  private func close(_ line: TrackerLine) {
    guard line.isOpen else { return }
    line.isOpen = false
    line.socket.close()
    lines[line.server] = nil
  }

  /// Trackers with a socket open towards them.
  var openLines: Int { lines.count }

  func received(_ batch: DatagramBatch, on socket: UDPSocket) {
    guard let line = line(of: socket) else { return }
    for index in 0..<batch.count {
      let reply = batch.withOctets(index) { UDPTracker.reply($0, isV6: !line.server.ip.isV4) }
      if let (transaction, reply) = reply { line.waiting[transaction]?.wake(.reply(reply)) }
    }
  }

  /// Nobody listens there, or there is no way to it: all who wait need not.
  func failed(_ error: IOError, on socket: UDPSocket) {
    guard let line = line(of: socket) else { return }
    close(line)
    for waiting in line.waiting.values { waiting.wake(.broken(error)) }
  }

  private func line(of socket: UDPSocket) -> TrackerLine? { lines.values.first { $0.socket === socket } }
}

/// A socket towards one tracker, its connection id, and who waits for answers. It lives in its client.
private final class TrackerLine: @unchecked Sendable {
  enum Outcome: Sendable {
    case reply(UDPTracker.Reply)
    case silence
    case broken(IOError)
  }

  let server: SocketAddress
  let socket: UDPSocket
  var isOpen = true
  /// Calls under way.
  var users = 0
  var connection: (id: UInt64, end: Instant)?
  /// By transaction.
  var waiting: [UInt32: Suspension<Outcome>] = [:]

  init(_ server: SocketAddress, _ socket: UDPSocket) {
    self.server = server
    self.socket = socket
  }

  var goodConnection: UInt64? { connection.flatMap { $0.end > .current ? $0.id : nil } }
}
