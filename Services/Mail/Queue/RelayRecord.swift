import EventLoop
import Logging
import MailWire
import ServiceKit

/// What became of letters is written down.
extension Relay {
  /// The end of a pass: what no host has decided about is put off, or given up. A letter that was asked about gets the answer it
  /// had, the others get what failed.
  func decideAll(_ run: inout DeliveryRun, _ failure: DeliveryRun.Failure) async throws {
    let verdict = failure.verdict
    if run.remarks.last != "* \(verdict.text)" && !verdict.remote { run.remarks.append("* \(verdict.text)") }
    var spared: [DueRecipient] = []
    for var parcel in run.parcels {
      parcel.dialogue.append(run.remarks)
      if let answer = parcel.answer {
        (run.host, run.address) = (answer.host, answer.address)
        try await record(parcel, answer.verdicts, content: nil, run)
      } else if run.hasServed, verdict.kind == .deferred, parcel.recipients.allSatisfy({ $0.expiresAt > store.now() }) {
        spared += parcel.recipients
      } else {
        (run.host, run.address) = (failure.host, failure.address)
        try await record(parcel, Array(repeating: verdict, count: parcel.recipients.count), content: nil, run)
      }
    }
    run.parcels = []
    // The host took others and then no more: these never had their turn, so it was no try of theirs.
    if !spared.isEmpty {
      let now = store.now()
      let next = RetrySchedule.next(after: 1, now: now, expires: spared.map(\.expiresAt).min() ?? now, using: &random)
      try await keep("a pause") { [store, spared] in try await store.postpone(spared, until: next ?? now) }
    }
  }

  /// Writes down what became of a letter, with the report to its sender if one is due.
  /// - Parameter content: nil where it is not at hand.
  func record(
    _ parcel: Parcel, _ verdicts: [DeliveryVerdict], content: [UInt8]?, _ run: DeliveryRun
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
    let result = AttemptResult(
      letter: parcel.letter, epoch: parcel.epoch, at: now, host: run.host, address: run.address,
      outcome: summary.sorted().joined(separator: "; ").cut(to: 4 * DeliveryVerdict.replyLimit),
      dialogue: parcel.dialogue.lines, recipients: outcomes,
      report: await report(parcel, failures, content, now))
    try await keep("letter \(parcel.letter)") { [store] in try await store.record(result) }
  }

  /// Writes something down, however long the disk stays full: what the other side has taken must not be sent again because we
  /// could not say so.
  func keep(_ what: String, _ write: @Sendable () async throws -> Void) async throws {
    while true {
      do {
        return try await write()
      } catch {
        if isStopping { throw error }
        log.error("an attempt can't be recorded yet", metadata: ["of": "\(what)", "reason": "\(error)"])
        await loop.sleep(for: settings.limits.pause)
      }
    }
  }

  /// Octets of a letter that are read for a report: it returns the header.
  private static let reportedOctets = 65_536

  private func report(
    _ parcel: Parcel, _ failures: [DeliveryReport.Recipient], _ content: [UInt8]?, _ now: Int64
  ) async -> Letter? {
    guard !failures.isEmpty, let first = parcel.recipients.first, !first.sender.isEmpty else { return nil }
    var original = content ?? []
    if content == nil {
      original = (try? await store.content(of: first.body, epoch: first.epoch, atMost: Relay.reportedOctets)) ?? []
    }
    return .report(
      failures, sender: first.sender, content: original, arrival: first.createdAt, host: store.settings.hostname,
      now: now, using: random)
  }
}
