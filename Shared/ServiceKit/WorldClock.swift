public import EventLoop
import Glibc
import Synchronization

/// The time that protocols live by: TTLs, retries, leases, expiry and the stamps in letters.
///
/// It is the system's clock and an offset that in a lab may grow, so that three days pass in a moment. Deadlines of input and
/// output, logs and spans don't use it.
public final class WorldClock: Sendable {
  private struct Timer {
    var due: WorldTime
    var number: UInt64
    var loop: EventLoop
    var action: @Sendable () -> Void
  }

  private struct State {
    var timers: [UInt64: Timer] = [:]
    var order: [(due: WorldTime, number: UInt64)] = []
    var last: UInt64 = 0
    var alarm: TimerID?
    /// Whether timers are being fired now, one after the other, and who waits for the end of that.
    var isFiring = false
    var waiting: [CheckedContinuation<Void, Never>] = []
    /// The due of the timer fired last in this round, and the last timer that was set before it.
    var reached: (due: WorldTime, last: UInt64)?
  }

  private let offset: Atomic<Int64>
  /// Milliseconds of the system's clock.
  private let system: @Sendable () -> Int64
  private let loop: EventLoop
  private let state = Lock(State())
  /// The longest the alarm sleeps before it looks again, so that a change of the system's clock is noticed.
  private static let longestSleep: Int64 = 60_000

  /// - Parameters:
  ///   - offset: what the clock was ahead by before, in seconds.
  ///   - loop: where the clock watches its timers.
  public convenience init(offset: Int64 = 0, on loop: EventLoop) {
    self.init(offset: offset, on: loop) {
      var time = timespec()
      unsafe clock_gettime(CLOCK_REALTIME, &time)
      return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }
  }

  init(offset: Int64, on loop: EventLoop, system: @escaping @Sendable () -> Int64) {
    self.offset = Atomic(offset)
    self.loop = loop
    self.system = system
  }

  public var now: WorldTime { WorldTime(milliseconds: offsetSeconds * 1000 + system()) }

  /// What a reset sets the clock to.
  public var systemTime: WorldTime { WorldTime(milliseconds: system()) }

  /// Seconds ahead of the system's clock.
  public var offsetSeconds: Int64 { offset.load(ordering: .relaxed) }

  /// Names a timer of the clock, so that it can be cancelled.
  public struct Alarm: Hashable, Sendable { let number: UInt64 }

  /// Calls `action` on `loop` when the world's time reaches `due`: at once if it has. From any thread.
  @discardableResult
  public func at(_ due: WorldTime, on loop: EventLoop, _ action: @escaping @Sendable () -> Void) -> Alarm {
    let number = state.withLock { state in
      state.last += 1
      state.timers[state.last] = Timer(due: due, number: state.last, loop: loop, action: action)
      let position = state.order.partitioningIndex { ($0.due, $0.number) > (due, state.last) }
      state.order.insert((due, state.last), at: position)
      return state.last
    }
    watch()
    return Alarm(number: number)
  }

  /// As `at`, so long from now.
  @discardableResult
  public func after(_ delay: Duration, on loop: EventLoop, _ action: @escaping @Sendable () -> Void) -> Alarm {
    at(now + delay, on: loop, action)
  }

  public func cancel(_ alarm: Alarm) {
    state.withLock { state in
      guard let timer = state.timers.removeValue(forKey: alarm.number) else { return }
      state.order.removeAll { $0.number == timer.number }
    }
  }

  /// Moves the clock so that it is this many seconds ahead. The offset only grows; false, and nothing done, where it would not.
  ///
  /// Returns when every timer that became due has been called on its loop, in the order of their dues; one that a timer sets
  /// again on the way, for a moment within the jump, is called in its turn.
  public func advance(to seconds: Int64) async -> Bool {
    guard grow(to: seconds) else { return false }
    await fireDue()
    return true
  }

  /// The first half of `advance`; the second is `fireDue`.
  func grow(to seconds: Int64) -> Bool {
    state.withLock { _ in
      guard seconds >= offsetSeconds else { return false }
      offset.store(seconds, ordering: .relaxed)
      return true
    }
  }

  /// Back to the system's time: only a lab's reset does this.
  public func reset() {
    offset.store(0, ordering: .relaxed)
    watch()
  }

  /// Fires what is due; returns when all of it has been. One round at a time: a second caller waits for the end of the first,
  /// which looks at the clock anew before each timer.
  func fireDue() async {
    await withCheckedContinuation { continuation in
      let isFirst = state.withLock { state in
        state.waiting.append(continuation)
        defer { state.isFiring = true }
        return !state.isFiring
      }
      if isFirst { loop.spawn { await self.fireAll() } }
    }
  }

  private func fireAll() async {
    while let timer = takeDue() {
      // One after the other, also across loops: the order of dues is the order of effects.
      await withCheckedContinuation { continuation in
        timer.loop.submit {
          timer.action()
          continuation.resume()
        }
      }
    }
    watch()
  }

  /// The first timer that is due; nil, and those who wait are told, when there is none left.
  private func takeDue() -> Timer? {
    let (timer, told): (Timer?, [CheckedContinuation<Void, Never>]) = state.withLock { state in
      // What was set on the way for a moment that this round has passed is left to the alarm: a timer that always sets itself
      // again for the past would keep the round from ending.
      let reached = state.reached
      // Read behind the lock that a jump takes: who waits here has jumped, and must not be told by a clock of before.
      let now = now
      let index = state.order.firstIndex { entry in
        guard let reached else { return true }
        return entry.number <= reached.last || entry.due > reached.due
      }
      guard let index, state.order[index].due <= now,
        let timer = state.timers.removeValue(forKey: state.order[index].number)
      else {
        state.isFiring = false
        state.reached = nil
        defer { state.waiting = [] }
        return (nil, state.waiting)
      }
      state.order.remove(at: index)
      state.reached = (timer.due, reached?.last ?? state.last)
      return (timer, [])
    }
    for one in told { one.resume() }
    return timer
  }

  /// Sets the monotonic alarm for the next timer.
  private func watch() {
    loop.submit { [self] in
      let next = state.withLock { $0.order.first?.due }
      guard let next else { return }
      let now = now
      let delay = min(max(0, next.milliseconds - now.milliseconds), Self.longestSleep)
      let old = state.withLock { state in
        defer { state.alarm = nil }
        return state.alarm
      }
      if let old { loop.cancel(old) }
      let alarm = loop.after(.milliseconds(delay)) { [self] in loop.spawn { await self.fireDue() } }
      state.withLock { $0.alarm = alarm }
    }
  }
}

extension Array {
  /// The first index at which `isAfter` holds, in an array where it holds from there on.
  func partitioningIndex(where isAfter: (Element) -> Bool) -> Int {
    var low = 0
    var high = count
    while low < high {
      let middle = (low + high) / 2
      if isAfter(self[middle]) { high = middle } else { low = middle + 1 }
    }
    return low
  }
}
