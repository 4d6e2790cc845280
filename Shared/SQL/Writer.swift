/// The one thread that writes. What waits when it comes round shares one transaction, and so one fsync.
final class Writer: Sendable {
  private struct State {
    var waiting: [any Operation] = []
    var statistics = Statistics()
    var isClosing = false
    var isClosed = false
  }

  private let monitor = Monitor(State())
  private let limits: Database.Limits

  /// Starts the thread, which opens the connection and brings the schema up to date before this returns.
  init(path: String, migrations: [Migration], limits: Database.Limits) throws(SQLError) {
    self.limits = limits
    let opened = Monitor<Result<Void, SQLError>?>(nil)
    try startThread { [self] in
      let room = Room(path: path + "-reserve", size: limits.reserve)
      let connection: Connection
      do throws(SQLError) {
        connection = try Writer.open(path, migrations, room)
      } catch {
        opened.change { $0 = .failure(error) }
        return
      }
      opened.change { $0 = .success(()) }
      run(on: connection, room)
    }
    try opened.wait { $0 }.get()
  }

  /// Opens the database, on the reserve of its last run where the disk is full: what is there can then be read and deleted.
  private static func open(_ path: String, _ migrations: [Migration], _ room: Room) throws(SQLError) -> Connection {
    while true {
      do throws(SQLError) {
        let connection = try Connection(path: path)
        try Migration.apply(migrations, to: connection)
        room.keepReserve()
        return connection
      } catch {
        guard error.kind == .full, room.release() else { throw error }
      }
    }
  }

  /// Queues an operation, or fails it at once when the queue is full or closed.
  func submit(_ operation: any Operation) {
    let refusal: SQLError? = monitor.change { state in
      if state.isClosing { return SQLError(.closed, "the database is closed") }
      if state.waiting.count >= limits.waiting {
        return SQLError(.overloaded, "\(limits.waiting) operations wait for the disk")
      }
      state.waiting.append(operation)
      return nil
    }
    if let refusal { operation.fail(refusal) }
  }

  var statistics: Statistics {
    monitor.look { state in
      var statistics = state.statistics
      statistics.waiting = state.waiting.count
      return statistics
    }
  }

  /// Takes nothing more, finishes what waits, moves the log into the database file. Blocks.
  func close() {
    monitor.change { $0.isClosing = true }
    monitor.wait { $0.isClosed ? true : nil }
  }

  /// `close` for a caller that can't wait.
  func beginClosing() {
    monitor.change { $0.isClosing = true }
  }

  // MARK: The thread

  private func run(on connection: Connection, _ room: Room) {
    while let group = nextGroup() {
      commit(group, on: connection, room)
    }
    // The next start would read the log as well: this only saves it the work.
    _ = try? connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    monitor.change { $0.isClosed = true }
  }

  private func nextGroup() -> [any Operation]? {
    monitor.wait { state in
      if state.waiting.isEmpty { return state.isClosing ? .some(nil) : nil }
      let group = Array(state.waiting.prefix(limits.group))
      state.waiting.removeFirst(group.count)
      return group
    }
  }

  /// Performs the group in one transaction and tells everyone after its commit. When SQLite throws the whole
  /// transaction away because of one operation (a full disk, say), that one fails and the others run again.
  private func commit(_ group: [any Operation], on connection: Connection, _ room: Room) {
    var group = group
    if !room.isThere(for: connection) {
      group = removals(of: group, SQLError(.full, "the disk is full; what is deleted makes room"))
    }
    while !group.isEmpty {
      do throws(SQLError) {
        try connection.run("BEGIN IMMEDIATE")
      } catch {
        count { $0.failedCommits += 1 }
        return group.forEach { $0.fail(error) }
      }
      if let (index, error) = performAll(group, on: connection) {
        rollBack(connection)
        count { $0.operations += 1 }
        if error.kind == .full, group[index].purpose == .removal {
          group = makeRoom(for: group, error, room)
        } else {
          if error.kind == .full { room.noteShortage() }
          group.remove(at: index).fail(error)
        }
        continue
      }
      do throws(SQLError) {
        try connection.run("COMMIT")
      } catch {
        rollBack(connection)
        count { $0.failedCommits += 1 }
        guard error.kind == .full else { return group.forEach { $0.fail(error) } }
        group = makeRoom(for: group, error, room)
        continue
      }
      count { statistics in
        statistics.commits += 1
        statistics.operations += group.count
      }
      if group.contains(where: { $0.purpose == .removal }) { room.regain(on: connection) }
      return group.forEach { $0.finish() }
    }
  }

  /// The transaction did not fit: its additions are told so, and its removals are left, on the reserve if they alone did
  /// not fit either.
  private func makeRoom(for group: [any Operation], _ error: SQLError, _ room: Room) -> [any Operation] {
    room.noteShortage()
    let left = removals(of: group, error)
    guard left.count == group.count, !room.release() else { return left }
    left.forEach { $0.fail(error) }
    return []
  }

  /// Fails the additions.
  private func removals(of group: [any Operation], _ error: SQLError) -> [any Operation] {
    for operation in group where operation.purpose == .addition { operation.fail(error) }
    return group.filter { $0.purpose == .removal }
  }

  /// Performs each operation in a savepoint of its own.
  /// - Returns: the operation that broke the transaction, if one did, or did not fit.
  private func performAll(_ group: [any Operation], on connection: Connection) -> (Int, SQLError)? {
    for (index, operation) in group.enumerated() {
      do throws(SQLError) {
        try connection.run("SAVEPOINT operation")
        let failure = operation.perform(on: connection)
        if connection.isAutocommit { return (index, connection.broken()) }
        if let failure {
          // Whether a full disk costs the statement or the transaction is SQLite's choice: here it is one case.
          if let failure = failure as? SQLError, failure.kind == .full { return (index, failure) }
          try connection.run("ROLLBACK TO operation")
        }
        try connection.run("RELEASE operation")
      } catch {
        return (index, error)
      }
    }
    return nil
  }

  private func rollBack(_ connection: Connection) {
    // Fails only where SQLite has already rolled back, which is what is wanted.
    if !connection.isAutocommit { _ = try? connection.run("ROLLBACK") }
  }

  private func count(_ body: (inout Statistics) -> Void) {
    monitor.change { body(&$0.statistics) }
  }
}

/// What the writer has done since the database was opened.
public struct Statistics: Sendable, Hashable {
  /// Transactions committed, each with one fsync.
  public var commits = 0
  /// Operations performed, the failed ones included.
  public var operations = 0
  /// Transactions that could not begin or commit; every operation in them failed.
  public var failedCommits = 0
  /// Operations waiting now.
  public var waiting = 0

  init() {}
}
