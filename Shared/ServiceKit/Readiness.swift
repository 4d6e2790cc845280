import EventLoop

/// Whether the service's checks pass, for `/readyz`. Anybody may ask and a check may write to the disk: so one round of
/// checks serves all who ask within a second, and nobody is kept waiting by one that hangs.
actor Readiness {
  nonisolated let loop: EventLoop
  nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe loop.asUnownedSerialExecutor() }
  private let checks: @Sendable () async -> String?
  private let lifetime: Duration
  private let patience: Duration
  private var verdict: String?
  private var validUntil = Instant(nanoseconds: 0)
  private var isChecking = false
  private var isLate = false
  private var timer: TimerID?
  private var waiting: [CheckedContinuation<String?, Never>] = []

  /// - Parameters:
  ///   - lifetime: how long a verdict is good for.
  ///   - patience: how long one who asks waits for the checks.
  ///   - checks: says why the service can't work; nil when it can.
  init(
    on loop: EventLoop, lifetime: Duration, patience: Duration = .seconds(2),
    checks: @escaping @Sendable () async -> String?
  ) {
    self.loop = loop
    self.lifetime = lifetime
    self.patience = patience
    self.checks = checks
  }

  /// Why the service can't work; nil when it can.
  func failure() async -> String? {
    if !isChecking {
      if Instant.current < validUntil { return verdict }
      begin()
    } else if isLate {
      return late
    }
    return await withCheckedContinuation { answer in
      // The checks may have ended meanwhile: a task of another loop may lose its turn on the way to here.
      if isChecking, !isLate {
        waiting.append(answer)
      } else {
        answer.resume(returning: isChecking ? late : verdict)
      }
    }
  }

  private var late: String { "the checks have not ended within \(patience)" }

  private func begin() {
    isChecking = true
    isLate = false
    loop.spawn { await self.end(await self.checks()) }
    timer = loop.after(patience) { [weak self] in self?.assumeIsolated { $0.giveUp() } }
  }

  private func end(_ verdict: String?) {
    isChecking = false
    if let timer { loop.cancel(timer) }
    self.verdict = verdict
    validUntil = Instant.current + lifetime
    tell(verdict)
  }

  private func giveUp() {
    isLate = true
    tell(late)
  }

  private func tell(_ verdict: String?) {
    var told: [CheckedContinuation<String?, Never>] = []
    swap(&told, &waiting)
    for one in told { one.resume(returning: verdict) }
  }
}
