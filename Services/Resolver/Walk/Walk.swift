import DNSWire
import Octets

/// The iterative resolution of one client's question (RFC 1034 §5.3.3), as a state machine: it takes what happened and
/// returns what is to be done, and does nothing itself.
///
/// Look-ups of name servers' addresses are frames on a stack above the client's question; only the top one is at work.
struct Walk {
  var frames: [Frame]
  var budget = WorkBudget()
  var steps: [Step] = []
  var actions: [WalkAction] = []
  private(set) var isFinished = false
  private var began = Duration.zero
  private var lastExchange = 0
  let tracing: Bool
  let cacheOnly: Bool

  /// - Parameters:
  ///   - cacheOnly: the client doesn't want others to be asked (RD=0).
  ///   - tracing: the outcome lists every step.
  init(_ name: Name, _ type: RecordType, cacheOnly: Bool = false, tracing: Bool = false) {
    frames = [Frame(name, type)]
    self.cacheOnly = cacheOnly
    self.tracing = tracing
  }

  /// The frame at work; not to be asked for once the walk is finished.
  var top: Frame {
    get { frames[frames.count - 1] }
    set { frames[frames.count - 1] = newValue }
  }

  /// Takes one event. Events of exchanges that are over are ignored, so they may come late.
  mutating func handle(_ event: WalkEvent, at moment: Moment, _ knowledge: inout Knowledge) -> [WalkAction] {
    guard !isFinished else { return [] }
    actions = []
    switch event {
    case .start: began = moment.steady
    case .response(let exchange, let message, let rtt): receive(message, exchange, rtt, moment, &knowledge)
    case .patienceOver(let exchange): silence(exchange, moment, &knowledge)
    case .broken(let exchange, let why): broken(exchange, why, moment, &knowledge)
    case .deadline: abandon("no answer within \(WorkBudget.time.components.seconds) s", moment, &knowledge)
    case .crowdedOut: abandon("too many questions are under way", isPassing: true, moment, &knowledge)
    }
    while !isFinished {
      switch top.state {
      case .lookUp: lookUp(moment, &knowledge)
      case .choose: choose(moment, &knowledge)
      case .waiting: return actions
      }
    }
    return actions
  }

  // MARK: What is known already

  private mutating func lookUp(_ moment: Moment, _ knowledge: inout Knowledge) {
    let name = top.name
    let type = top.type
    if let special = SpecialName.answer(name, type) {
      note(.special, moment, special.records.isEmpty ? .noData : .answer, detail: "RFC 6761", records: special.records)
      if special.code == .noError, !special.records.isEmpty { return finishFrame(answer: special.records, knowledge) }
      return finishFrame(negative: special.code, soa: nil, knowledge)
    }
    let now = moment.world
    switch knowledge.cache.find(name, type, now: now) {
    case .records(let entry):
      note(.cache, moment, .answer, records: entry.records(at: now))
      return finishFrame(answer: entry.records(at: now), knowledge)
    case .alias(let entry):
      note(.cache, moment, .alias, records: entry.records(at: now))
      let records = Array(entry.records(at: now).prefix(1))
      guard let target = records.first?.alias else { break }
      return follow(records, to: target, moment, &knowledge)
    case .redirection(let entry):
      let records = Array(entry.records(at: now).prefix(1))
      note(.cache, moment, .alias, records: records)
      guard let record = records.first, let target = record.alias else { break }
      guard let new = name.replacing(suffix: record.name, with: target) else {
        return overflow(moment, &knowledge)
      }
      let made = ResourceRecord.alias(name, to: new, ttl: record.ttl)
      if type.isAnsweredByAlias { return finishFrame(answer: [record, made], knowledge) }
      return follow([record, made], to: new, moment, &knowledge)
    case .noData(let entry):
      note(.cache, moment, .noData, records: entry.records(at: now))
      return finishFrame(negative: .noError, soa: entry.records(at: now).first, knowledge)
    case .noSuchName(let entry):
      note(.cache, moment, .noSuchName, records: entry.records(at: now))
      return finishFrame(negative: .nameError, soa: entry.records(at: now).first, knowledge)
    case .failure where !tracing:
      return failFrame("it failed a moment ago", moment, &knowledge)
    case .failure, nil: break
    }
    let nearest = nearestZone(moment, &knowledge)
    if cacheOnly {
      let known = nearest.flatMap { knowledge.cache.nameServers(of: $0.zone, now: now) }
      return finish(Outcome(code: .noError, answers: top.aliases, authorities: known?.records(at: now) ?? []))
    }
    guard let nearest else { return failFrame("no server is known to begin with", moment, &knowledge) }
    note(
      .cache, moment, .delegation, detail: nearest.origin.rawValue, zone: nearest.zone,
      records: nearest.origin == .cached
        ? knowledge.cache.nameServers(of: nearest.zone, now: now)?.records(at: now) ?? [] : [])
    top.enter(nearest)
  }

  /// Goes on with the name that an alias leads to.
  mutating func follow(_ records: [ResourceRecord], to target: Name, _ moment: Moment, _ knowledge: inout Knowledge) {
    guard spendAliases(records, moment, &knowledge) else { return }
    guard target != top.asked, !top.aliases.contains(where: { $0.name == target }) else {
      return failFrame("the aliases run in a circle", moment, &knowledge)
    }
    top.aliases += records
    top.name = target
    top.delegation = nil
    top.avoided = []
    top.state = .lookUp
  }

  /// False when the client query has followed too many, which ends it.
  mutating func spendAliases(_ records: [ResourceRecord], _ moment: Moment, _ knowledge: inout Knowledge) -> Bool {
    budget.aliases -= records.count { $0.type == .cname }
    if budget.aliases >= 0 { return true }
    abandon("more than \(Reading.mostAliases) aliases in a row", moment, &knowledge)
    return false
  }

  // MARK: Whom to ask

  /// The forwarder for the name, else the nearest zone above it whose servers the cache knows, else the root.
  private func nearestZone(_ moment: Moment, _ knowledge: inout Knowledge) -> Delegation? {
    // The parent's side of a zone cut knows the DS (RFC 4035 §3.1.4.1).
    let start = top.type == .ds ? top.name.parent ?? top.name : top.name
    if let forwarder = knowledge.forwarder(for: start) {
      return Delegation(
        zone: forwarder.zone, servers: forwarder.servers.map { .init(name: nil, addresses: [$0]) },
        origin: .forwarder)
    }
    var next: Name? = start
    while let zone = next, !zone.isRoot {
      next = zone.parent
      guard !top.avoided.contains(zone), let entry = knowledge.cache.nameServers(of: zone, now: moment.world)
      else { continue }
      let servers = entry.records.compactMap(\.nameServer).prefix(Delegation.mostServers).map {
        Delegation.Server(name: $0, addresses: reach(knowledge.cache.addresses(of: $0, now: moment.world), knowledge))
      }
      if servers.contains(where: { !$0.addresses.isEmpty || mayLookUp($0, in: zone) }) {
        return Delegation(zone: zone, servers: servers, origin: .cached)
      }
    }
    let hints = knowledge.rootHints.filter { knowledge.mayAsk($0.ip) }
    guard !hints.isEmpty else { return nil }
    return Delegation(zone: .root, servers: hints.map { .init(name: nil, addresses: [$0]) }, origin: .hints)
  }

  /// The addresses of a name server that may be asked, with the port all servers have.
  func reach(_ addresses: [IPAddress], _ knowledge: Knowledge) -> [SocketAddress] {
    addresses.filter(knowledge.mayAsk).prefix(Delegation.mostAddresses).map {
      SocketAddress(ip: $0, port: knowledge.port)
    }
  }

  /// Whether looking the server's address up can help: not when that needs the very zone, or is under way already.
  private func mayLookUp(_ server: Delegation.Server, in zone: Name) -> Bool {
    guard let name = server.name, !name.isAtOrBelow(zone), server.lookedUp.count < 2 else { return false }
    return !frames.contains { $0.asked == name }
  }

  private mutating func choose(_ moment: Moment, _ knowledge: inout Knowledge) {
    guard var delegation = top.delegation else { return top.state = .lookUp }
    guard budget.queries > 0 else { return abandon("the question needs too much work", moment, &knowledge) }
    if let server = knowledge.servers.choose(
      among: delegation.addresses, tries: top.tries, most: WorkBudget.triesPerServer,
      zone: delegation.zone.lowercased.wire, now: moment.steady, using: &knowledge.generator)
    {
      let edns = knowledge.servers.takesEDNS(server, now: moment.steady)
      return send(to: server, .udp, edns: edns, moment, &knowledge)
    }
    if frames.count <= WorkBudget.mostDepth,
      let index = delegation.servers.firstIndex(where: {
        $0.addresses.isEmpty && mayLookUp($0, in: delegation.zone)
          && (!$0.lookedUp.isEmpty || delegation.lookUps < WorkBudget.lookUpsPerDelegation)
      }), let name = delegation.servers[index].name
    {
      let type: RecordType = delegation.servers[index].lookedUp.isEmpty ? .a : .aaaa
      if type == .a { delegation.lookUps += 1 }
      delegation.servers[index].lookedUp.insert(type)
      top.delegation = delegation
      closeExchanges()
      frames.append(Frame(name, type))
      return
    }
    if top.exchanges.values.contains(where: \.hopeful) {
      top.state = .waiting
    } else if delegation.origin == .cached, !top.avoided.contains(delegation.zone) {
      // The zone may have moved since: its parent knows.
      closeExchanges()
      top.avoided.insert(delegation.zone)
      top.state = .lookUp
    } else {
      failFrame(top.trouble ?? "no server of \(delegation.zone) has an address", moment, &knowledge)
    }
  }

  mutating func send(
    to server: SocketAddress, _ transport: Ask.Transport, edns: Bool, _ moment: Moment, _ knowledge: inout Knowledge
  ) {
    guard budget.queries > 0 else { return abandon("the question needs too much work", moment, &knowledge) }
    budget.queries -= 1
    lastExchange += 1
    let ask = Ask(
      exchange: lastExchange, id: UInt16.random(in: 0...UInt16.max, using: &knowledge.generator), name: top.name,
      type: top.type, server: server, transport: transport, withEDNS: edns,
      recursionDesired: top.delegation?.origin == .forwarder,
      patience: transport == .tcp ? .seconds(2) : knowledge.servers.patience(server, now: moment.steady))
    top.tries[server, default: 0] += 1
    top.exchanges[ask.exchange] = Frame.Exchange(ask: ask, step: tracing ? steps.count : nil)
    top.state = .waiting
    note(.query, moment, .pending, zone: top.delegation?.zone, exchange: ask)
    actions.append(.ask(ask))
  }

  // MARK: Ends

  func closing(_ frame: Frame) -> [WalkAction] {
    frame.exchanges.keys.sorted().map { .close(exchange: $0) }
  }

  mutating func closeExchanges() {
    actions += closing(top)
    top.exchanges = [:]
  }

  mutating func finishFrame(answer records: [ResourceRecord], _ knowledge: Knowledge) {
    closeExchanges()
    guard frames.count > 1 else { return finish(Outcome(code: .noError, answers: top.aliases + records)) }
    let done = frames.removeLast()
    give(records.compactMap(\.address), to: done.asked, knowledge)
  }

  mutating func finishFrame(negative code: ResponseCode, soa: ResourceRecord?, _ knowledge: Knowledge) {
    closeExchanges()
    guard frames.count > 1 else {
      return finish(Outcome(code: code, answers: top.aliases, authorities: soa.map { [$0] } ?? []))
    }
    let done = frames.removeLast()
    give([], to: done.asked, knowledge)
  }

  mutating func failFrame(_ why: String, _ moment: Moment, _ knowledge: inout Knowledge) {
    guard frames.count > 1 else { return abandon(why, moment, &knowledge) }
    closeExchanges()
    let done = frames.removeLast()
    top.trouble = "no address of \(done.asked): \(why)"
    give([], to: done.asked, knowledge)
  }

  static let tooLong = "a DNAME makes the name too long"

  /// A DNAME leads to a name that can't be (RFC 6672 §2.2).
  mutating func overflow(_ moment: Moment, _ knowledge: inout Knowledge) {
    guard frames.count == 1 else { return failFrame(Self.tooLong, moment, &knowledge) }
    abandon(Self.tooLong, code: .yxDomain, moment, &knowledge)
  }

  /// Hands a name server's addresses to the frame that waits for them.
  private mutating func give(_ addresses: [IPAddress], to name: Name, _ knowledge: Knowledge) {
    top.state = .choose
    let reached = reach(addresses, knowledge)
    if reached.isEmpty {
      if top.trouble == nil { top.trouble = "\(name) has no address that may be asked" }
    } else if let index = top.delegation?.servers.firstIndex(where: { $0.name == name }) {
      top.delegation?.servers[index].addresses += reached
    }
  }

  /// Ends the client's question with an error.
  mutating func abandon(
    _ why: String, code: ResponseCode = .serverFailure, isPassing: Bool = false, _ moment: Moment,
    _ knowledge: inout Knowledge
  ) {
    if !isPassing, code == .serverFailure, let first = frames.first {
      knowledge.cache.insertFailure(first.asked, first.type, now: moment.world)
    }
    finish(Outcome(code: code, comment: why, isPassing: isPassing))
  }

  private mutating func finish(_ outcome: Outcome) {
    for frame in frames { actions += closing(frame) }
    var outcome = outcome
    outcome.steps = steps
    isFinished = true
    actions.append(.finish(outcome))
  }

  // MARK: Trace

  mutating func note(
    _ kind: Step.Kind, _ moment: Moment, _ result: Step.Result, detail: String? = nil, zone: Name? = nil,
    records: [ResourceRecord] = [], exchange: Ask? = nil
  ) {
    guard tracing else { return }
    var step = Step(
      kind: kind, depth: frames.count - 1, name: top.name, type: top.type, at: moment.steady - began, result: result)
    step.detail = detail
    step.zone = zone
    step.records = records
    step.exchange = exchange
    step.serverName = exchange.flatMap { top.delegation?.name(of: $0.server) }
    steps.append(step)
  }
}
