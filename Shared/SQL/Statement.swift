import CSQLite

/// A prepared statement on loan from its connection's cache. Its end of life resets it and gives it back.
@safe
struct Statement: ~Copyable {
  private let handle: OpaquePointer
  private let connection: Connection
  private let sql: String

  init(handle: OpaquePointer, connection: Connection, sql: String) {
    unsafe self.handle = handle
    self.connection = connection
    self.sql = sql
  }

  deinit {
    unsafe connection.giveBack(handle, sql: sql)
  }

  /// Binds the values to the placeholders, first to first.
  func bind(_ values: [(any SQLBindable)?]) throws(SQLError) {
    let expected = Int(unsafe sqlite3_bind_parameter_count(handle))
    guard values.count == expected else {
      throw SQLError(
        extendedCode: SQLITE_RANGE, message: "\(values.count) values for \(expected) placeholders", sql: sql)
    }
    for (offset, value) in values.enumerated() {
      let result = bind(value?.sqlValue ?? .null, at: Int32(offset + 1))
      guard result == SQLITE_OK else { throw connection.error(sql: sql) }
    }
  }

  private func bind(_ value: SQLValue, at index: Int32) -> Int32 {
    switch value {
    case .null: return unsafe sqlite3_bind_null(handle, index)
    case .integer(let integer): return unsafe sqlite3_bind_int64(handle, index, integer)
    case .real(let real): return unsafe sqlite3_bind_double(handle, index, real)
    case .text(var text):
      return text.withUTF8 { utf8 in
        unsafe csqlite_bind_text(handle, index, utf8.baseAddress, UInt64(utf8.count))
      }
    case .blob(let bytes):
      return unsafe bytes.withUnsafeBytes { buffer in
        unsafe csqlite_bind_blob(handle, index, buffer.baseAddress, UInt64(buffer.count))
      }
    }
  }

  /// Goes to the next row; false when there is none.
  func step() throws(SQLError) -> Bool {
    switch unsafe sqlite3_step(handle) {
    case SQLITE_ROW: return true
    case SQLITE_DONE: return false
    default: throw connection.error(sql: sql)
    }
  }

  /// The row the statement stands on, valid until the next `step`.
  func row() -> Row {
    unsafe Row(handle: handle)
  }
}

/// The current row of a query, lent to a closure. Columns count from 0. The plain getters follow SQLite's conversions
/// and read NULL as 0 or empty; the `optional` ones tell NULL apart.
@safe
public struct Row: ~Copyable {
  private let handle: OpaquePointer

  init(handle: OpaquePointer) {
    unsafe self.handle = handle
  }

  /// The number of columns.
  public var count: Int {
    Int(unsafe sqlite3_column_count(handle))
  }

  public func isNull(_ column: Int) -> Bool {
    unsafe sqlite3_column_type(handle, Int32(column)) == SQLITE_NULL
  }

  public func int(_ column: Int) -> Int {
    Int(unsafe sqlite3_column_int64(handle, Int32(column)))
  }

  public func optionalInt(_ column: Int) -> Int? {
    isNull(column) ? nil : int(column)
  }

  public func bool(_ column: Int) -> Bool {
    int(column) != 0
  }

  public func double(_ column: Int) -> Double {
    unsafe sqlite3_column_double(handle, Int32(column))
  }

  /// The text, with invalid UTF-8 replaced by U+FFFD.
  public func text(_ column: Int) -> String {
    guard let bytes = unsafe sqlite3_column_text(handle, Int32(column)) else { return "" }
    let count = Int(unsafe sqlite3_column_bytes(handle, Int32(column)))
    return unsafe String(decoding: UnsafeBufferPointer(start: bytes, count: count), as: UTF8.self)
  }

  public func optionalText(_ column: Int) -> String? {
    isNull(column) ? nil : text(column)
  }

  public func bytes(_ column: Int) -> [UInt8] {
    guard let bytes = unsafe sqlite3_column_blob(handle, Int32(column)) else { return [] }
    let count = Int(unsafe sqlite3_column_bytes(handle, Int32(column)))
    return unsafe Array(UnsafeRawBufferPointer(start: bytes, count: count))
  }

  public func optionalBytes(_ column: Int) -> [UInt8]? {
    isNull(column) ? nil : bytes(column)
  }

  /// The value in its own storage class, without any conversion.
  public subscript(column: Int) -> SQLValue {
    switch unsafe sqlite3_column_type(handle, Int32(column)) {
    case SQLITE_INTEGER: .integer(unsafe sqlite3_column_int64(handle, Int32(column)))
    case SQLITE_FLOAT: .real(double(column))
    case SQLITE_TEXT: .text(text(column))
    case SQLITE_BLOB: .blob(bytes(column))
    default: .null
    }
  }
}
