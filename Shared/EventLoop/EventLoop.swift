import CLinux
import Glibc
import Synchronization

/// What a descriptor is ready for.
public struct Readiness: OptionSet, Sendable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }

  public static let read = Readiness(rawValue: CLINUX_EPOLLIN)
  public static let write = Readiness(rawValue: CLINUX_EPOLLOUT)
  /// Both directions are over, or the socket has an error: reported whether asked for or not.
  public static let hangUp = Readiness(rawValue: CLINUX_EPOLLHUP | CLINUX_EPOLLERR)
}

/// Who is told when a descriptor becomes ready. The call comes on the loop's thread; an actor of the loop enters by `assumeIsolated`.
public protocol Selectable: AnyObject, Sendable {
  func ready(_ readiness: Readiness)
}

/// One thread's epoll with its timers and jobs; the executor of every actor that lives on it.
///
/// A turn is: jobs, output, wait, events, timers. Everything marked "on the loop" may be called only by code that runs on its thread.
@safe public final class EventLoop: SerialExecutor, TaskExecutor, @unchecked Sendable {
  private struct Slot {
    var generation: UInt32 = 0
    var owner: (any Selectable)?
  }

  private struct Inbox {
    var jobs: [UnownedJob] = []
    var work: [@Sendable () -> Void] = []
    var isWoken = false
  }

  /// Where this loop's connections and datagrams may go.
  public let egress: EgressPolicy
  private let epoll: Int32
  private let wakeUp: Int32
  private let thread = Atomic<UInt>(0)
  private let isStopping = Atomic<Bool>(false)
  private let turnCount = Atomic<Int>(0)
  private let inbox = Lock(Inbox())

  // On the loop.
  private var slots: [Slot] = []
  private var timers = TimerQueue()
  private var jobs: [UnownedJob] = []
  private var unflushed: [TCPStream] = []
  private var clock = Instant.current
  private let events: UnsafeMutablePointer<clinux_event>
  private var spareBuffers: [[UInt8]] = []
  private static let eventsPerTurn = 256
  /// Jobs that enqueue jobs may do so this often before events are looked at again.
  private static let jobRounds = 64

  /// Where every stream of the loop reads to: an idle connection costs no buffer.
  let readBuffer: UnsafeMutableRawBufferPointer
  /// Batches of datagrams live here for the length of a call.
  lazy var datagrams = DatagramBatch()

  public init(egress: EgressPolicy = .unrestricted) throws(IOError) {
    self.egress = egress
    epoll = try checked("epoll_create1") { clinux_epoll_create() }
    wakeUp = try checked("eventfd") { clinux_eventfd() }
    unsafe events = .allocate(capacity: Self.eventsPerTurn)
    unsafe readBuffer = .allocate(byteCount: 65_536, alignment: 16)
    guard clinux_epoll_ctl(epoll, CLINUX_EPOLL_CTL_ADD, wakeUp, CLINUX_EPOLLIN, .max) == 0 else {
      throw .system(call: "epoll_ctl", errno: errno)
    }
  }

  deinit {
    close(epoll)
    close(wakeUp)
    unsafe events.deallocate()
    unsafe readBuffer.deallocate()
  }

  /// A loop running on a thread of its own.
  public static func start(name: String, egress: EgressPolicy = .unrestricted) throws(IOError) -> EventLoop {
    let loop = try EventLoop(egress: egress)
    try SystemThread.spawn(name: name) { loop.run() }
    return loop
  }

  // MARK: From any thread

  /// Whether the caller runs on this loop's thread.
  public var isCurrent: Bool { thread.load(ordering: .relaxed) == UInt(pthread_self()) }

  /// Turns made since the start: a loop that has nothing to do makes none.
  public var turns: Int { turnCount.load(ordering: .relaxed) }

  /// Runs `work` on the loop, in the order of submission.
  public func submit(_ work: @escaping @Sendable () -> Void) {
    post { $0.work.append(work) }
  }

  /// Starts asynchronous work that stays on this loop.
  public func spawn(_ work: @escaping @Sendable () async -> Void) {
    Task(executorPreference: self) { await work() }
  }

  /// Ends `run` after the turn under way.
  public func stop() {
    isStopping.store(true, ordering: .releasing)
    post { _ in }
  }

  private func post(_ change: (inout Inbox) -> Void) {
    let mustWake = inbox.withLock { inbox in
      change(&inbox)
      defer { inbox.isWoken = true }
      return !inbox.isWoken
    }
    guard mustWake else { return }
    var one: UInt64 = 1
    _ = retrying { unsafe write(wakeUp, &one, 8) }
  }

  // MARK: Executor

  public func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    if isCurrent {
      jobs.append(job)
    } else {
      post { $0.jobs.append(job) }
    }
  }

  public func checkIsolated() {
    precondition(isCurrent, "this must run on its event loop")
  }

  public func isIsolatingCurrentContext() -> Bool? { isCurrent }

  // MARK: On the loop

  /// The time at the start of this turn.
  public var now: Instant { clock }

  /// Calls `work` once the delay has passed.
  @discardableResult
  public func after(_ delay: Duration, _ work: @escaping @Sendable () -> Void) -> TimerID {
    timers.add(at: Instant.current + delay, work)
  }

  public func cancel(_ timer: TimerID) { timers.cancel(timer) }

  /// Suspends the caller for this long, or until its task is cancelled: who sleeps in a loop looks at `Task.isCancelled` as well.
  public func sleep(for delay: Duration) async {
    await Suspension<Void>(on: self).value(within: delay, late: (), cancelled: ())
  }

  /// At once where the caller is on the loop, else soon.
  func onLoop(_ work: @escaping @Sendable () -> Void) {
    if isCurrent { work() } else { submit(work) }
  }

  /// Tells `owner` of the descriptor's readiness from now on.
  func register(_ descriptor: Int32, _ interest: Readiness, _ owner: any Selectable) throws(IOError) {
    let index = Int(descriptor)
    while slots.count <= index { slots.append(Slot()) }
    let generation = slots[index].generation &+ 1
    let data = UInt64(generation) << 32 | UInt64(UInt32(bitPattern: descriptor))
    _ = try checked("epoll_ctl") { clinux_epoll_ctl(epoll, CLINUX_EPOLL_CTL_ADD, descriptor, interest.rawValue, data) }
    slots[index] = Slot(generation: generation, owner: owner)
  }

  func modify(_ descriptor: Int32, _ interest: Readiness) {
    let index = Int(descriptor)
    guard index < slots.count, slots[index].owner != nil else { return }
    let data = UInt64(slots[index].generation) << 32 | UInt64(UInt32(bitPattern: descriptor))
    _ = retrying { clinux_epoll_ctl(epoll, CLINUX_EPOLL_CTL_MOD, descriptor, interest.rawValue, data) }
  }

  /// Forgets the owner; an event already fetched for it finds a later generation and is dropped.
  /// - Parameter isClosing: it is closed next, which takes it out of epoll's set: nobody has a duplicate of it (epoll(7), question 6).
  func deregister(_ descriptor: Int32, isClosing: Bool = false) {
    let index = Int(descriptor)
    guard index < slots.count, slots[index].owner != nil else { return }
    slots[index].owner = nil
    slots[index].generation &+= 1
    if !isClosing { _ = retrying { clinux_epoll_ctl(epoll, CLINUX_EPOLL_CTL_DEL, descriptor, 0, 0) } }
  }

  /// Hears nothing of the descriptor for a tenth of a second: after an error that asking again at once would only repeat.
  func rest(_ descriptor: Int32, then interest: Readiness) {
    let index = Int(descriptor)
    guard index < slots.count, slots[index].owner != nil else { return }
    let generation = slots[index].generation
    modify(descriptor, [])
    after(.milliseconds(100)) { [weak self] in
      guard let self, slots[index].generation == generation else { return }
      modify(descriptor, interest)
    }
  }

  /// A buffer for output: lent for as long as octets wait in it, so that an idle connection has none.
  func takeBuffer() -> [UInt8] { spareBuffers.popLast() ?? [] }

  func giveBack(_ buffer: consuming [UInt8]) {
    guard spareBuffers.count < 64, buffer.capacity <= OutputQueue.coalesced * 2 else { return }
    buffer.removeAll(keepingCapacity: true)
    spareBuffers.append(buffer)
  }

  /// The stream has output: it leaves at the end of the turn, whole.
  func flushLater(_ stream: TCPStream) { unflushed.append(stream) }

  /// Runs the loop on the calling thread until `stop`.
  public func run() {
    thread.store(UInt(pthread_self()), ordering: .relaxed)
    // `sendfile` has no flag against it, and a peer that has gone must not end the process.
    SignalWatcher.block([SIGPIPE])
    defer { thread.store(0, ordering: .relaxed) }
    while true {
      runJobs()
      flush()
      if isStopping.load(ordering: .acquiring) { break }
      let count = retrying {
        unsafe clinux_epoll_wait(epoll, events, Int32(Self.eventsPerTurn), waitTime())
      }
      clock = .current
      turnCount.store(turnCount.load(ordering: .relaxed) &+ 1, ordering: .relaxed)
      for index in 0..<max(0, Int(count)) { dispatch(at: index) }
      while let action = timers.popDue(clock) { action() }
    }
  }

  private func dispatch(at position: Int) {
    let event = unsafe events + position
    let data = unsafe clinux_event_data(event)
    guard data != .max else { return collect() }
    let index = Int(UInt32(truncatingIfNeeded: data))
    guard index < slots.count, slots[index].generation == UInt32(data >> 32), let owner = slots[index].owner
    else { return }
    unsafe owner.ready(Readiness(rawValue: clinux_event_mask(event)))
  }

  /// Takes what other threads have left.
  private func collect() {
    var count: UInt64 = 0
    _ = retrying { unsafe read(wakeUp, &count, 8) }
    let taken = inbox.withLock { inbox in
      defer { inbox = Inbox() }
      return inbox
    }
    jobs.append(contentsOf: taken.jobs)
    for work in taken.work { work() }
  }

  private func runJobs() {
    var rounds = 0
    while !jobs.isEmpty, rounds < Self.jobRounds {
      rounds += 1
      var batch: [UnownedJob] = []
      swap(&batch, &jobs)
      for job in batch {
        unsafe job.runSynchronously(
          isolatedTo: asUnownedSerialExecutor(), taskExecutor: asUnownedTaskExecutor())
      }
    }
  }

  private func flush() {
    guard !unflushed.isEmpty else { return }
    var batch: [TCPStream] = []
    swap(&batch, &unflushed)
    for stream in batch { stream.flushAtEndOfTurn() }
    batch.removeAll(keepingCapacity: true)
    if unflushed.isEmpty { swap(&batch, &unflushed) }
  }

  /// Milliseconds until the next timer, rounded up so that the loop does not spin before it.
  private func waitTime() -> Int32 {
    if !jobs.isEmpty || !unflushed.isEmpty { return 0 }
    guard let next = timers.next() else { return -1 }
    let now = Instant.current
    guard next > now else { return 0 }
    return Int32(clamping: (next.nanoseconds - now.nanoseconds + 999_999) / 1_000_000)
  }
}
