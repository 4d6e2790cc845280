import CSQLite
import Glibc

/// Why a database operation did not happen.
public struct SQLError: Error, Sendable, CustomStringConvertible {
  /// What a caller can do about it.
  public enum Kind: Sendable, Hashable {
    /// Another program holds the database: try again later (503).
    case busy
    /// No room on the disk or in the database: nothing was written, reading goes on (507, or 452 in SMTP).
    case full
    /// A UNIQUE, CHECK, NOT NULL or FOREIGN KEY rule of the schema said no (usually 409).
    case constraint
    /// The device failed, or the file can't be opened.
    case inputOutput
    /// The file is damaged or is no database.
    case corrupt
    /// The database or its connection is for reading only.
    case readOnly
    /// The database was migrated by a newer program than this one.
    case newer
    /// Another process has the data directory.
    case inUse
    /// More operations wait than are allowed: try again later (503).
    case overloaded
    /// The database was closed.
    case closed
    /// A mistake in the SQL or in the use of the library.
    case misuse
  }

  public let kind: Kind
  /// SQLite's primary result code, or 0 when the error is not SQLite's.
  public let code: Int32
  /// SQLite's extended result code, or 0.
  public let extendedCode: Int32
  /// What happened, for a log or an operator.
  public let message: String
  /// The SQL at fault, with its placeholders: never with the values bound to them.
  public let sql: String?

  /// An error that is not SQLite's own.
  init(_ kind: Kind, _ message: String) {
    self.kind = kind
    self.code = 0
    self.extendedCode = 0
    self.message = message
    self.sql = nil
  }

  init(extendedCode: Int32, message: String, sql: String?) {
    let code = extendedCode & 0xff
    // The log's index could not be made as large as it has to be.
    let hasNoRoom = extendedCode == SQLITE_IOERR | 19 << 8
    self.kind = hasNoRoom ? .full : SQLError.kind(of: code)
    self.code = code
    self.extendedCode = extendedCode
    self.message = message
    self.sql = sql
  }

  /// A failed system call.
  init(call: String, path: String, errno code: Int32) {
    self.init(code == ENOSPC || code == EDQUOT ? .full : .inputOutput, "\(call) \(path): \(describe(code))")
  }

  public var description: String {
    let number = extendedCode == 0 ? "" : " (SQLite \(extendedCode))"
    return "\(message)\(number)\(sql.map { " in: \($0)" } ?? "")"
  }

  private static func kind(of code: Int32) -> Kind {
    switch code {
    case SQLITE_BUSY, SQLITE_LOCKED: .busy
    case SQLITE_FULL: .full
    case SQLITE_CONSTRAINT: .constraint
    case SQLITE_IOERR, SQLITE_CANTOPEN, SQLITE_PERM, SQLITE_NOMEM, SQLITE_PROTOCOL: .inputOutput
    case SQLITE_CORRUPT, SQLITE_NOTADB: .corrupt
    case SQLITE_READONLY: .readOnly
    default: .misuse
    }
  }
}

/// The system's words for an `errno`.
func describe(_ code: Int32) -> String {
  unsafe String(cString: strerror(code))
}
