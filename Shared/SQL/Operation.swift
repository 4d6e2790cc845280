/// Something to do on a connection's thread, whose caller is told how it went.
protocol Operation: AnyObject, Sendable {
  /// Does it and keeps the result; false when it threw.
  func perform(on connection: Connection) -> Bool
  /// Tells the caller the kept result.
  func finish()
  /// Tells the caller that it did not happen.
  func fail(_ error: SQLError)
}

/// An operation with a result. `@unchecked Sendable`: made by one thread, then handed to the connection's through a
/// monitor, and touched by that one only.
final class Work<Value: Sendable>: Operation, @unchecked Sendable {
  private let body: @Sendable (Connection) throws -> Value
  private let completion: @Sendable (Result<Value, any Error>) -> Void
  private var result: Result<Value, any Error>?

  init(
    _ body: @escaping @Sendable (Connection) throws -> Value,
    completion: @escaping @Sendable (Result<Value, any Error>) -> Void
  ) {
    self.body = body
    self.completion = completion
  }

  func perform(on connection: Connection) -> Bool {
    do {
      result = .success(try body(connection))
      return true
    } catch {
      result = .failure(error)
      return false
    }
  }

  func finish() {
    completion(result ?? .failure(SQLError(.misuse, "the operation was never performed")))
  }

  func fail(_ error: SQLError) {
    completion(.failure(error))
  }
}
