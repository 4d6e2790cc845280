import ArgumentParser
import EventLoop
import Glibc

/// Runs asynchronous work on an event loop of the calling thread, until it has ended.
///
/// - Throws: `ExitCode.failure` once the trouble is told.
func runOnLoop(_ work: @escaping @Sendable (EventLoop) async throws -> Void) throws {
  let loop: EventLoop
  do {
    loop = try EventLoop()
  } catch {
    complain("\(error)")
    throw ExitCode.failure
  }
  let outcome = Lock<ExitCode>(.success)
  loop.spawn {
    do {
      try await work(loop)
    } catch let code as ExitCode {
      outcome.withLock { $0 = code }
    } catch {
      complain("\(error)")
      outcome.withLock { $0 = .failure }
    }
    loop.stop()
  }
  loop.run()
  let code = outcome.withLock { $0 }
  if code != .success { throw code }
}

/// Runs synchronous work, and tells its trouble.
func telling(_ work: () throws -> Void) throws {
  do {
    try work()
  } catch let trouble as Trouble {
    complain(trouble.description)
    throw ExitCode.failure
  } catch let error as WorldFileError {
    complain(error.description)
    throw ExitCode.failure
  }
}
