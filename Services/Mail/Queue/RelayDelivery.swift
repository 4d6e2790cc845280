import EventLoop
import Logging
import MailWire
import Octets

/// How one domain's letters are handed over.
extension Relay {
  /// Tries every host of the domain, and of each every address, until all letters are decided; what is left is put off.
  func deliver(_ run: inout DeliveryRun) async throws {
    try await refuseUnreadable(&run)
    let names = await names(for: run)
    let route = await route(&run, names)
    // A look-up that was cut short says nothing of the domain.
    if isOver(run.epoch) { return }
    switch route {
    case .refused(let status, let text):
      return try await decideAll(&run, DeliveryRun.Failure(verdict: DeliveryVerdict(.refused, status, text)))
    case .deferred(let status, let text):
      return try await decideAll(&run, DeliveryRun.Failure(verdict: DeliveryVerdict(.deferred, status, text)))
    case .address(let address):
      run.host = run.domain
      try await visit(address, &run)
    case .hosts(let hosts):
      for host in hosts where isOpen(run) {
        run.host = host
        run.address = ""
        switch await names.addresses(host) {
        case .records(let addresses) where !addresses.isEmpty:
          for address in addresses where isOpen(run) {
            try await visit(address, &run)
          }
        case .records, .noSuchName:
          // If that is so of all hosts, there is nothing to wait for (RFC 5321 §5.1).
          run.note(DeliveryVerdict(.refused, EnhancedStatus(5, 4, 4), "\(host) has no address"))
        case .failed(let reason):
          run.note(
            DeliveryVerdict(.deferred, EnhancedStatus(4, 4, 3), "\(host) can't be looked up: \(reason)"))
        }
      }
    }
    // What a stop leaves over was not tried, it is due at the next start; and what a reset leaves over is nothing.
    if isOver(run.epoch) { return }
    let unreachable = DeliveryVerdict(.deferred, EnhancedStatus(4, 4, 1), "no host of \(run.domain) could be reached")
    try await decideAll(&run, run.lastFailure ?? DeliveryRun.Failure(verdict: unreachable))
  }

  /// There is still something to hand over, and leave to try another address.
  private func isOpen(_ run: DeliveryRun) -> Bool {
    !run.parcels.isEmpty && run.tried.count < settings.limits.addresses && !isOver(run.epoch)
  }

  /// The look-ups of a pass belong to the trace of its first letter.
  private func names(for run: DeliveryRun) async -> NameLookup {
    guard store.settings.isTracing, let within = names.within, let first = run.parcels.first?.recipients.first,
      let head = try? await store.content(of: first.body, epoch: first.epoch, atMost: 65_536),
      let trace = FieldNames(head).trace
    else { return names }
    return within(trace)
  }

  private func route(_ run: inout DeliveryRun, _ names: NameLookup) async -> MailRoute {
    if let literal = MailAddress(local: "postmaster", domain: run.domain)?.literal { return .address(literal) }
    let answer = await names.exchangers(run.domain)
    if case .records(let records) = answer {
      let list = records.prefix(100).map { "\($0.preference) \($0.host.isEmpty ? "." : $0.host)" }
      run.remarks.append(
        records.isEmpty
          ? "* \(run.domain) has no MX: the domain itself is the host"
          : "* MX of \(run.domain): \(list.joined(separator: ", "))")
    }
    return MailRoute.choose(domain: run.domain, answer: answer, own: store.settings.hostname, using: &random)
  }

  /// Hands over letter after letter at one address, over as many connections as the host wants: some take a few letters and
  /// then close, or say 421. As long as each connection brings something, there is a next one.
  private func visit(_ address: IPAddress, _ run: inout DeliveryRun) async throws {
    let target = SocketAddress(ip: address, port: settings.port)
    run.address = "\(target)"
    guard run.tried.insert(address).inserted else {
      return run.remarks.append("* \(run.host) at \(target) was tried already")
    }
    guard !settings.own.contains(target) else {
      return run.note(
        DeliveryVerdict(
          .refused, EnhancedStatus(5, 4, 6), "\(run.host) is this host, which does not serve \(run.domain)"))
    }
    var next = 0
    var drops = 0
    while next < run.parcels.count, !isOver(run.epoch), drops < settings.limits.drops {
      switch try await converse(target, from: &next, &run) {
      case .served: drops = 0
      case .dropped: drops += 1
      case .useless: return
      }
    }
  }

  /// What came of a connection.
  private enum Conversation {
    /// The host answered about a letter, or about several.
    case served
    /// It took a letter up and then was gone. That may lie with the letter, so the next one gets its turn.
    case dropped
    case useless
  }

  /// One connection.
  /// - Parameter next: the place of the first parcel that this address was not asked about.
  private func converse(
    _ target: SocketAddress, from next: inout Int, _ run: inout DeliveryRun
  ) async throws -> Conversation {
    let connection: TCPConnection
    do throws(IOError) {
      connection = try await TCPConnection.connect(
        to: target, from: settings.source.flatMap { $0.isV4 == target.ip.isV4 ? $0 : nil }, on: loop,
        timeout: settings.limits.patience.connect)
    } catch {
      run.note(DeliveryVerdict(.deferred, EnhancedStatus(4, 4, 1), "connecting to \(run.host) at \(target): \(error)"))
      return .useless
    }
    var session = SMTPClientSession(hostname: store.settings.hostname)
    session.remark("connected to \(run.host) at \(target)")
    let talk = begin(connection, run.epoch)
    defer { talks[talk] = nil }
    await advance(&session, talk) { $0.phase == .ready }
    var result = Conversation.useless
    var isFirst = true
    while session.phase == .ready, next < run.parcels.count, !isOver(run.epoch) {
      // For its converted and its encoded form too.
      guard let lease = room.lease(3 * run.parcels[next].recipients[0].size) else {
        try await putAside(&next, &run)
        continue
      }
      defer { withExtendedLifetime(lease) {} }
      guard let content = try await content(of: next, &run) else { continue }
      run.remarks.append(isFirst ? session.takeDialogue() : Dialogue(["* on the same connection to \(run.host)"]))
      isFirst = false
      session.begin(consignment(run.parcels[next], content))
      await advance(&session, talk) { $0.phase != .transaction }
      guard talks[talk] != nil else { return .useless }
      guard let verdicts = session.takeVerdicts() else { break }
      run.parcels[next].dialogue.append(run.remarks)
      run.parcels[next].dialogue.append(session.takeDialogue())
      run.remarks = Dialogue()
      // Nobody decided about this letter: the next connection or address may.
      if session.failure != nil, !session.isOffered { break }
      if verdicts.contains(where: { ($0.remote || $0.kind != .deferred) && $0 != session.failure }) {
        result = .served
        run.hasServed = true
        watch(run.domain)
      } else if result == .useless {
        result = .dropped
      }
      try await take(verdicts, content, of: &next, &run)
      talks[talk]?.isHandedOver = false
    }
    guard talks[talk] != nil else { return .useless }
    run.remarks.append(session.takeDialogue())
    if let failure = session.failure { run.fail(failure) }
    session.quit()
    if !isStopping { await advance(&session, talk) { $0.phase == .closed } }
    await connection.close()
    return result
  }

  /// Lets the session talk until it is where the caller wants it, or over.
  private func advance(
    _ session: inout SMTPClientSession, _ talk: Int, until isThere: (SMTPClientSession) -> Bool
  ) async {
    guard let connection = talks[talk]?.connection else { return session.disconnected("this host has hung up") }
    // The time runs from the command, or from the reply before, to the end of the reply: each octet of it does not begin it anew.
    var replies = session.replies
    var deadline: Instant?
    while true {
      let output = session.takeOutput()
      if !output.isEmpty {
        deadline = nil
        do throws(IOError) {
          for start in stride(from: 0, to: output.count, by: Relay.blockSize) {
            try await connection.write(
              Array(output[start..<min(output.count, start + Relay.blockSize)]), timeout: settings.limits.patience.block
            )
          }
          talks[talk]?.isHandedOver = session.awaitsVerdict
        } catch {
          // A host that has heard enough says so before it closes.
          if let octets = try? await connection.read(timeout: .zero), !octets.isEmpty { session.receive(octets) }
          return session.disconnected("the connection broke: \(error)", hasLeft: false)
        }
      }
      if isThere(session) || session.phase == .closed { return }
      if session.replies != replies {
        replies = session.replies
        deadline = nil
      }
      let end = deadline ?? Instant.current + session.patience(settings.limits.patience)
      deadline = end
      do throws(IOError) {
        let left = end.since(.current)
        guard left > .zero else { throw .timedOut }
        let octets = try await connection.read(timeout: left)
        if octets.isEmpty { return session.disconnected("the other side closed the connection") }
        session.receive(octets)
      } catch {
        return session.disconnected("the connection broke: \(error)")
      }
    }
  }

  /// Octets that the other side has to take within `SMTPPatience.block`.
  private static let blockSize = 131_072

  private func consignment(_ parcel: Parcel, _ content: [UInt8]) -> Consignment {
    let first = parcel.recipients.first
    return Consignment(
      sender: first.flatMap { MailAddress($0.sender) },
      recipients: parcel.recipients.compactMap { MailAddress($0.address) },
      content: content, utf8: first?.utf8 == true)
  }

  /// An address that was taken once and can't be read now can't be asked about: it is decided here, so that a verdict is about
  /// the recipient in the same place.
  private func refuseUnreadable(_ run: inout DeliveryRun) async throws {
    for index in run.parcels.indices.reversed() {
      var unreadable = run.parcels[index]
      unreadable.recipients.removeAll { MailAddress($0.address) != nil }
      if unreadable.recipients.isEmpty { continue }
      run.parcels[index].recipients.removeAll { MailAddress($0.address) == nil }
      if run.parcels[index].recipients.isEmpty { run.parcels.remove(at: index) }
      let verdict = DeliveryVerdict(.refused, EnhancedStatus(5, 1, 3), "this is no address")
      unreadable.dialogue.append("* \(verdict.text)")
      try await record(
        unreadable, Array(repeating: verdict, count: unreadable.recipients.count), content: nil, run)
    }
  }

  /// There is no memory for a parcel now. It gets another turn soon, which is no try of its recipients; but what a host has
  /// answered already, or what has waited too long, is decided at the end of the pass.
  private func putAside(_ next: inout Int, _ run: inout DeliveryRun) async throws {
    let recipients = run.parcels[next].recipients
    let now = store.now()
    guard run.parcels[next].answer == nil, recipients.allSatisfy({ $0.expiresAt > now }) else {
      let verdict = DeliveryVerdict(.deferred, EnhancedStatus(4, 3, 1), "this host has no memory for the letter now")
      let answer = Parcel.Answer(host: "", address: "", verdicts: Array(repeating: verdict, count: recipients.count))
      run.parcels[next].answer = run.parcels[next].answer ?? answer
      next += 1
      return
    }
    run.parcels.remove(at: next)
    let time = now + settings.limits.roomPause
    try await keep("a pause") { [store] in try await store.postpone(recipients, until: time) }
  }

  /// The content of a parcel. Nil where there is none to be had: then that is decided, and the parcel is gone.
  private func content(of place: Int, _ run: inout DeliveryRun) async throws -> [UInt8]? {
    let verdict: DeliveryVerdict
    switch await store.outgoing(run.parcels[place].recipients[0]) {
    case .whole(let content): return content
    case .deleted:
      run.parcels.remove(at: place)
      return nil
    case .lost:
      verdict = DeliveryVerdict(.refused, EnhancedStatus(5, 3, 0), "this host has lost the content of the letter")
      log.error("the content of a letter is lost", metadata: ["letter": "\(run.parcels[place].letter)"])
    case .unreadable(let reason):
      verdict = DeliveryVerdict(.deferred, EnhancedStatus(4, 3, 0), "the letter can't be read here now: \(reason)")
    }
    var parcel = run.parcels.remove(at: place)
    parcel.dialogue.append("* \(verdict.text)")
    try await record(parcel, Array(repeating: verdict, count: parcel.recipients.count), content: [], run)
    return nil
  }

  /// Writes down what a host has decided, and keeps for the next one what it has put off.
  private func take(
    _ verdicts: [DeliveryVerdict], _ content: [UInt8], of next: inout Int, _ run: inout DeliveryRun
  ) async throws {
    var (decided, open) = (run.parcels[next], run.parcels[next])
    let pairs = zip(decided.recipients, verdicts)
    decided.recipients = pairs.filter { !$1.maySearchOn }.map(\.0)
    open.recipients = pairs.filter { $1.maySearchOn }.map(\.0)
    if !decided.recipients.isEmpty {
      try await record(decided, verdicts.filter { !$0.maySearchOn }, content: content, run)
    }
    if open.recipients.isEmpty {
      run.parcels.remove(at: next)
    } else {
      open.answer = Parcel.Answer(host: run.host, address: run.address, verdicts: verdicts.filter(\.maySearchOn))
      run.parcels[next] = open
      next += 1
    }
  }
}
