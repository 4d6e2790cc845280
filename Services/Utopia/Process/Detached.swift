import ArgumentParser
import EventLoop
import Glibc

/// A launcher in a session of its own, which keeps the world after the command that started it has ended.
///
/// The command stands by until the world is up: it shows the launcher's words, and when it is interrupted the launcher
/// hears the end of its standard input and takes the world down again.
enum Detached {
  /// The end of transmission: the world is up.
  private static let done: UInt8 = 4

  /// Starts `utopia` with these arguments and shows what it says until it is up.
  /// - Throws: the launcher's own exit code where it ended instead.
  static func start(_ arguments: [String]) throws {
    let input = try Pipe()
    let output = try Pipe()
    let child = try Child.start(
      Files.ownPath, arguments, input: input.reading, output: output.writing, errors: 2, leadsSession: true)
    close(input.reading)
    close(output.writing)
    var buffer = [UInt8](repeating: 0, count: 4096)
    while true {
      let count = unsafe read(output.reading, &buffer, buffer.count)
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { break }
      let isUp = buffer[count - 1] == done
      say(String(decoding: buffer[..<(isUp ? count - 1 : count)], as: UTF8.self), terminator: "")
      if isUp { return }
    }
    throw ExitCode(child.wait())
  }

  /// In the launcher: ends the world when the command is interrupted before the world is up.
  static func watchCommand(on loop: EventLoop, ended: @escaping @Sendable () -> Void) throws(IOError)
    -> DescriptorWatcher
  {
    try DescriptorWatcher(0, .read, on: loop) { _ in ended() }
  }

  /// In the launcher: the world is up; from now on words go to the log.
  static func release(_ watcher: DescriptorWatcher, log: String) throws(Trouble) {
    watcher.cancel()
    let null = unsafe open("/dev/null", O_RDONLY | O_CLOEXEC)
    let descriptor = unsafe open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
    guard null >= 0, descriptor >= 0 else { throw .system(log) }
    say("\u{4}", terminator: "")
    dup2(null, 0)
    dup2(descriptor, 1)
    dup2(descriptor, 2)
    close(null)
    close(descriptor)
  }
}
