import Glibc

/// A SQLite database with one writer and several readers, each on a thread of its own, so that nothing blocks the caller.
///
/// Durable means durable: the log is synced before any write returns (`synchronous = FULL`), once for all who wait.
/// The asynchronous calls resume on the caller's executor.
public final class Database: Sendable {
  /// The bounds of a database.
  public struct Limits: Sendable {
    /// Reader threads at most.
    public var readers = 2
    /// Operations that share a transaction at most.
    public var group = 512
    /// Operations that may wait, of each sort, before more are refused with `.overloaded`.
    public var waiting = 16_384
    /// Octets of disk kept back for removals, in a file beside the database. More than the log grows to: what it holds has to
    /// fit into the database file before its own room can be had back.
    public var reserve = 3 << 20

    public init() {}
  }

  /// Where the database file is.
  public let path: String
  private let writer: Writer
  private let readers: Readers

  /// Opens or creates the database and migrates it. Blocks: call it before the loops run, or in the pool.
  /// - Parameter path: a file in a directory that exists.
  /// - Throws: `.newer` when a newer program has migrated it, `.corrupt`, `.inputOutput`, `.full` or `.busy`.
  public init(path: String, migrations: [Migration], limits: Limits = Limits()) throws(SQLError) {
    self.path = path
    try Database.makePrivate(path)
    writer = try Writer(path: path, migrations: migrations, limits: limits)
    readers = Readers(path: path, limits: limits)
    try syncDirectory(of: path)
  }

  /// Only its owner may read the file, whatever the directory allows; what SQLite puts beside it gets the file's mode.
  private static func makePrivate(_ path: String) throws(SQLError) {
    // Only where it is new: to close a descriptor of a file gives up SQLite's locks on it (fcntl(2)).
    let descriptor = unsafe open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    if descriptor >= 0 {
      _ = Glibc.close(descriptor)
      return
    }
    for file in [path, path + "-wal", path + "-shm"] {
      guard unsafe chmod(file, 0o600) == 0 || errno == ENOENT else {
        throw SQLError(call: "chmod", path: file, errno: errno)
      }
    }
  }

  deinit {
    writer.beginClosing()
    readers.beginClosing()
  }

  // MARK: Writing

  /// Does `body` in a savepoint of the writer's next transaction and returns once that is durable.
  ///
  /// When `body` throws, nothing it did remains and its error is thrown here. `body` runs again when a neighbour in the
  /// same transaction broke it (a full disk), so it must touch nothing but its connection.
  /// - Throws: what `body` throws, or an `SQLError` when the transaction could not be committed.
  @discardableResult
  public func write<Value: Sendable>(
    _ body: @escaping @Sendable (Connection) throws -> Value
  ) async throws -> Value {
    try await write(.addition, body)
  }

  /// `write` with its purpose: a removal goes on where the disk is full.
  @discardableResult
  public func write<Value: Sendable>(
    _ purpose: Purpose, _ body: @escaping @Sendable (Connection) throws -> Value
  ) async throws -> Value {
    try await withCheckedThrowingContinuation { continuation in
      writer.submit(Work(purpose, body: body) { continuation.resume(with: $0) })
    }
  }

  /// `write` for a thread that may block, such as one that starts a service.
  @discardableResult
  public func writeAndWait<Value: Sendable>(_ body: @escaping @Sendable (Connection) throws -> Value) throws -> Value {
    let result = Monitor<Result<Value, any Error>?>(nil)
    writer.submit(Work(body: body) { outcome in result.change { $0 = outcome } })
    return try result.wait { $0 }.get()
  }

  /// `write` for callers without a task: `completion` is called on the writer's thread and must not block.
  public func write<Value: Sendable>(
    _ purpose: Purpose, _ body: @escaping @Sendable (Connection) throws -> Value,
    completion: @escaping @Sendable (Result<Value, any Error>) -> Void
  ) {
    writer.submit(Work(purpose, body: body, completion: completion))
  }

  // MARK: Reading

  /// Does `body` on a reader's connection. It sees one moment of the database, with all writes that have returned.
  /// - Throws: what `body` throws, or an `SQLError`.
  public func read<Value: Sendable>(_ body: @escaping @Sendable (Connection) throws -> Value) async throws -> Value {
    try await withCheckedThrowingContinuation { continuation in
      readers.submit(Work(body: body) { continuation.resume(with: $0) })
    }
  }

  /// `read` for a thread that may block, such as one that starts a service.
  public func readAndWait<Value: Sendable>(_ body: @escaping @Sendable (Connection) throws -> Value) throws -> Value {
    let result = Monitor<Result<Value, any Error>?>(nil)
    readers.submit(Work(body: body) { outcome in result.change { $0 = outcome } })
    return try result.wait { $0 }.get()
  }

  // MARK: Care

  /// Writes one page durably, to tell whether the disk takes writes. For `/readyz`.
  /// - Throws: `.full` also while additions are refused because there was no room.
  public func probe() async throws {
    try await write { connection in
      let version = try connection.integer("PRAGMA user_version")
      try connection.execute("PRAGMA user_version = \(version)")
    }
  }

  /// Copies the database, as it is at one moment, to a new file while reading and writing go on. The file appears
  /// under its name only when it is complete and synced.
  /// - Throws: `.inUse` when there is a file of that name already.
  public func backup(to destination: String) async throws {
    try await read { connection in try copy(connection, to: destination) }
  }

  /// What the writer has done so far.
  public var statistics: Statistics { writer.statistics }

  /// Takes no more work, finishes what waits and folds the log into the file. Blocks: call it in the pool.
  public func close() {
    readers.close()
    writer.close()
  }
}
