/// A bounded pool of threads that read, each with its own connection. They start as they are needed.
final class Readers: Sendable {
  private struct State {
    var waiting: [any Operation] = []
    var idle = 0
    var threads = 0
    var isClosing = false
  }

  private let monitor = Monitor(State())
  private let path: String
  private let limits: Database.Limits

  init(path: String, limits: Database.Limits) {
    self.path = path
    self.limits = limits
  }

  /// Queues a read, or fails it at once when the queue is full or closed.
  func submit(_ operation: any Operation) {
    enum Outcome {
      case queued
      case queuedForNewThread
      case refused(SQLError)
    }
    let outcome: Outcome = monitor.change { state in
      if state.isClosing { return .refused(SQLError(.closed, "the database is closed")) }
      if state.waiting.count >= limits.waiting {
        return .refused(SQLError(.overloaded, "\(limits.waiting) reads wait"))
      }
      state.waiting.append(operation)
      if state.idle >= state.waiting.count || state.threads >= limits.readers { return .queued }
      state.threads += 1
      return .queuedForNewThread
    }
    switch outcome {
    case .queued: break
    case .queuedForNewThread: startReader()
    case .refused(let error): operation.fail(error)
    }
  }

  /// Takes nothing more and waits until what was taken is done. Blocks.
  func close() {
    beginClosing()
    monitor.wait { $0.threads == 0 ? true : nil }
  }

  func beginClosing() {
    monitor.change { $0.isClosing = true }
  }

  // MARK: The threads

  private func startReader() {
    do throws(SQLError) {
      try startThread { [self] in
        do throws(SQLError) {
          // A connection that no longer begins or ends a transaction is of no use: the next read gets a new one.
          while !serve(on: try Connection(path: path, reading: true)) {}
          monitor.change { $0.threads -= 1 }
        } catch {
          lost(error)
        }
      }
    } catch {
      lost(error)
    }
  }

  /// Reads until the database closes.
  /// - Returns: false when the connection broke before.
  private func serve(on connection: Connection) -> Bool {
    while let operation = next() {
      do throws(SQLError) {
        // One snapshot for the whole closure, however many queries it makes.
        try connection.run("BEGIN")
      } catch {
        operation.fail(error)
        return false
      }
      _ = operation.perform(on: connection)
      // What was read is good, however the transaction ends.
      let isWell = connection.isAutocommit || (try? connection.run("ROLLBACK")) != nil
      operation.finish()
      if !isWell { return false }
    }
    return true
  }

  private func next() -> (any Operation)? {
    monitor.change { $0.idle += 1 }
    return monitor.wait { state in
      if state.waiting.isEmpty {
        guard state.isClosing else { return nil }
        state.idle -= 1
        return .some(nil)
      }
      state.idle -= 1
      return .some(state.waiting.removeFirst())
    }
  }

  /// A thread could not start, or has no connection. Where none is left, those who wait are told.
  private func lost(_ error: SQLError) {
    let abandoned: [any Operation] = monitor.change { state in
      state.threads -= 1
      guard state.threads == 0 else { return [] }
      defer { state.waiting = [] }
      return state.waiting
    }
    abandoned.forEach { $0.fail(error) }
  }
}
