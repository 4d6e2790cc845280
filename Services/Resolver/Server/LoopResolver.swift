import DNSWire
import EventLoop
import Octets
import ServiceKit

/// The resolver of one loop: takes queries, runs their walks, and carries out what these ask for.
actor LoopResolver: DatagramOwner {
  /// What its walks share that doesn't change while it runs.
  struct Setup: Sendable {
    var limits = Limits()
    var allowed: [IPNetwork] = []
    /// Whose trace context is believed, and who is told it (EDNS option 65500); nobody by default.
    var tracing: [IPNetwork] = []
    var rootHints: [SocketAddress] = []
    var forwarders: [Forwarder] = []
    var port: UInt16 = 53
    /// Addresses that queries to servers leave from; nil lets the kernel choose.
    var sourceV4: IPAddress?
    var sourceV6: IPAddress?
    /// World seconds.
    var clock: @Sendable () -> Int64
    /// Nil draws from the system, as it must where someone may guess; tests hand in a seed.
    var seed: UInt64?
  }

  struct Exchange {
    var lookUp: Int
    var ask: Ask
    var sent: Instant
    var socket: UDPSocket?
    var timer: TimerID
  }

  nonisolated let loop: EventLoop
  nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe loop.asUnownedSerialExecutor() }
  let setup: Setup
  let started = Instant.current
  var knowledge: Knowledge
  /// What walks use that were begun before the last flush: nothing they learnt may come back into the cache.
  /// Nil when the last of them has ended.
  private(set) var outdated: Knowledge?
  private var outdatedWalks = 0
  /// Flushes so far.
  private var flushes = 0
  var packets: PacketCache
  var counters = Counters()
  var lookUps: [Int: LookUp] = [:]
  var byKey: [LookUpKey: Int] = [:]
  var exchanges: [ExchangeKey: Exchange] = [:]
  var bySocket: [ObjectIdentifier: ExchangeKey] = [:]
  /// Clients that wait for a look-up.
  private(set) var waiting = 0
  var sockets: [UDPSocket] = []
  var listeners: [TCPListener] = []
  var sessions: [ObjectIdentifier: TCPSession] = [:]
  var connectionsByClient: [IPAddress: Int] = [:]
  private var lastLookUp = 0
  /// No look-up under way has a lower number.
  private var firstLookUp = 1
  private let hashSeed: UInt64
  /// The answer being written; kept for its memory.
  private var output: [UInt8] = []

  struct ExchangeKey: Hashable {
    var lookUp: Int
    var exchange: Int
  }

  init(on loop: EventLoop, _ setup: Setup, share: Int = 1) {
    self.loop = loop
    self.setup = setup
    let bytes = setup.limits.cacheBytes / max(share, 1)
    packets = PacketCache(limit: bytes / 4)
    if let seed = setup.seed {
      knowledge = Knowledge(
        cacheLimit: bytes - bytes / 4, rootHints: setup.rootHints, generator: SeededGenerator(seed: seed))
      hashSeed = seed
    } else {
      var system = SystemRandomNumberGenerator()
      knowledge = Knowledge(cacheLimit: bytes - bytes / 4, rootHints: setup.rootHints)
      hashSeed = system.next()
    }
    knowledge.forwarders = setup.forwarders
    knowledge.port = setup.port
    let egress = loop.egress
    knowledge.mayAsk = { egress.allows($0) }
  }

  var moment: Moment { Moment(world: setup.clock(), steady: Instant.current.since(started)) }

  nonisolated func allows(_ client: IPAddress) -> Bool {
    setup.allowed.contains { $0.contains(client) }
  }

  /// Whether trace context goes to and comes from the address.
  nonisolated func traces(_ peer: IPAddress) -> Bool {
    setup.tracing.contains { $0.contains(peer) }
  }

  // MARK: Datagrams

  func received(_ batch: DatagramBatch, on socket: UDPSocket) {
    if let key = bySocket[ObjectIdentifier(socket)] { return responses(batch, key) }
    let now = setup.clock()
    counters.udpQueries += batch.count
    for index in 0..<batch.count {
      let client = batch.source(index)
      guard allows(client.ip) else {
        counters.refused += 1
        if let refusal = batch.withOctets(index, { Intake.refusal($0, .refused) }) {
          unsafe batch.reply(index, refusal.span.bytes)
        }
        continue
      }
      batch.withOctets(index) { message in
        if answerFromPackets(message, now: now, overUDP: true) {
          return unsafe batch.reply(index, output.span.bytes)
        }
        let client = batch.origin(index)
        resolve(message, from: client.source.ip, overUDP: true) { answer in
          // What can't be sent is as good as lost on the way: the client asks again.
          try? socket.answer(answer, to: client)
        }
      }
    }
  }

  /// Writes the answer to `output` if the packet cache has it.
  private func answerFromPackets(_ message: RawSpan, now: Int64, overUDP: Bool) -> Bool {
    guard let query = ClientQuery(message, seed: hashSeed) else { return false }
    let limit = overUDP ? query.udpLimit : Message.maximumLength
    guard packets.answer(query, message, now: now, limit: limit, to: &output) else { return false }
    counters.packetHits += 1
    return true
  }

  /// Answers a message that came over a connection, now or later; never if it isn't a query.
  func answer(_ message: [UInt8], for client: IPAddress, _ reply: @escaping @Sendable ([UInt8]) -> Void) {
    let octets = unsafe message.span.bytes
    guard allows(client) else {
      counters.refused += 1
      if let refusal = Intake.refusal(octets, .refused) { reply(refusal) }
      return
    }
    if answerFromPackets(octets, now: setup.clock(), overUDP: false) { return reply(output) }
    resolve(octets, from: client, overUDP: false, reply)
  }

  private func resolve(
    _ message: RawSpan, from client: IPAddress, overUDP: Bool, _ reply: @escaping ([UInt8]) -> Void
  ) {
    switch Intake(message) {
    case .ignore: return
    case .reply(let answer): reply(answer)
    case .resolve(let question, let octets, let trace):
      guard let query = unsafe ClientQuery(octets.span.bytes, seed: hashSeed) else {
        if let failure = Intake.refusal(message, .serverFailure) { reply(failure) }
        return
      }
      let asked = flushes
      let context = traces(client) ? trace.flatMap { TraceContext(ednsOption: $0) } : nil
      lookUp(question, cacheOnly: !query.recursionDesired, context: context) { [self] outcome, packet in
        let bytes = unsafe octets.span.bytes
        let limit = overUDP ? query.udpLimit : Message.maximumLength
        var turn = 0
        if packet.expires > packet.stored, query.recursionDesired, question.type != .any, asked == flushes {
          turn = packets.insert(packet, for: query, bytes)
        }
        packet.write(to: &output, for: query, bytes, now: packet.stored, turn: turn, limit: limit)
        reply(output)
      }
    }
  }

  // MARK: Walks

  /// Resolves a question and tells `done`, perhaps before this returns.
  func lookUp(
    _ question: Question, cacheOnly: Bool = false, tracing: Bool = false, context: TraceContext? = nil,
    _ done: @escaping (Outcome, Packet) -> Void
  ) {
    guard waiting < setup.limits.waiters else { return overload(question, done) }
    let lookUp = LookUp(question, cacheOnly: cacheOnly, tracing: tracing, context: context, flushes: flushes)
    if let key = lookUp.key, let running = byKey[key].flatMap({ lookUps[$0] }) {
      counters.coalesced += 1
      waiting += 1
      running.waiters.append(done)
      return
    }
    guard lookUps.count < setup.limits.lookUps || makeRoom() else { return overload(question, done) }
    waiting += 1
    counters.walks += 1
    lastLookUp += 1
    let id = lastLookUp
    lookUp.waiters = [done]
    lookUps[id] = lookUp
    if let key = lookUp.key { byKey[key] = id }
    lookUp.deadline = loop.after(WorkBudget.time) { [weak self] in self?.assumeIsolated { $0.tell(id, .deadline) } }
    tell(id, .start)
  }

  /// Ends the look-up that has waited longest, if it had time enough: questions about servers that don't answer must not keep
  /// out those that would be answered in a moment.
  private func makeRoom() -> Bool {
    while firstLookUp <= lastLookUp, lookUps[firstLookUp] == nil { firstLookUp += 1 }
    guard let oldest = lookUps[firstLookUp], Instant.current.since(oldest.began) >= setup.limits.leastTime else {
      return false
    }
    tell(firstLookUp, .crowdedOut)
    return true
  }

  private func overload(_ question: Question, _ done: (Outcome, Packet) -> Void) {
    let outcome = Outcome(code: .serverFailure, comment: "too many questions are under way", isPassing: true)
    done(outcome, Packet(question, outcome, now: setup.clock()))
  }

  /// Gives an event to a walk and does what it wants, and what follows from that at once.
  func tell(_ id: Int, _ event: WalkEvent) {
    var events = [event]
    while !events.isEmpty, let lookUp = lookUps[id] {
      for action in handle(events.removeFirst(), lookUp) {
        switch action {
        case .ask(let ask):
          if let failure = send(ask, id) { events.append(failure) }
        case .close(let exchange): close(ExchangeKey(lookUp: id, exchange: exchange))
        case .finish(let outcome): finish(id, lookUp, outcome)
        }
      }
    }
  }

  private func handle(_ event: WalkEvent, _ lookUp: LookUp) -> [WalkAction] {
    // Taken out, not copied: what has two owners is copied whole by the first change.
    guard lookUp.flushes != flushes, var old = outdated.take() else {
      return lookUp.walk.handle(event, at: moment, &knowledge)
    }
    defer { outdated = old }
    return lookUp.walk.handle(event, at: moment, &old)
  }

  /// Forgets a name and all below it, or everything. Packets can't be told apart by name cheaply and are made anew.
  func flush(_ name: Name? = nil) {
    flushes += 1
    if let name { knowledge.cache.remove(name) } else { knowledge.cache.removeAll() }
    knowledge.servers.forgive()
    packets.removeAll()
    outdatedWalks = lookUps.count
    outdated = lookUps.isEmpty ? nil : knowledge
    outdated?.cache.removeAll()
    // Who asks from now on doesn't join those who asked before.
    byKey = [:]
  }

  private func finish(_ id: Int, _ lookUp: LookUp, _ outcome: Outcome) {
    lookUps[id] = nil
    if lookUp.flushes != flushes {
      outdatedWalks -= 1
      if outdatedWalks == 0 { outdated = nil }
    }
    waiting -= lookUp.waiters.count
    if let key = lookUp.key, byKey[key] == id { byKey[key] = nil }
    if let timer = lookUp.deadline { loop.cancel(timer) }
    if outcome.code == .serverFailure { counters.serverFailures += 1 }
    let packet = Packet(lookUp.question, outcome, now: setup.clock())
    for waiter in lookUp.waiters { waiter(outcome, packet) }
  }
}
