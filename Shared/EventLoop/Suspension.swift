/// A caller that waits on a loop and is woken once: by what it waits for, by its deadline or because its task is cancelled.
///
/// It is touched on its loop alone.
public final class Suspension<Value: Sendable>: @unchecked Sendable {
  private let loop: EventLoop
  private var continuation: CheckedContinuation<Value, Never>?
  private var timer: TimerID?
  /// What it was woken with before it began to wait.
  private var early: Value?
  private let atEnd: @Sendable () -> Void

  /// - Parameter atEnd: done on the loop when the waiting is over, before the caller goes on.
  public init(on loop: EventLoop, atEnd: @escaping @Sendable () -> Void = {}) {
    self.loop = loop
    self.atEnd = atEnd
  }

  /// Waits for `wake`.
  /// - Parameters:
  ///   - late: the value once the time is over.
  ///   - cancelled: the value where the task is cancelled, before or meanwhile.
  ///   - begin: done on the loop when the waiting has begun.
  public func value(
    within time: Duration, late: Value, cancelled: Value, begin: @escaping @Sendable () -> Void = {}
  ) async -> Value {
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        loop.onLoop {
          if let early = self.early { return continuation.resume(returning: early) }
          self.continuation = continuation
          self.timer = self.loop.after(time) { self.wake(late) }
          begin()
        }
      }
    } onCancel: {
      // Never at once: a handler may run while the task itself is being changed.
      loop.submit { self.wake(cancelled) }
    }
  }

  /// Ends the waiting; later calls change nothing.
  public func wake(_ value: Value) {
    guard early == nil else { return }
    early = value
    if let timer { loop.cancel(timer) }
    atEnd()
    continuation?.resume(returning: value)
    continuation = nil
  }
}
