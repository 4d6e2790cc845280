import CLinux
import Glibc

/// A process that the launcher started.
struct Child: Sendable {
  let process: pid_t

  /// Starts an executable in a process group of its own, so that a Ctrl-C at the terminal reaches the launcher alone,
  /// which then ends its children in order.
  ///
  /// - Parameters:
  ///   - input: the descriptor that becomes standard input.
  ///   - output: the descriptor that becomes standard output.
  ///   - errors: the descriptor that becomes standard error.
  ///   - leadsSession: the process leaves this terminal's session.
  /// - Throws: the executable is missing or can't be run.
  static func start(
    _ executable: String, _ arguments: [String], input: Int32, output: Int32, errors: Int32,
    leadsSession: Bool = false
  ) throws(Trouble) -> Child {
    var actions = unsafe posix_spawn_file_actions_t()
    unsafe posix_spawn_file_actions_init(&actions)
    defer { unsafe posix_spawn_file_actions_destroy(&actions) }
    unsafe posix_spawn_file_actions_adddup2(&actions, input, 0)
    unsafe posix_spawn_file_actions_adddup2(&actions, output, 1)
    unsafe posix_spawn_file_actions_adddup2(&actions, errors, 2)

    var attributes = posix_spawnattr_t()
    unsafe posix_spawnattr_init(&attributes)
    defer { unsafe posix_spawnattr_destroy(&attributes) }
    // The launcher holds signals back and reads them from a descriptor; a child starts with none held back.
    var none = sigset_t()
    unsafe sigemptyset(&none)
    unsafe posix_spawnattr_setsigmask(&attributes, &none)
    unsafe posix_spawnattr_setpgroup(&attributes, 0)
    let group = leadsSession ? CLINUX_POSIX_SPAWN_SETSID : Int16(POSIX_SPAWN_SETPGROUP)
    unsafe posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK) | group)

    var words: [UnsafeMutablePointer<CChar>?] = unsafe ([executable] + arguments).map { unsafe strdup($0) }
    unsafe words.append(nil)
    defer { unsafe words.forEach { unsafe free($0) } }
    var process: pid_t = 0
    let code = unsafe posix_spawn(&process, executable, &actions, &attributes, words, clinux_environment())
    if code == ENOENT {
      throw Trouble("\(executable) is missing: `make build` builds it, and all executables belong in one folder")
    }
    guard code == 0 else { throw .system(executable, code) }
    return Child(process: process)
  }

  /// How a process ended.
  enum Outcome: CustomStringConvertible {
    case code(Int32), signal(Int32)

    var isSignal: Bool { if case .signal = self { true } else { false } }

    var description: String {
      switch self {
      case .code(let code): "ended with code \(code)"
      case .signal(let signal): "was ended by signal \(signal)"
      }
    }
  }

  /// How the process ended; nil while it runs.
  func outcome() -> Outcome? {
    var status: Int32 = 0
    let result = unsafe waitpid(process, &status, WNOHANG)
    if result == 0 { return nil }
    let signal = status & 0x7F
    return signal != 0 ? .signal(signal) : .code((status >> 8) & 0xFF)
  }

  /// Waits for the end; the exit code, or 128 and the signal.
  func wait() -> Int32 {
    var status: Int32 = 0
    while unsafe waitpid(process, &status, 0) < 0, errno == EINTR {}
    let signal = status & 0x7F
    return signal != 0 ? 128 + signal : (status >> 8) & 0xFF
  }

  func send(_ signal: Int32) { kill(process, signal) }
}

/// A pipe whose ends no started program inherits, except as one of its three standard descriptors.
struct Pipe: Sendable {
  let reading: Int32
  let writing: Int32

  init() throws(Trouble) {
    var ends: [Int32] = [0, 0]
    guard unsafe clinux_pipe(&ends) == 0 else { throw .system("pipe") }
    reading = ends[0]
    writing = ends[1]
  }
}
