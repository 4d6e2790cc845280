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
  /// Domains that are served at the same time, as long as their hosts answer.
  var parallel = 20
  /// Domains whose hosts let us wait, beside those.
  var slow = 500
  /// Without a letter handed over for so long, a host is slow.
  var slowAfter = Duration.seconds(10)
  /// Recipients taken up at once for a domain.
  var batch = 500
  /// Recipients in one transaction (RFC 5321 §4.5.3.1.8: every server takes a hundred).
  var recipients = 100
  /// Addresses of a domain's hosts that are tried in one pass.
  var addresses = 50
  /// Octets of memory for the letters that are being handed over.
  var room = 268_435_456
  /// Seconds until a letter that found no room has its turn again.
  var roomPause: Int64 = 60
  var patience = SMTPPatience()
  /// Before what could not be recorded is recorded again.
  var pause = Duration.seconds(5)
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
  var room: RelayRoom
  /// For each domain that is served: when it fires, the domain's host is slow.
  private var timers: [String: TimerID] = [:]
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
    slots = RelaySlots(quick: settings.parallel, slow: settings.slow)
    room = RelayRoom(limit: settings.room)
  }

  /// Begins to work, with what a former run left behind.
  func start() {
    subscription = store.feed.subscribe { [weak self] change in
      guard case .queue = change, let self else { return }
      self.loop.submit { self.assumeIsolated { $0.wake() } }
    }
    wake()
  }

  /// Takes up no more; returns when the transactions that run are over or the time is up.
  func stop(within limit: Duration) async {
    isStopping = true
    if let subscription { store.feed.unsubscribe(subscription) }
    let deadline = Instant.current + limit
    while !slots.isEmpty && Instant.current < deadline { await loop.sleep(for: .milliseconds(20)) }
  }

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
        let due = try await store.due(domain, limit: settings.batch)
        if due.isEmpty { break }
        var run = DeliveryRun(domain: domain, parcels: Parcel.group(due, limit: settings.recipients))
        try await deliver(&run)
      }
    } catch {
      // Nothing was written down, so it stays due; a pause keeps this from spinning.
      log.error("a delivery could not be recorded", metadata: ["domain": "\(domain)", "reason": "\(error)"])
      await loop.sleep(for: settings.pause)
    }
    if let timer = timers.removeValue(forKey: domain) { loop.cancel(timer) }
    slots.leave(domain)
    wake()
  }

  /// The domain gets on; from now on it is seen whether it still does.
  func watch(_ domain: String) {
    slots.takeBack(domain)
    if let timer = timers[domain] { loop.cancel(timer) }
    timers[domain] = loop.after(settings.slowAfter) { [weak self] in
      self?.assumeIsolated { if $0.slots.setAside(domain) { $0.wake() } }
    }
  }
}
