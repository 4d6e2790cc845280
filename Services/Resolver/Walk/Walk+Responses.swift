import DNSWire
import Octets

/// What servers said, or failed to say.
extension Walk {
  mutating func receive(
    _ message: Message, _ exchange: Int, _ rtt: Duration, _ moment: Moment, _ knowledge: inout Knowledge
  ) {
    guard let open = top.exchanges.removeValue(forKey: exchange), let delegation = top.delegation else { return }
    let ask = open.ask
    let code = message.header.responseCode
    if ask.transport == .udp { knowledge.servers.answered(ask.server, after: rtt, now: moment.steady) }
    if message.header.isTruncated, ask.transport == .udp {
      mark(open, .truncated, "asked again over TCP", rtt, message)
      return send(to: ask.server, .tcp, edns: ask.withEDNS, moment, &knowledge)
    }
    if ask.withEDNS, [.formatError, .notImplemented, .badVersion].contains(code) {
      knowledge.servers.failedEDNS(ask.server, now: moment.steady)
      mark(open, .withoutEDNS, "\(code): asked again without EDNS", rtt, message)
      return send(to: ask.server, ask.transport, edns: false, moment, &knowledge)
    }
    let reading = Reading(
      message.settled(), name: top.name, type: top.type, zone: delegation.zone,
      forwarded: delegation.origin == .forwarder)
    let best: Credibility = message.header.isAuthoritative ? .authoritativeAnswer : .answer
    let now = moment.world
    switch reading {
    case .lame(let why):
      knowledge.servers.lame(ask.server, for: delegation.zone.lowercased.wire, now: moment.steady)
      mark(open, code == .refused ? .refused : .lame, why, rtt, message)
      return giveUp(on: ask.server, why)
    case .failure(let why):
      mark(open, .failed, why, rtt, message)
      return giveUp(on: ask.server, why)
    case .tooLong:
      mark(open, .failed, Self.tooLong, rtt, message)
      overflow(moment, &knowledge)
    case .answer(let aliases, let records):
      mark(open, .answer, nil, rtt, message)
      guard spendAliases(aliases, moment, &knowledge) else { return }
      keep(aliases, best, now, &knowledge)
      var records = records
      // As in `keep`: what was made isn't cached.
      for (type, set) in Dictionary(grouping: records, by: \.type) where aliases.last?.type != .dname {
        let lifetime = knowledge.cache.insert(set, aliases.isEmpty ? best : .answer, now: now)
        for index in records.indices where records[index].type == type {
          records[index].ttl = min(records[index].ttl, lifetime)
        }
      }
      finishFrame(answer: aliases + records, knowledge)
    case .alias(let aliases, let target):
      mark(open, .alias, "goes on with \(target)", rtt, message)
      keep(aliases, best, now, &knowledge)
      closeExchanges()
      follow(aliases, to: target, moment, &knowledge)
    case .negative(let kind, let aliases, let name, let soa):
      mark(open, kind == .noSuchName ? .noSuchName : .noData, nil, rtt, message)
      guard spendAliases(aliases, moment, &knowledge) else { return }
      keep(aliases, best, now, &knowledge)
      knowledge.cache.insertNegative(
        kind, name, top.type, soa: soa, aliases.isEmpty ? best : .answer, now: now)
      top.aliases += aliases
      finishFrame(negative: kind == .noSuchName ? .nameError : .noError, soa: soa, knowledge)
    case .referral(let zone, let nameServers, let glue):
      mark(open, .referral, "to the servers of \(zone)", rtt, message)
      closeExchanges()
      // Where the servers known before proved useless, the zone has moved: the parent's word replaces even the zone's own, else
      // every walk would try the old ones first, until their TTL ends.
      let hasMoved = top.avoided.contains(zone)
      knowledge.cache.insert(nameServers, .additional, now: now, replaces: hasMoved)
      for set in Dictionary(grouping: glue, by: { CacheKey(name: $0.name, type: $0.type.rawValue) }).values {
        knowledge.cache.insert(set, .additional, now: now, replaces: hasMoved)
      }
      top.enter(referred(zone, nameServers, glue, moment, &knowledge))
    }
  }

  /// The zone a referral leads to, with the addresses it brought or, where it brought none, those known already.
  private func referred(
    _ zone: Name, _ nameServers: [ResourceRecord], _ glue: [ResourceRecord], _ moment: Moment,
    _ knowledge: inout Knowledge
  ) -> Delegation {
    let servers = nameServers.compactMap(\.nameServer).map { name in
      var addresses = glue.filter { $0.name == name }.compactMap(\.address)
      if addresses.isEmpty { addresses = knowledge.cache.addresses(of: name, now: moment.world) }
      return Delegation.Server(name: name, addresses: reach(addresses, knowledge))
    }
    return Delegation(zone: zone, servers: servers, origin: .referral)
  }

  /// Caches aliases, each a record set of its own. The CNAME behind a DNAME isn't: it can be made again.
  private func keep(_ aliases: [ResourceRecord], _ best: Credibility, _ now: Int64, _ knowledge: inout Knowledge) {
    var isMade = false
    for (index, record) in aliases.enumerated() {
      if !isMade { knowledge.cache.insert([record], index == 0 ? best : .answer, now: now) }
      isMade = record.type == .dname
    }
  }

  /// The server answered what can't be used: it isn't asked this again.
  private mutating func giveUp(on server: SocketAddress, _ why: String) {
    top.tries[server] = WorkBudget.triesPerServer
    top.trouble = "\(server) says \(why)"
    top.state = .choose
  }

  mutating func silence(_ exchange: Int, _ moment: Moment, _ knowledge: inout Knowledge) {
    guard let open = top.exchanges[exchange], open.hopeful else { return }
    top.exchanges[exchange]?.hopeful = false
    knowledge.servers.timedOut(open.ask.server, now: moment.steady)
    mark(open, .timeout, nil, nil, nil)
    top.trouble = "\(open.ask.server) doesn't answer"
    top.state = .choose
  }

  mutating func broken(_ exchange: Int, _ why: Breakage, _ moment: Moment, _ knowledge: inout Knowledge) {
    guard let open = top.exchanges.removeValue(forKey: exchange) else { return }
    switch why {
    case .unreachable(let reason):
      knowledge.servers.timedOut(open.ask.server, now: moment.steady)
      mark(open, .unreachable, reason, nil, nil)
      top.trouble = "\(open.ask.server): \(reason)"
      top.state = .choose
    case .malformed(let reason):
      mark(open, .malformed, reason, nil, nil)
      giveUp(on: open.ask.server, reason)
    case .shortage(let reason):
      mark(open, .failed, reason, nil, nil)
      if top.exchanges.values.contains(where: \.hopeful) { return top.state = .waiting }
      abandon("this resolver can't ask now: \(reason)", isPassing: true, moment, &knowledge)
    }
  }

  /// Completes the trace's step of an exchange.
  private mutating func mark(
    _ exchange: Frame.Exchange, _ result: Step.Result, _ detail: String?, _ rtt: Duration?, _ response: Message?
  ) {
    guard let step = exchange.step else { return }
    steps[step].result = result
    steps[step].detail = detail
    steps[step].rtt = rtt
    steps[step].response = response
  }
}
