import EventLoop
import Logging
import MailWire
import Octets
import ServiceKit

/// How one domain's letters are handed over.
extension Relay {
  /// Tries every host of the domain, and of each every address, until all letters are decided; what is left is put off.
  func deliver(_ run: inout DeliveryRun) async throws {
    let route = await route(&run)
    switch route {
    case .refused(let status, let text):
      return try await decideAll(&run, DeliveryVerdict(.refused, status, text))
    case .deferred(let status, let text):
      return try await decideAll(&run, DeliveryVerdict(.deferred, status, text))
    case .address(let address):
      run.host = run.domain
      try await visit(address, &run)
    case .hosts(let hosts):
      for host in hosts where !run.parcels.isEmpty {
        run.host = host
        switch await names.addresses(host) {
        case .records(let addresses) where !addresses.isEmpty:
          for address in addresses where !run.parcels.isEmpty { try await visit(address, &run) }
        case .records, .noSuchName:
          note(&run, DeliveryVerdict(.deferred, EnhancedStatus(4, 4, 4), "\(host) has no address"))
        case .failed(let reason):
          note(
            &run, DeliveryVerdict(.deferred, EnhancedStatus(4, 4, 3), "\(host) can't be looked up: \(reason)"))
        }
      }
    }
    let unreachable = DeliveryVerdict(.deferred, EnhancedStatus(4, 4, 1), "no host of \(run.domain) could be reached")
    try await decideAll(&run, run.lastFailure ?? unreachable)
  }

  private func note(_ run: inout DeliveryRun, _ failure: DeliveryVerdict) {
    run.remarks.append("* \(failure.text)")
    // As long as one host may still take it, the letter is not lost.
    if failure.kind == .deferred || run.lastFailure == nil { run.lastFailure = failure }
  }

  private func route(_ run: inout DeliveryRun) async -> MailRoute {
    if let literal = MailAddress(local: "postmaster", domain: run.domain)?.literal { return .address(literal) }
    let answer = await names.exchangers(run.domain)
    if case .records(let records) = answer {
      let list = records.map { "\($0.preference) \($0.host.isEmpty ? "." : $0.host)" }.joined(separator: ", ")
      run.remarks.append(
        records.isEmpty ? "* \(run.domain) has no MX: the domain itself is the host" : "* MX of \(run.domain): \(list)")
    }
    return MailRoute.choose(domain: run.domain, answer: answer, own: store.settings.hostname, using: &random)
  }

  /// Connects to one address and hands over letter after letter.
  private func visit(_ address: IPAddress, _ run: inout DeliveryRun) async throws {
    let target = SocketAddress(ip: address, port: settings.port)
    run.address = "\(target)"
    guard !settings.own.contains(target) else {
      return note(
        &run,
        DeliveryVerdict(
          .refused, EnhancedStatus(5, 4, 6), "\(run.host) is this host, which does not serve \(run.domain)"))
    }
    let connection: TCPConnection
    do throws(IOError) {
      connection = try await TCPConnection.connect(
        to: target, from: settings.source.flatMap { $0.isV4 == address.isV4 ? $0 : nil }, on: loop,
        timeout: settings.connectTimeout)
    } catch {
      return note(
        &run,
        DeliveryVerdict(.deferred, EnhancedStatus(4, 4, 1), "connecting to \(run.host) at \(target): \(error)"))
    }
    var session = SMTPClientSession(hostname: store.settings.hostname)
    session.remark("connected to \(run.host) at \(target)")
    await advance(&session, connection) { $0.phase == .ready }
    while session.phase == .ready, let parcel = run.parcels.first {
      guard let consignment = try await consignment(parcel) else {
        // Deleted while it waited.
        run.parcels.removeFirst()
        continue
      }
      session.begin(consignment)
      await advance(&session, connection) { $0.phase != .transaction }
      guard let verdicts = session.takeVerdicts() else { break }
      run.remarks += session.takeDialogue()
      if let failure = session.failure, verdicts.allSatisfy({ $0 == failure }) {
        // Nobody decided about this letter: the next address may.
        run.lastFailure = failure
        break
      }
      run.parcels.removeFirst()
      try await record(parcel, verdicts, consignment.content, &run)
    }
    run.remarks += session.takeDialogue()
    if let failure = session.failure { run.lastFailure = failure }
    session.quit()
    await advance(&session, connection, patience: .seconds(5)) { $0.phase == .closed }
    await connection.close()
  }

  /// Lets the session talk until it is where the caller wants it, or over.
  private func advance(
    _ session: inout SMTPClientSession, _ connection: TCPConnection, patience: Duration? = nil,
    until isThere: (SMTPClientSession) -> Bool
  ) async {
    do throws(IOError) {
      while true {
        let output = session.takeOutput()
        if !output.isEmpty { try await connection.write(output, timeout: settings.replyTimeout) }
        if isThere(session) || session.phase == .closed { return }
        let octets = try await connection.read(timeout: patience ?? settings.replyTimeout)
        if octets.isEmpty { return session.disconnected("the other side closed the connection") }
        session.receive(octets)
      }
    } catch {
      session.disconnected("the connection broke: \(error)")
    }
  }

  private func consignment(_ parcel: Parcel) async throws -> Consignment? {
    guard let first = parcel.recipients.first, let content = try await store.content(of: first.body) else { return nil }
    return Consignment(
      sender: first.sender.isEmpty ? nil : MailAddress(first.sender),
      recipients: parcel.recipients.compactMap { MailAddress($0.address) }, content: content, utf8: first.utf8)
  }

  /// The same verdict for all that is left.
  private func decideAll(_ run: inout DeliveryRun, _ verdict: DeliveryVerdict) async throws {
    if run.remarks.last != "* \(verdict.text)" && !verdict.remote { run.remarks.append("* \(verdict.text)") }
    let remarks = run.remarks
    for parcel in run.parcels {
      run.remarks = remarks
      let content = try await store.content(of: parcel.recipients[0].body) ?? []
      try await record(parcel, Array(repeating: verdict, count: parcel.recipients.count), content, &run)
    }
    run.parcels = []
  }

  /// Writes down what became of a letter, with the report to its sender if one is due.
  private func record(
    _ parcel: Parcel, _ verdicts: [DeliveryVerdict], _ content: [UInt8], _ run: inout DeliveryRun
  ) async throws {
    let now = store.now()
    var outcomes: [AttemptResult.Outcome] = []
    var failures: [DeliveryReport.Recipient] = []
    for (recipient, verdict) in zip(parcel.recipients, verdicts) {
      var outcome = AttemptResult.Outcome(
        recipient: recipient, state: .delivered, nextAttempt: nil, reply: verdict.text)
      // What the other host said goes into the report by itself; here only what this host adds.
      var reason = verdict.remote ? nil : verdict.text
      switch verdict.kind {
      case .delivered: counters.relayed.add()
      case .refused: outcome.state = .failed
      case .deferred:
        outcome.nextAttempt = RetrySchedule.next(
          after: recipient.attempts + 1, now: now, expires: recipient.expiresAt, using: &random)
        outcome.state = outcome.nextAttempt == nil ? .failed : .waiting
        reason = "given up after \(recipient.attempts + 1) tries: \(verdict.text)"
      }
      if outcome.state == .waiting { counters.deferred.add() }
      if outcome.state == .failed { counters.bounced.add() }
      if outcome.state == .failed, let address = MailAddress(recipient.address) {
        var failure = DeliveryReport.Recipient(address, .failed, verdict.status)
        failure.remoteHost = verdict.remote ? run.host : nil
        failure.diagnostic = verdict.reply
        failure.reason = reason
        failure.lastAttempt = now
        failures.append(failure)
      }
      outcomes.append(outcome)
    }
    let summary = Dictionary(grouping: verdicts, by: \.text).map { text, same in
      verdicts.count == same.count ? text : "\(same.count) of \(verdicts.count): \(text)"
    }
    try await keep(
      AttemptResult(
        letter: parcel.letter, at: now, host: run.host, address: run.address,
        outcome: summary.sorted().joined(separator: "; "), dialogue: run.remarks, recipients: outcomes,
        report: report(parcel, failures, content, now)))
    run.remarks = ["* on the same connection to \(run.host)"]
  }

  /// Writes down what became of a letter, however long the disk stays full: what the other side has taken must not be sent again
  /// because we could not say so.
  private func keep(_ result: AttemptResult) async throws {
    while true {
      do {
        return try await store.record(result)
      } catch {
        if isStopping { throw error }
        log.error(
          "an attempt can't be recorded yet", metadata: ["letter": "\(result.letter)", "reason": "\(error)"])
        await loop.sleep(for: .seconds(5))
      }
    }
  }

  /// The report of RFC 3464; a letter from the null sender is itself one, and is never reported on.
  private func report(
    _ parcel: Parcel, _ failures: [DeliveryReport.Recipient], _ content: [UInt8], _ now: Int64
  ) -> Letter? {
    guard !failures.isEmpty, let text = parcel.recipients.first?.sender, let sender = MailAddress(text) else {
      return nil
    }
    let hostname = store.settings.hostname
    let id = MessageID.make(at: now, domain: hostname, using: &random)
    var report = DeliveryReport(
      reportingHost: hostname, to: sender, recipients: failures, original: content, date: now, messageID: id)
    report.arrival = parcel.recipients.first?.createdAt
    return Letter(sender: "", recipients: [text], content: report.encoded(using: &random))
  }
}
