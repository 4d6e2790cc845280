import Glibc

/// A bounded set of threads for work that blocks: files, scrypt, look-ups in the system's databases.
@safe public final class BlockingPool: @unchecked Sendable {
  private struct State {
    var queue: [@Sendable () -> Void] = []
    var threads = 0
    var idle = 0
    var isStopped = false
  }

  private let mutex: UnsafeMutablePointer<pthread_mutex_t>
  private let condition: UnsafeMutablePointer<pthread_cond_t>
  private var state = State()
  private let threadLimit: Int
  private let queueLimit: Int

  /// Threads are made as they are needed.
  public init(threads: Int = 4, queueLimit: Int = 1024) {
    threadLimit = threads
    self.queueLimit = queueLimit
    unsafe mutex = .allocate(capacity: 1)
    unsafe mutex.initialize(to: pthread_mutex_t())
    unsafe pthread_mutex_init(mutex, nil)
    unsafe condition = .allocate(capacity: 1)
    unsafe condition.initialize(to: pthread_cond_t())
    unsafe pthread_cond_init(condition, nil)
  }

  /// Lets the threads end once the queue is empty; a pool lives as long as its process or until this.
  public func stop() {
    unsafe pthread_mutex_lock(mutex)
    state.isStopped = true
    unsafe pthread_cond_broadcast(condition)
    unsafe pthread_mutex_unlock(mutex)
  }

  /// Runs `work` on a thread of the pool; the caller goes on where it was.
  ///
  /// - Throws: what `work` throws; `IOError.overloaded` when the queue is full, `IOError.closed` after `stop`.
  public func run<Value: Sendable>(_ work: @escaping @Sendable () throws -> Value) async throws -> Value {
    let result: Result<Value, any Error> = await withCheckedContinuation { continuation in
      do throws(IOError) {
        try enqueue { continuation.resume(returning: Result { try work() }) }
      } catch {
        continuation.resume(returning: .failure(error))
      }
    }
    return try result.get()
  }

  /// Runs `work` on a thread of the pool and waits for nothing. False when the queue is full or the pool was stopped.
  public func submit(_ work: @escaping @Sendable () -> Void) -> Bool {
    (try? enqueue(work)) != nil
  }

  private func enqueue(_ work: @escaping @Sendable () -> Void) throws(IOError) {
    unsafe pthread_mutex_lock(mutex)
    defer { unsafe pthread_mutex_unlock(mutex) }
    guard !state.isStopped else { throw .closed }
    guard state.queue.count < queueLimit else { throw .overloaded }
    state.queue.append(work)
    if state.idle >= state.queue.count {
      unsafe pthread_cond_signal(condition)
    } else if state.threads < threadLimit {
      state.threads += 1
      do throws(IOError) {
        try SystemThread.spawn(name: "blocking") { self.work() }
      } catch {
        state.threads -= 1
        if state.threads == 0 {
          state.queue.removeLast()
          throw .overloaded
        }
      }
    }
  }

  private func work() {
    unsafe pthread_mutex_lock(mutex)
    while true {
      if !state.queue.isEmpty {
        let next = state.queue.removeFirst()
        unsafe pthread_mutex_unlock(mutex)
        next()
        unsafe pthread_mutex_lock(mutex)
      } else if state.isStopped {
        break
      } else {
        state.idle += 1
        unsafe pthread_cond_wait(condition, mutex)
        state.idle -= 1
      }
    }
    state.threads -= 1
    unsafe pthread_mutex_unlock(mutex)
  }
}
