import Glibc

/// What the user is told, in one line, when a command can't be done.
struct Trouble: Error, CustomStringConvertible {
  var description: String

  init(_ description: String) { self.description = description }

  /// The last system call failed.
  static func system(_ what: String, _ code: Int32 = errno) -> Trouble {
    Trouble("\(what): \(unsafe String(cString: strerror(code)))")
  }
}

/// Writes to standard output at once, so that progress is seen as it is made.
func say(_ text: String, terminator: String = "\n") { writeAll(text + terminator, to: 1) }

/// Writes a line to standard error.
func complain(_ text: String) { writeAll("utopia: \(text)\n", to: 2) }

private func writeAll(_ text: String, to descriptor: Int32) {
  var rest = Array(text.utf8)[...]
  while !rest.isEmpty {
    let count = unsafe rest.withUnsafeBytes { unsafe write(descriptor, $0.baseAddress, $0.count) }
    if count < 0, errno == EINTR { continue }
    // Nobody reads any more: there is nobody to tell.
    guard count > 0 else { return }
    rest = rest.dropFirst(count)
  }
}
