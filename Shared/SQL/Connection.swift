import CSQLite

/// One connection, lent to the closure of a read or a write and used by one thread only. In a write every statement is
/// part of that operation's savepoint: throw, and none of it happened. A closure must not commit or roll back itself.
@safe
public final class Connection {
  /// Prepared statements kept for the next use.
  private static let cacheLimit = 128

  private let handle: OpaquePointer
  private var cache: [String: OpaquePointer] = unsafe [:]
  /// The last error after which no transaction was open.
  private var lastFailure: SQLError?

  /// Opens the file, creating it if need be.
  init(path: String, reading: Bool = false) throws(SQLError) {
    var handle: OpaquePointer?
    let flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE
    let result = unsafe sqlite3_open_v2(path, &handle, flags, nil)
    guard result == SQLITE_OK, let opened = unsafe handle else {
      let error = SQLError(extendedCode: result, message: "\(path): \(Connection.words(result))", sql: nil)
      unsafe sqlite3_close_v2(handle)
      throw error
    }
    unsafe self.handle = opened
    unsafe sqlite3_busy_timeout(opened, 5_000)
    unsafe csqlite_harden(opened)
    // So that the pages of what was deleted can be given back to a full disk. Only a new file takes it.
    if !reading { try execute("PRAGMA auto_vacuum = INCREMENTAL") }
    try execute("PRAGMA journal_mode = WAL")
    try execute("PRAGMA synchronous = FULL")
    // Pages: 2 MiB of log. See `Database.Limits.reserve`.
    try execute("PRAGMA wal_autocheckpoint = 512")
    try execute("PRAGMA foreign_keys = ON")
    if reading { try execute("PRAGMA query_only = ON") }
  }

  deinit {
    for unsafe(_, statement) in unsafe cache { unsafe sqlite3_finalize(statement) }
    unsafe sqlite3_close_v2(handle)
  }

  // MARK: Running SQL

  /// Runs one statement that gives no rows.
  /// - Returns: how many rows it inserted, changed or deleted.
  @discardableResult
  public func run(_ sql: String, _ values: (any SQLBindable)?...) throws(SQLError) -> Int {
    try run(sql, values: values)
  }

  /// `run` with the values in an array.
  @discardableResult
  public func run(_ sql: String, values: [(any SQLBindable)?]) throws(SQLError) -> Int {
    let statement = try prepare(sql)
    try statement.bind(values)
    while try statement.step() {}
    return Int(unsafe sqlite3_changes64(handle))
  }

  /// Every row of a query, each made into a value by `transform`.
  public func all<Value>(
    _ sql: String, _ values: (any SQLBindable)?..., transform: (borrowing Row) throws -> Value
  ) throws -> [Value] {
    try all(sql, values: values, transform: transform)
  }

  /// `all` with the values in an array.
  public func all<Value>(
    _ sql: String, values: [(any SQLBindable)?], transform: (borrowing Row) throws -> Value
  ) throws -> [Value] {
    let statement = try prepare(sql)
    try statement.bind(values)
    var result: [Value] = []
    while try statement.step() { result.append(try transform(statement.row())) }
    return result
  }

  /// The first row of a query, or nil when there is none.
  public func first<Value>(
    _ sql: String, _ values: (any SQLBindable)?..., transform: (borrowing Row) throws -> Value
  ) throws -> Value? {
    try first(sql, values: values, transform: transform)
  }

  /// `first` with the values in an array.
  public func first<Value>(
    _ sql: String, values: [(any SQLBindable)?], transform: (borrowing Row) throws -> Value
  ) throws -> Value? {
    let statement = try prepare(sql)
    try statement.bind(values)
    return try statement.step() ? try transform(statement.row()) : nil
  }

  /// Whether the query has a row.
  public func exists(_ sql: String, _ values: (any SQLBindable)?...) throws(SQLError) -> Bool {
    let statement = try prepare(sql)
    try statement.bind(values)
    return try statement.step()
  }

  /// Runs a script of statements without values, one after another, such as a migration.
  public func execute(_ script: String) throws(SQLError) {
    let result = unsafe sqlite3_exec(handle, script, nil, nil, nil)
    guard result == SQLITE_OK else { throw error(sql: script) }
  }

  /// The first column of a query's first row, such as a count; 0 when there is no row or it is NULL.
  public func integer(_ sql: String, _ values: (any SQLBindable)?...) throws(SQLError) -> Int {
    let statement = try prepare(sql)
    try statement.bind(values)
    return try statement.step() ? statement.row().int(0) : 0
  }

  /// The row id of the last insert.
  public var lastInsertID: Int {
    Int(unsafe sqlite3_last_insert_rowid(handle))
  }

  // MARK: For the module

  /// Whether no transaction is open. SQLite ends one by itself after some errors, a full disk among them.
  var isAutocommit: Bool {
    unsafe sqlite3_get_autocommit(handle) != 0
  }

  /// The database handle, for the backup interface.
  @unsafe var raw: OpaquePointer { unsafe handle }

  /// The last error of this connection.
  func error(sql: String?) -> SQLError {
    let message = unsafe String(cString: sqlite3_errmsg(handle))
    let error = SQLError(extendedCode: unsafe sqlite3_extended_errcode(handle), message: message, sql: sql)
    if isAutocommit { lastFailure = error }
    return error
  }

  /// The error that made SQLite roll the transaction back, or a complaint when the operation did it itself.
  func broken() -> SQLError {
    if let lastFailure { return lastFailure }
    return SQLError(.misuse, "the operation ended the transaction it was part of")
  }

  static func words(_ code: Int32) -> String {
    unsafe String(cString: sqlite3_errstr(code))
  }

  private func prepare(_ sql: String) throws(SQLError) -> Statement {
    // Taken out while in use: a second use of the same SQL inside the first's rows gets its own.
    if let cached = unsafe cache.removeValue(forKey: sql) {
      return unsafe Statement(handle: cached, connection: self, sql: sql)
    }
    var handle: OpaquePointer?
    let flags = UInt32(SQLITE_PREPARE_PERSISTENT)
    let result = unsafe sqlite3_prepare_v3(self.handle, sql, -1, flags, &handle, nil)
    guard result == SQLITE_OK else { throw error(sql: sql) }
    guard let prepared = unsafe handle else {
      throw SQLError(extendedCode: SQLITE_MISUSE, message: "no statement in the SQL", sql: sql)
    }
    return unsafe Statement(handle: prepared, connection: self, sql: sql)
  }

  func giveBack(_ statement: OpaquePointer, sql: String) {
    unsafe sqlite3_reset(statement)
    unsafe sqlite3_clear_bindings(statement)
    if unsafe cache[sql] != nil || cache.count >= Connection.cacheLimit {
      unsafe sqlite3_finalize(statement)
    } else {
      unsafe cache[sql] = statement
    }
  }
}
