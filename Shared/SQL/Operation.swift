/// Something to do on a connection's thread, whose caller is told how it went.
protocol Operation: AnyObject, Sendable {
  /// Whether it gives room back.
  var purpose: Purpose { get }
  /// Does it and keeps the result.
  /// - Returns: what it threw; nil when it succeeded.
  func perform(on connection: Connection) -> (any Error)?
  /// Tells the caller the kept result.
  func finish()
  /// Tells the caller that it did not happen.
  func fail(_ error: SQLError)
}

/// An operation with a result. `@unchecked Sendable`: made by one thread, then handed to the connection's through a
/// monitor, and touched by that one only.
final class Work<Value: Sendable>: Operation, @unchecked Sendable {
  let purpose: Purpose
  private let body: @Sendable (Connection) throws -> Value
  private let completion: @Sendable (Result<Value, any Error>) -> Void
  private var result: Result<Value, any Error>?

  init(
    _ purpose: Purpose = .addition, body: @escaping @Sendable (Connection) throws -> Value,
    completion: @escaping @Sendable (Result<Value, any Error>) -> Void
  ) {
    self.purpose = purpose
    self.body = body
    self.completion = completion
  }

  func perform(on connection: Connection) -> (any Error)? {
    do {
      result = .success(try body(connection))
      return nil
    } catch {
      result = .failure(error)
      return error
    }
  }

  func finish() {
    completion(result ?? .failure(SQLError(.misuse, "the operation was never performed")))
  }

  func fail(_ error: SQLError) {
    completion(.failure(error))
  }
}
