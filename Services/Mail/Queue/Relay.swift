import EventLoop
import Logging
import MailWire
import Octets
import ServiceKit

/// What the relay is told.
struct RelaySettings: Sendable {
  /// The port of every other mail host: the same all over a world, since an MX record has none.
  var port: UInt16 = 25
  /// Where connections come from; nil leaves it to the system.
  var source: IPAddress?
  /// Where this very service listens: a route that leads there is a loop.
  var own: [SocketAddress] = []
  var limits = RelayLimits()
}

/// Hands letters on: it takes what is due from the store, domain by domain, and writes down what became of it.
actor Relay {
  nonisolated let loop: EventLoop
  nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe loop.asUnownedSerialExecutor() }
  let store: Store
  let settings: RelaySettings
  let names: NameLookup
  let log: Logger
  let counters: MailCounters
  /// Calls back on the loop when the world's clock has reached a time, in seconds since 1970.
  private let alarm: @Sendable (_ due: Int64, _ action: @escaping @Sendable () -> Void) -> Void
  var random: Chance

  private var slots: RelaySlots
  let room: LetterRoom
  /// For each domain that is served: when it fires, the domain's host is slow.
  private var timers: [String: TimerID] = [:]
  /// The connections that are open.
  var talks: [Int: RelayTalk] = [:]
  var lastTalk = 0
  /// Letters of an earlier epoch are nobody's any more.
  private var epoch: Int64 = 0
  private var isScanning = false
  private var scansAgain = false
  var isStopping = false
  private var nextAlarm: Int64?
  private var subscription: Int?

  init(
    store: Store, settings: RelaySettings, names: NameLookup, log: Logger, counters: MailCounters = MailCounters(),
    on loop: EventLoop,
    alarm: @escaping @Sendable (_ due: Int64, _ action: @escaping @Sendable () -> Void) -> Void
  ) {
    self.store = store
    self.settings = settings
    self.names = names
    self.log = log
    self.counters = counters
    self.loop = loop
    self.alarm = alarm
    random = store.settings.chance
    slots = RelaySlots(quick: settings.limits.parallel, slow: settings.limits.slow)
    room = LetterRoom(limit: settings.limits.room)
  }

  /// Begins to work, with what a former run left behind.
  func start() {
    subscription = store.feed.subscribe { [weak self] change in
      guard let self else { return }
      switch change {
      case .queue: self.loop.submit { self.assumeIsolated { $0.wake() } }
      case .reset(let epoch): self.loop.submit { self.assumeIsolated { $0.abandon(before: epoch) } }
      case .delivered, .changed, .deleted: break
      }
    }
    wake()
  }

  /// Takes up no more, and hangs up wherever a letter's last octet has not left: that letter's turn comes after the next start.
  /// Where it has, the answer decides whether the letter was taken: returns when all of those have come, or the time is up.
  func stop(within limit: Duration) async {
    isStopping = true
    if let subscription { store.feed.unsubscribe(subscription) }
    drop { !$0.isHandedOver }
    let deadline = Instant.current + limit
    while talks.contains(where: \.value.isHandedOver) && Instant.current < deadline {
      await loop.sleep(for: .milliseconds(20))
    }
  }

  /// The store was emptied: what is under way is of letters that are gone.
  private func abandon(before epoch: Int64) {
    self.epoch = max(epoch, self.epoch)
    drop { $0.epoch < epoch }
    wake()
  }

  /// Whether nothing more is to be done for what was read in this epoch.
  func isOver(_ epoch: Int64) -> Bool { isStopping || epoch < self.epoch }

  /// Something may be due.
  func wake() {
    guard !isStopping else { return }
    if isScanning {
      scansAgain = true
      return
    }
    isScanning = true
    loop.spawn { await self.scan() }
  }

  private func scan() async {
    repeat {
      scansAgain = false
      do {
        let time = store.now()
        let domains = try await store.dueDomains(at: time)
        for domain in domains where !isStopping && slots.enter(domain) {
          watch(domain)
          loop.spawn { await self.serve(domain) }
        }
        if let due = try await store.nextDue(after: time) { wakeAt(due) }
      } catch {
        log.error("the queue can't be read", metadata: ["reason": "\(error)"])
        wakeAt(store.now() + 60)
      }
    } while scansAgain
    isScanning = false
  }

  /// Sets the alarm, unless an earlier one is set.
  private func wakeAt(_ due: Int64) {
    guard due > store.now() else {
      // It became due during the scan.
      scansAgain = true
      return
    }
    guard nextAlarm.map({ due < $0 || $0 <= store.now() }) ?? true else { return }
    nextAlarm = due
    alarm(due) { [weak self] in self?.assumeIsolated { $0.wake() } }
  }

  /// Works off what is due for one domain.
  private func serve(_ domain: String) async {
    do {
      while !isStopping {
        let due = try await store.due(domain, limit: settings.limits.batch)
        if due.isEmpty { break }
        var run = DeliveryRun(domain: domain, parcels: Parcel.group(due, limit: settings.limits.recipients))
        try await deliver(&run)
      }
    } catch {
      // Nothing was written down, so it stays due; a pause keeps this from spinning.
      if isStopping { return }
      log.error("a delivery could not be recorded", metadata: ["domain": "\(domain)", "reason": "\(error)"])
      await loop.sleep(for: settings.limits.pause)
    }
    if let timer = timers.removeValue(forKey: domain) { loop.cancel(timer) }
    slots.leave(domain)
    wake()
  }

  /// The domain gets on; from now on it is seen whether it still does.
  func watch(_ domain: String) {
    slots.takeBack(domain)
    if let timer = timers[domain] { loop.cancel(timer) }
    timers[domain] = loop.after(settings.limits.slowAfter) { [weak self] in
      self?.assumeIsolated { if $0.slots.setAside(domain) { $0.wake() } }
    }
  }
}
